import assert from "node:assert/strict";
import { kernel, uniform } from "../gpu/kernel.ts";
import { dispatch, uniformInput } from "./dispatch.ts";
import { FailureError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import { BOUNDLESS_LIMITS, type GpuLimits, PORTABLE_LIMITS } from "../gpu/device.ts";
import { gradients } from "./autodiff.ts";
import { Graph, type Tensor } from "./graph.ts";
import type { OpSpec } from "./op.ts";
import { dropUnused, shareSubexpressions, validate } from "./passes.ts";
import { type Place, planProgram, Pool } from "./plan.ts";
import { dense, elementCount, image, pack, storageLength, type TensorType, unpack } from "./tensor_type.ts";
import { Arena } from "./variables.ts";

/** An operation without kernels: planning and passes need only its shapes. */
const combine: OpSpec<{ inPlace?: boolean; k?: number }> = {
  name: "combine",
  infer(inputs) {
    if (inputs[0].shape[0] === 13) throw new RangeError("thirteen is refused");
    return [inputs[0]];
  },
  inPlace: (_, attrs): Record<number, number> => attrs.inPlace ? { 0: 0 } : {},
  kernels: () => ({ dispatches: [], scratch: [64] }),
  gradient: ({ graph, grads, needs }) => needs.map((yes) => yes ? graph.apply1(combine, [grads[0]!], {}) : null),
};

/** Puts images behind each other, takes one apart again: what the plan may do without running anything. */
const COPY = dispatch(kernel("copy", "", { buffers: {} }), { buffers: {}, workgroups: [1, 1, 1] });
const join: OpSpec<null> = {
  name: "join",
  infer: (inputs) => [image(inputs.reduce((c, t) => c + t.shape[0], 0), 1, 8, 16)],
  copies: () => "join",
  kernels: () => ({ dispatches: [COPY] }),
};
const cut: OpSpec<readonly number[]> = {
  name: "cut",
  infer: (_, sizes) => sizes.map((c) => image(c, 1, 8, 16)),
  copies: () => "cut",
  kernels: () => ({ dispatches: [COPY] }),
};
const CHANNEL_BYTES = 8 * 16 * 4;

const sum = (graph: Graph) => (tensors: readonly Tensor[], label: string) => graph.apply1(combine, tensors, {}, label);

Deno.test("a shape error names the node, the operation and the shapes", () => {
  const graph = new Graph(), x = graph.input("x", dense([13]));
  assert.throws(
    () => graph.scope("cells.0", () => graph.apply(combine, [x], {}, "node1")),
    (error: Error) =>
      error instanceof RangeError && /combine at 'cells\.0\/node1' to \(f32\[13\]\)/.test(error.message),
  );
});

Deno.test("equal subexpressions are computed once, different ones are kept", () => {
  const graph = new Graph(), x = graph.input("x", dense([4]));
  const [a, b] = [graph.apply1(combine, [x], {}), graph.apply1(combine, [x], {})];
  const c = graph.apply1(combine, [a, b], {}), d = graph.apply1(combine, [b, a], {});
  const other = graph.apply1(combine, [x, x], {});
  const end = graph.apply1(combine, [c, d, other], {});
  assert.equal(shareSubexpressions(graph), 2);
  validate(graph);
  assert.equal(graph.nodes.length, 4);
  assert.deepEqual(end.node!.inputs, [c, c, other]);
});

Deno.test("what nothing depends on is dropped, but never what is written into a variable", () => {
  const graph = new Graph(), x = graph.input("x", dense([4])), arena = new Arena("a");
  const kept = graph.apply1(combine, [x], {}), placed = graph.apply1(combine, [x, x], {});
  graph.apply1(combine, [kept], {});
  graph.place(placed, arena.add("v", dense([4])));
  assert.equal(dropUnused(graph, [kept]), 1);
  assert.deepEqual(graph.nodes.map((n) => n.outputs[0]), [kept, placed]);
});

Deno.test("the validator sees a use after a buffer was taken over", () => {
  const graph = new Graph(), x = graph.input("x", dense([4])), a = graph.apply1(combine, [x], {});
  graph.apply1(combine, [a], { inPlace: true });
  validate(graph);
  graph.apply1(combine, [a], {});
  assert.throws(() => validate(graph), /after it was overwritten/);
});

Deno.test("only what lies between the wanted tensors and the loss is differentiated", () => {
  const graph = new Graph(), x = graph.input("x", dense([4])), w = graph.input("w", dense([4]));
  const before = graph.apply1(combine, [x], {}), y = graph.apply1(combine, [before, w], {});
  const unrelated = graph.input("u", dense([4])), seed = graph.input("seed", dense([4]));
  const count = graph.nodes.length;
  const [gw, gu] = gradients(graph, [y], [seed], [w, unrelated], sum(graph));
  assert.ok(gw);
  assert.equal(gu, null);
  assert.equal(graph.nodes.length, count + 1, "x and what comes before need no gradient");
});

Deno.test("tensors that live at the same time never share a buffer", () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = new Random(seed, "plan"), graph = new Graph(), tensors: Tensor[] = [graph.input("x", dense([8]))];
    for (let i = 0; i < 60; i++) {
      const pick = () => tensors[tensors.length - 1 - random.below(Math.min(8, tensors.length))];
      const size = dense([4 + random.below(200)]);
      const op = { ...combine, infer: () => [size] };
      tensors.push(graph.apply1(op, [pick(), pick()], {}));
    }
    const result = tensors.at(-1)!,
      pool = new Pool(),
      plan = planProgram("p", graph, { result }, PORTABLE_LIMITS, pool);
    const lastUse = new Map<Tensor, number>([[result, Infinity]]);
    graph.nodes.forEach((n, i) => n.inputs.forEach((t) => lastUse.set(t, Math.max(i, lastUse.get(t) ?? 0))));
    const owner = new Map<number, Tensor>();
    plan.nodes.forEach((planned, i) => {
      planned.inputs.forEach((place, k) => {
        if (place.kind === "pool") {
          assert.equal(owner.get(place.buffer), planned.node.inputs[k], "an input was overwritten");
        }
      });
      const busy = new Set(planned.inputs.flatMap((p) => p.kind === "pool" ? [p.buffer] : []));
      for (const place of [...planned.outputs, ...planned.scratch]) {
        assert.ok(place.kind === "pool" && pool.sizes[place.buffer] >= place.bytes);
        assert.ok(!busy.has(place.buffer), "a buffer is bound for reading and writing");
        busy.add(place.buffer);
        const holder = owner.get(place.buffer);
        assert.ok(!holder || (lastUse.get(holder) ?? -1) <= i, "a live tensor was overwritten");
      }
      planned.outputs.forEach((place, o) => place.kind === "pool" && owner.set(place.buffer, planned.node.outputs[o]));
    });
    assert.ok(pool.sizes.length < graph.nodes.length / 2, "buffers are reused");
  }
});

Deno.test("a program takes again what it gave back before it touches another buffer", () => {
  const pool = new Pool();
  pool.reset();
  for (const bytes of [64, 64, 64, 32]) pool.take(bytes);
  pool.reset();
  const one = pool.take(64), other = pool.take(64);
  pool.give(one);
  pool.give(other);
  assert.deepEqual([pool.take(48), pool.take(48)], [other, one]);
});

/** Plans a graph whose last tensor is its result; where each tensor lies, and how many copies are left to run. */
function planned(graph: Graph, result: Tensor): { at: (t: Tensor) => Place & { kind: "pool" }; copies: number } {
  const places = new Map<Tensor, Place>(), plan = planProgram("p", graph, { result }, PORTABLE_LIMITS, new Pool());
  for (const { node, outputs } of plan.nodes) node.outputs.forEach((t, i) => places.set(t, outputs[i]));
  return { at: (t) => places.get(t) as Place & { kind: "pool" }, copies: plan.dispatches };
}

Deno.test("parts of an image are made in it and read from it without copies", () => {
  const graph = new Graph(), x = graph.input("x", image(2, 1, 8, 16)), y = graph.input("y", image(3, 1, 8, 16));
  const a = graph.apply1(combine, [x], {}), b = graph.apply1(combine, [y], {});
  const whole = graph.apply1(join, [a, b], null), other = graph.apply1(combine, [whole], {});
  const [c, d] = graph.apply(cut, [other], [4, 1]), [e, f] = graph.apply(cut, [c], [1, 3]);
  const { at, copies } = planned(graph, graph.apply1(combine, [d, e, f], {}));
  assert.equal(copies, 0);
  assert.deepEqual([a, b, whole].map((t) => at(t).buffer), Array(3).fill(at(whole).buffer));
  assert.deepEqual([a, b, whole].map((t) => at(t).offset), [0, 2 * CHANNEL_BYTES, 0]);
  assert.deepEqual([c, d, e, f].map((t) => at(t).buffer), Array(4).fill(at(other).buffer));
  assert.deepEqual([c, d, e, f].map((t) => at(t).offset), [0, 4, 0, 1].map((channels) => channels * CHANNEL_BYTES));
  assert.notEqual(at(whole).buffer, at(other).buffer);
});

Deno.test("a whole keeps its buffer from its first part to the last reader of any of them", () => {
  const graph = new Graph(),
    x = graph.input("x", image(1, 1, 8, 16)),
    make = (t: Tensor) => graph.apply1(combine, [t], {});
  const a = make(x),
    between = make(x),
    b = make(between),
    whole = graph.apply1(join, [a, b], null),
    later = make(whole);
  const [, d] = graph.apply(cut, [later], [1, 1]), last = make(make(b)), end = graph.apply1(combine, [last, d, b], {});
  const { at, copies } = planned(graph, end);
  assert.equal(copies, 0);
  for (const t of [between, later, last]) assert.notEqual(at(t).buffer, at(whole).buffer);
  assert.notEqual(at(last).buffer, at(later).buffer);
});

Deno.test("images are put together in several steps, and taken apart while the rest is taken over in place", () => {
  const graph = new Graph(), x = graph.input("x", image(1, 1, 8, 16));
  const make = (t: Tensor) => graph.apply1(combine, [t], {}),
    over = (...ts: Tensor[]) => graph.apply1(combine, ts, { inPlace: true });
  const [a, b, c] = [make(x), make(x), make(x)], inner = graph.apply1(join, [b, c], null);
  const used = make(inner), outer = graph.apply1(join, [a, inner], null);
  const sums = over(make(outer)), [first, rest] = graph.apply(cut, [sums], [1, 2]);
  const [second, third] = graph.apply(cut, [over(rest, used)], [1, 1]);
  const { at, copies } = planned(graph, graph.apply1(combine, [first, second, third], {}));
  assert.equal(copies, 0);
  const places = (...ts: Tensor[]) => ts.map((t) => [at(t).buffer, at(t).offset / CHANNEL_BYTES]);
  assert.deepEqual(places(a, b, c, inner, outer), [0, 1, 2, 1, 0].map((channel) => [at(outer).buffer, channel]));
  assert.deepEqual(places(first, rest, second, third), [0, 1, 1, 2].map((channel) => [at(sums).buffer, channel]));
});

Deno.test("whatever is put together, taken apart and taken over, every node reads what was made for it", () => {
  const spare = { copies: 0, runs: 0 }, any = { ...combine, infer: (inputs: readonly TensorType[]) => [inputs[0]] };
  for (let seed = 0; seed < 1000; seed++) {
    const random = new Random(seed, "ranges"),
      graph = new Graph(),
      arena = new Arena("arena"),
      taken = new Set<Tensor>();
    const tensors = [graph.input("x", image(2, 1, 8, 16)), graph.input("y", image(3, 1, 8, 16))];
    const pick = (): Tensor => {
      const free = tensors.filter((t) => !taken.has(t)).slice(-6);
      return free[random.below(free.length)];
    };
    for (let i = 0; i < 40; i++) {
      const kind = random.below(5),
        t = pick(),
        channels = t.type.shape[0],
        others = [pick(), pick()].slice(random.below(3));
      if (kind === 0 && channels < 16) tensors.push(graph.apply1(join, [t, ...others], null));
      else if (kind === 1 && channels > 1) {
        const first = 1 + random.below(channels - 1);
        tensors.push(...graph.apply(cut, [t], [first, channels - first]));
      } else if (kind === 2 && t.node && !t.variable && !others.includes(t)) {
        tensors.push(graph.apply1(any, [t, ...others], { inPlace: true }));
        taken.add(t);
      } else {
        tensors.push(graph.apply1(any, [t, ...others], { k: i }));
        if (random.below(12) === 0) graph.place(tensors.at(-1)!, arena.add(`v${i}`, tensors.at(-1)!.type));
      }
    }
    validate(graph);
    const results = Object.fromEntries(tensors.filter((t) => !taken.has(t) && random.below(4) === 0).entries());
    const plan = planProgram("p", graph, results, PORTABLE_LIMITS, new Pool());
    // What each channel of memory holds, and what each channel of a tensor should be.
    const memory = new Map<string, string>(), expected = new Map<Tensor, string[]>();
    const cells = (place: Place, t: Tensor) =>
      t.type.shape[0] === 0 ? [] : Array.from({ length: t.type.shape[0] }, (_, c) => {
        const [where, offset] = place.kind === "pool"
          ? [`pool ${place.buffer}`, place.offset]
          : place.kind === "arena"
          ? ["arena", place.offset]
          : [place.name, 0];
        return `${where} ${offset / CHANNEL_BYTES + c}`;
      });
    const fresh = (t: Tensor) => Array.from({ length: t.type.shape[0] }, (_, c) => `${t.id}.${c}`);
    const holds = (place: Place, t: Tensor) => cells(place, t).map((cell) => memory.get(cell));
    tensors.slice(0, 2).forEach((t) => {
      expected.set(t, fresh(t));
      cells({ kind: "input", name: t.inputName!, bytes: 0 }, t).forEach((cell, c) => memory.set(cell, fresh(t)[c]));
    });
    for (const { node, inputs, outputs, dispatches } of plan.nodes) {
      node.inputs.forEach((t, i) =>
        assert.deepEqual(holds(inputs[i], t), expected.get(t), `seed ${seed}, tensor ${t.id}`)
      );
      const parts = node.inputs.flatMap((t) => expected.get(t)!), copying = node.op.copies !== undefined;
      let from = 0;
      for (const t of node.outputs) {
        expected.set(t, copying ? parts.slice(from, from += t.type.shape[0]) : fresh(t));
      }
      if (copying) spare[dispatches.length > 0 ? "runs" : "copies"]++;
      const writes = !copying || dispatches.length > 0, inPlace = node.op.inPlace?.([], node.attrs)[0] === 0;
      const read = new Set(inputs.slice(inPlace ? 1 : 0).flatMap((p) => p.kind === "pool" ? [p.buffer] : []));
      node.outputs.forEach((t, i) => {
        const place = outputs[i];
        if (writes && place.kind === "pool") assert.ok(!read.has(place.buffer), `seed ${seed}: reads what it writes`);
        if (writes) cells(place, t).forEach((cell, c) => memory.set(cell, expected.get(t)![c]));
        assert.deepEqual(holds(place, t), expected.get(t), `seed ${seed}, tensor ${t.id}`);
      });
    }
    for (const [name, t] of Object.entries(results)) {
      if (t.node) assert.deepEqual(holds(plan.results.get(name)!, t), expected.get(t), `seed ${seed}, a result`);
    }
  }
  assert.ok(spare.copies > 100 && spare.runs > 100, `${spare.copies} copies spared, ${spare.runs} run`);
});

Deno.test("where parts cannot lie in the whole they are copied", () => {
  const type = image(1, 1, 8, 16), arena = new Arena("arena");
  const copies = (body: (graph: Graph, x: Tensor, make: (t: Tensor) => Tensor) => Tensor): number => {
    const graph = new Graph(), make = (t: Tensor) => graph.apply1(combine, [t], {});
    return planned(graph, body(graph, graph.input("x", type), make)).copies;
  };
  const joined = (graph: Graph, ...parts: Tensor[]) => graph.apply1(join, parts, null);
  assert.equal(copies((graph, x, make) => joined(graph, make(x), make(make(x)))), 0, "they can");
  assert.equal(copies((graph, x, make) => joined(graph, x, make(x))), 1, "an input of the program");
  assert.equal(copies((graph, x) => graph.apply(cut, [joined(graph, x, x)], [1, 1])[1]), 1, "only the first is copied");
  assert.equal(copies((graph, x, make) => (([t]) => joined(graph, t, t))([make(x)])), 1, "the same part twice");
  assert.equal(copies((graph, x, make) => (([t]) => joined(graph, t, make(t)))([make(x)])), 1, "made from each other");
  assert.equal(
    copies((graph, x, make) =>
      (([t, u]) => joined(graph, joined(graph, t, u), joined(graph, t, make(x))))([make(x), make(x)])
    ),
    2,
    "in two wholes, and a whole in another",
  );
  const placed = (graph: Graph, t: Tensor) => (graph.place(t, arena.add(`v${arena.length}`, type)), t);
  assert.equal(copies((graph, x, make) => joined(graph, placed(graph, make(x)), make(x))), 1, "kept in a variable");
  const over = (graph: Graph, t: Tensor) => graph.apply1(combine, [t], { inPlace: true });
  assert.equal(copies((graph, x, make) => joined(graph, over(graph, make(x)), make(x))), 1, "taken over in place");
  const taken = (other: (whole: Tensor, sibling: Tensor, make: (t: Tensor) => Tensor) => Tensor[]) =>
    copies((graph, x, make) => {
      const whole = make(joined(graph, make(x), make(x))), [sibling, part] = graph.apply(cut, [whole], [1, 1]);
      return graph.apply1(
        combine,
        [graph.apply1(combine, [part], { inPlace: true }), ...other(whole, sibling, make)],
        {},
      );
    });
  assert.equal(taken((_, sibling) => [sibling]), 0, "a part is taken over when nobody reads the whole any more");
  assert.equal(taken((whole) => [whole]), 1, "a part is taken over, and the whole is read");
  assert.equal(
    copies((graph, x, make) => {
      const [sibling, part] = graph.apply(cut, [make(joined(graph, make(x), make(x)))], [1, 1]);
      return graph.apply1(combine, [part, sibling], { inPlace: true });
    }),
    1,
    "what takes a part over reads another",
  );
  const small = { ...join, infer: () => [image(2, 1, 1, 8)] },
    narrow = { ...combine, infer: () => [image(1, 1, 1, 8)] };
  assert.equal(
    copies((graph, x) => graph.apply1(small, [0, 1].map((k) => graph.apply1(narrow, [x], { k })), null)),
    1,
    "cannot be bound where it would begin",
  );
});

Deno.test("a tensor that the adapter cannot bind is refused with the remedy", () => {
  const graph = new Graph(), x = graph.input("x", dense([4]));
  const op = { ...combine, infer: () => [dense([2 ** 26])] };
  const y = graph.apply1(op, [x], {}, "wide");
  assert.throws(
    () => planProgram("p", graph, { y }, PORTABLE_LIMITS, new Pool()),
    (e: Error) => e instanceof FailureError && /'wide' of 256 MiB.*smaller batchSize/.test(e.message),
  );
});

Deno.test("a kernel whose scratch buffer the adapter cannot bind gives way to one whose it can", () => {
  const wide = 2 ** 26,
    dispatches = [COPY],
    ways = (...scratch: number[]): typeof combine => ({
      ...combine,
      kernels: () => scratch.map((length) => ({ name: `${length}`, plan: () => ({ dispatches, scratch: [length] }) })),
    });
  const planned = (op: typeof combine, choose?: (key: string, names: readonly string[]) => string) => {
    const graph = new Graph(), y = graph.apply1(op, [graph.input("x", dense([4]))], {}, "summed");
    return planProgram("p", graph, { y }, { ...PORTABLE_LIMITS, choose }, new Pool()).nodes[0].scratch[0].bytes;
  };
  assert.equal(planned(ways(64, 32)), 256);
  assert.equal(planned(ways(wide, 32, 64)), 128);
  assert.equal(planned(ways(wide, 32), () => `${wide}`), 128, "a tuning of another adapter wants it");
  assert.throws(
    () => planned(ways(wide)),
    /^FailureError: Cannot plan p: a buffer for sums of 'summed' of 256 MiB must/,
  );
});

Deno.test("storage order pads rows with zeros and comes back", () => {
  const type = image(2, 1, 2, 3), values = Float64Array.from({ length: 12 }, (_, i) => i + 1);
  const storage = pack(type, values);
  assert.equal(storage.length, storageLength(type));
  assert.deepEqual([...storage.slice(0, 8)], [1, 2, 3, 0, 4, 5, 6, 0]);
  assert.deepEqual(unpack(type, storage), values);
  assert.equal(elementCount(type), 12);
});

Deno.test("variables of an arena start at multiples of 256 bytes and its twin has the same layout", () => {
  const arena = new Arena("weights", 1024);
  arena.add("a", dense([3]));
  arena.add("b", image(1, 1, 3, 3));
  assert.deepEqual(arena.variables.map((v) => v.offset), [0, 64]);
  assert.equal(arena.elements, 12);
  assert.equal(arena.bytes, 128 * 4 + 1024);
  assert.deepEqual(arena.like("grads").variables.map((v) => [v.name, v.offset]), [["a", 0], ["b", 64]]);
  assert.throws(() => arena.add("a", dense([1])), /twice/);
  assert.throws(() => arena.addBlock("block", [["b", dense([1, 1])]]), /twice/);
  assert.throws(() => arena.get("c"), /Cannot find variable 'c'/);
});

Deno.test("what an adapter cannot run at once gives way to another kernel, or is refused", () => {
  const large = (workgroups: readonly [number, number, number], bytes = 16) =>
    dispatch(kernel("large", "", { buffers: { x: uniform("vec4f") } }), {
      buffers: { x: uniformInput(0, bytes) },
      workgroups,
    });
  const op = (...plans: ReturnType<typeof large>[]): OpSpec<null> => ({
    name: "many",
    infer: (inputs) => [inputs[0]],
    kernels: () => plans.map((each, i) => ({ name: `${i}`, plan: () => ({ dispatches: [each] }) })),
  });
  const plan = (spec: OpSpec<null>, limits: GpuLimits = PORTABLE_LIMITS) => {
    const graph = new Graph(), result = graph.apply1(spec, [graph.input("x", dense([4]))], null, "cell");
    return planProgram("train_step", graph, { result }, limits, new Pool()).nodes[0].dispatches[0].workgroups;
  };
  assert.deepEqual(plan(op(large([1, 65536, 1]), large([2, 1, 1]))), [2, 1, 1]);
  assert.deepEqual(plan(op(large([1, 1, 1], 65552), large([3, 1, 1]))), [3, 1, 1]);
  const refused = (part: RegExp) => (error: Error) => error instanceof FailureError && part.test(error.message);
  const most =
    /^Cannot plan train_step: 'cell' would need 65536 workgroups side by side: WebGPU allows 65535; use a smaller /;
  assert.throws(() => plan(op(large([65536, 1, 1]))), refused(most));
  assert.throws(() => plan(op(large([1, 1, 1], 65552))), refused(/'cell' would need a uniform range of 65552 bytes: /));
  assert.deepEqual(
    plan(op(large([65536, 1, 1])), BOUNDLESS_LIMITS),
    [65536, 1, 1],
    "what is only counted has no limit",
  );
});

Deno.test("a block has its parts side by side, and its twin too", () => {
  const arena = new Arena("weights");
  arena.add("a", dense([3]));
  const block = arena.addBlock("b", [["b.0", dense([2, 3])], ["b.1", dense([1, 3])]]);
  arena.add("c", dense([1]));
  assert.deepEqual([block.type.shape, block.offset], [[3, 3], 64]);
  for (const { variables, units, elements, length } of [arena, arena.like("grads")]) {
    assert.deepEqual(units.map((v) => [v.name, v.offset]), [["a", 0], ["b", 64], ["c", 128]]);
    assert.deepEqual(variables.map((v) => [v.name, v.offset]), [["a", 0], ["b.0", 64], ["b.1", 70], ["c", 128]]);
    assert.deepEqual([elements, length], [13, 192]);
  }
  assert.ok(arena.like("grads").units.every((v) => v.arena.name === "grads"));
});
