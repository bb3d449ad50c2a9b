import assert from "node:assert/strict";
import { FailureError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import { PORTABLE_LIMITS } from "../gpu/device.ts";
import { gradients } from "./autodiff.ts";
import { Graph, type Tensor } from "./graph.ts";
import type { OpSpec } from "./op.ts";
import { dropUnused, shareSubexpressions, validate } from "./passes.ts";
import { planProgram, Pool } from "./plan.ts";
import { dense, elementCount, image, pack, storageLength, unpack } from "./tensor_type.ts";
import { Arena } from "./variables.ts";

/** An operation without kernels: planning and passes need only its shapes. */
const combine: OpSpec<{ inPlace?: boolean }> = {
  name: "combine",
  infer(inputs) {
    if (inputs[0].shape[0] === 13) throw new RangeError("thirteen is refused");
    return [inputs[0]];
  },
  inPlace: (_, attrs): Record<number, number> => attrs.inPlace ? { 0: 0 } : {},
  kernels: () => ({ dispatches: [], scratch: [64] }),
  gradient: ({ graph, grads, needs }) => needs.map((yes) => yes ? graph.apply1(combine, [grads[0]!], {}) : null),
};

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

Deno.test("a tensor that the adapter cannot bind is refused with the remedy", () => {
  const graph = new Graph(), x = graph.input("x", dense([4]));
  const op = { ...combine, infer: () => [dense([2 ** 26])] };
  const y = graph.apply1(op, [x], {}, "wide");
  assert.throws(
    () => planProgram("p", graph, { y }, PORTABLE_LIMITS, new Pool()),
    (e: Error) => e instanceof FailureError && /'wide' of 256 MiB.*--batch-size/.test(e.message),
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
  assert.throws(() => arena.get("c"), /Cannot find variable 'c'/);
});
