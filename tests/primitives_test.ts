/**
 * Every primitive as its paper has it, in both networks that are built from its one description: alone, beside all others
 * of a source, on edges of both strides, and in whole networks, where a supernet in which one candidate of each edge has
 * all the weight computes what the derived network of these candidates computes.
 *
 * The supernet normalises pools and derived networks do not. So single primitives are compared with what they should be
 * in each of the two, and whole networks with pools where the pools' running statistics leave everything as it is.
 */
import assert from "node:assert/strict";
import { hashName, Random } from "../src/base/random.ts";
import { openGpu } from "../src/gpu/device.ts";
import { Graph, type Tensor } from "../src/graph/graph.ts";
import type { OpSpec } from "../src/graph/op.ts";
import { planProgram, Pool } from "../src/graph/plan.ts";
import { Runtime } from "../src/graph/runtime.ts";
import { dense, elementCount, image, pack, type TensorType, unpack } from "../src/graph/tensor_type.ts";
import type { Arena } from "../src/graph/variables.ts";
import { BN_EPS, Builder } from "../src/nn/layers.ts";
import { NOISE_INPUT } from "../src/nn/noise_key.ts";
import { NetworkVariables } from "../src/nn/variables.ts";
import { finishProgram } from "../src/nn/weight_step.ts";
import { conv2d } from "../src/ops/conv2d.ts";
import { depthwise } from "../src/ops/depthwise.ts";
import { noise } from "../src/ops/noise.ts";
import { normalize } from "../src/ops/normalize.ts";
import { pointwise } from "../src/ops/pointwise.ts";
import { avgPool, maxPool } from "../src/ops/pool.ts";
import { channelStatistics } from "../src/ops/reference.ts";
import { spaceToPhases } from "../src/ops/space_to_phases.ts";
import { buildNetwork, type NetworkConfig, networkImages } from "../src/space/derived.ts";
import { type Choice, type Genotype, genotypeOf } from "../src/space/genotype.ts";
import { buildOnEdge, buildOnEdges, buildTogether } from "../src/space/primitive_layers.ts";
import { type Primitive, PRIMITIVES } from "../src/space/primitives.ts";
import { reductionCells } from "../src/space/reductions.ts";
import { CELL_KINDS, type CellKind, edgesOf, NAS_BENCH_201, outgoing, type Space } from "../src/space/space.ts";
import { buildSupernet, type SupernetConfig } from "../src/space/supernet.ts";
import { compare } from "./golden_support.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.device.destroy());

/** A tensor on the host: logical elements, row-major. */
interface Value {
  readonly type: TensorType;
  readonly data: Float64Array;
}

/** What an operation is by its reference. */
function by<A>(op: OpSpec<A>, attrs: A, ...inputs: readonly Value[]): Value {
  const types = inputs.map(({ type }) => type), [type] = op.infer(types, attrs);
  return { type, data: op.reference!(inputs.map(({ data }) => data), types, attrs)[0] };
}

/** The channels of an image, normalised by their own statistics. */
function normed({ type, data }: Value): Value {
  const channels = type.shape[0], size = data.length / channels, stats = channelStatistics(data, channels);
  const of = (v: number, c: number) => (v - stats[c]) / Math.sqrt(stats[channels + c] + BN_EPS);
  return { type, data: data.map((v, i) => of(v, Math.floor(i / size))) };
}

/** An edge: its source, its stride, and the weights of its layers by name. */
interface EdgeCase {
  readonly x: Value;
  readonly stride: 1 | 2;
  readonly weight: (layer: string) => Value;
  /** Name of the primitive with all the groups that are built together, and which group this edge is. */
  readonly group: readonly [name: string, groups: number, index: number];
}

const deep = (x: Value, w: Value, stride: 1 | 2, dilation: 1 | 2): Value =>
  by(depthwise, { stride, dilation, prologue: "relu", eps: BN_EPS }, x, w);
const mix = (x: Value, w: Value): Value => by(pointwise, { groups: 1, inputGroups: 1, relu: false }, x, w);

/** ReLU, depthwise, 1x1, batch norm; twice (DARTS, arXiv 1806.09055). */
const separable = ({ x, stride, weight: w }: EdgeCase): Value => {
  const first = normed(mix(deep(x, w("dw1"), stride, 1), w("pw1")));
  return normed(mix(deep(first, w("dw2"), 1, 1), w("pw2")));
};
/** ReLU, depthwise with holes, 1x1, batch norm (DARTS). */
const dilated = ({ x, stride, weight: w }: EdgeCase): Value => normed(mix(deep(x, w("dw"), stride, 2), w("pw")));
/** ReLU, convolution, batch norm (NAS-Bench-201, arXiv 2001.00326). */
const full = (size: number) => ({ x, stride, weight }: EdgeCase): Value => {
  const { data, type: { shape: [co, ci] } } = weight("conv"), w = { type: dense([co, ci, size, size]), data };
  return normed(by(conv2d, { stride, padding: (size - 1) / 2, relu: true }, x, w));
};

/** What each primitive is, pools without the supernet's batch norm; null: zeros. */
const STANDARD: Readonly<Record<string, (edge: EdgeCase) => Value | null>> = {
  none: () => null,
  max_pool_3x3: ({ x, stride }) => by(maxPool, { stride }, x),
  avg_pool_3x3: ({ x, stride }) => by(avgPool, { stride }, x),
  // Identity; at stride 2 half of the channels from the even pixels, half from the odd ones, batch norm.
  skip_connect({ x, stride, weight }) {
    if (stride === 1) return x;
    const phases = by(spaceToPhases, { relu: true }, x);
    return normed(by(pointwise, { groups: 2, inputGroups: 2, relu: false }, phases, weight("reduce")));
  },
  sep_conv_3x3: separable,
  sep_conv_5x5: separable,
  sep_conv_7x7: separable,
  dil_conv_3x3: dilated,
  dil_conv_5x5: dilated,
  // One image for all groups, drawn at once (RobustDARTS, arXiv 1909.09656).
  noise({ x: { type: { shape: [c, n, h, w] } }, stride, group: [name, groups, index] }) {
    const shape = [groups * c, n, Math.ceil(h / stride), Math.ceil(w / stride)] as const;
    const { data } = by(noise, { shape, stream: hashName(name) }, { type: dense([4], "i32"), data: KEY });
    const size = data.length / groups;
    return {
      type: image(c, ...shape.slice(1) as [number, number, number]),
      data: data.slice(index * size, (index + 1) * size),
    };
  },
  nor_conv_1x1: full(1),
  nor_conv_3x3: full(3),
};

/** Sizes of the depthwise convolutions, which the weights show. */
const KERNELS: Readonly<Record<string, readonly string[]>> = {
  sep_conv_3x3: ["dw1 3x3", "dw2 3x3"],
  sep_conv_5x5: ["dw1 5x5", "dw2 5x5"],
  sep_conv_7x7: ["dw1 7x7", "dw2 7x7"],
  dil_conv_3x3: ["dw 3x3"],
  dil_conv_5x5: ["dw 5x5"],
};

/** Primitives that the supernet normalises besides (DARTS' public code). */
const NORMED_IN_SUPERNET = ["max_pool_3x3", "avg_pool_3x3"];

const KEY = Float64Array.of(5, 6, 7, 8);
const EDGES = 2, C = 4;

Deno.test("primitives: the test knows each of them", () => {
  assert.deepEqual(PRIMITIVES.map(({ name }) => name), Object.keys(STANDARD));
});

/** Values for the variables of an arena; those of a supernet's are the first, others are cut out of them. */
type Contents = Map<Arena, Float32Array<ArrayBuffer>>;

/** A variable's logical values. */
function valueOf(contents: Contents, arena: Arena, name: string): Value {
  const { type, offset } = arena.get(name);
  return { type, data: Float64Array.from(contents.get(arena)!.subarray(offset, offset + elementCount(type))) };
}

/** Group `index` of `groups` of a variable: some of its rows, or of its columns where it holds statistics `[2, C]`. */
function groupOf({ type: { shape }, data }: Value, groups: number, index: number, statistics = false): Value {
  const rows = statistics ? shape[0] : 1, size = data.length / rows / groups;
  const parts = Array.from(
    { length: rows },
    (_, r) => [...data.subarray((r * groups + index) * size).subarray(0, size)],
  );
  const own = statistics ? [shape[0], shape[1] / groups] : [shape[0] / groups, ...shape.slice(1)];
  return { type: dense(own), data: Float64Array.from(parts.flat()) };
}

for (const stride of [1, 2] as const) {
  Deno.test(`primitives: each is its standard in both networks, ${EDGES} edges of all together, stride ${stride}`, async () => {
    const graph = new Graph(), variables = new NetworkVariables(), builder = new Builder(graph, variables, true);
    const type = image(C, 3, 5, 7), x = graph.input("x", type), results: Record<string, Tensor> = {};
    const building = PRIMITIVES.map((primitive) =>
      buildOnEdges(primitive, { builder, x, name: `super.${primitive.name}`, edges: EDGES, stride })
    );
    const shared = new Set<string>();
    buildTogether(builder, building, C, "super").forEach((output, i) => {
      const { name } = PRIMITIVES[i];
      assert.equal(output === null, name === "none", name);
      if (!output) return;
      const { z, stats } = output, attrs = { eps: BN_EPS, batch: true };
      results[`super.${name}`] = stats ? graph.apply1(normalize, [z, stats], attrs, `super.${name}.done`) : z;
      if (output.shared) shared.add(name);
    });
    assert.deepEqual([...shared], ["max_pool_3x3", "avg_pool_3x3", ...stride === 1 ? ["skip_connect"] : []]);
    for (const primitive of PRIMITIVES) {
      for (let e = 0; e < EDGES; e++) {
        const name = `derived${e}.${primitive.name}`, y = buildOnEdge(primitive, { builder, x, name, stride });
        assert.equal(y === null, primitive.name === "none");
        assert.equal(y === x, primitive.name === "skip_connect" && stride === 1, "the identity is the source itself");
        if (y) results[name] = y;
      }
    }
    const kept = Object.fromEntries(Object.entries(results).filter(([, t]) => t !== x));
    const pool = new Pool(), plan = planProgram("primitives", graph, kept, gpu.limits, pool);
    const { weights } = variables, contents: Contents = new Map([[weights, variables.initialWeights(1)]]);
    for (const { name, type, offset } of weights.variables) {
      const match = /^derived(\d)\.(.*)$/.exec(name);
      if (!match || /\.(gamma|beta)$/.test(name)) continue;
      const group = groupOf(valueOf(contents, weights, `super.${match[2]}`), EDGES, Number(match[1]));
      assert.deepEqual(group.type.shape, type.shape, name);
      contents.get(weights)!.set(group.data, offset);
    }
    const random = new Random(1, "primitives"), data = new Float64Array(elementCount(type)).map(() => random.normal());
    const source: Value = { type, data: Float64Array.from(data, Math.fround) };
    const runtime = await Runtime.create(gpu, [plan], pool);
    try {
      runtime.write(weights, contents.get(weights)!);
      runtime.run("primitives", {
        x: pack(type, source.data) as Float32Array<ArrayBuffer>,
        [NOISE_INPUT]: Int32Array.from(KEY),
      });
      const read = async (name: string): Promise<Value> =>
        results[name] === x ? source : {
          type: results[name].type,
          data: unpack(results[name].type, await runtime.readResult("primitives", name)),
        };
      for (const { name } of PRIMITIVES.filter(({ name }) => name !== "none")) {
        const together = await read(`super.${name}`), groups = shared.has(name) ? 1 : EDGES;
        for (let e = 0; e < EDGES; e++) {
          const weight = (layer: string) => groupOf(valueOf(contents, weights, `super.${name}.${layer}`), EDGES, e);
          const kernels = KERNELS[name]?.map((text) => text.split(" ")[0])
            .map((layer) => `${layer} ${weight(layer).type.shape.slice(1).join("x")}`);
          assert.deepEqual(kernels, KERNELS[name]);
          const tolerance = name === "noise" ? 1e-3 : 2e-5;
          const expected = (group: EdgeCase["group"]) => STANDARD[name]({ x: source, stride, weight, group })!;
          const own = expected([`super.${name}`, EDGES, e]),
            done = NORMED_IN_SUPERNET.includes(name) ? normed(own) : own;
          const actual = groupOf(together, groups, groups === 1 ? 0 : e);
          compare(`${name} on edge ${e} of a supernet`, actual.data, done.data, tolerance);
          const derived = await read(`derived${e}.${name}`), alone = expected([`derived${e}.${name}`, 1, 0]);
          assert.deepEqual(derived.type.shape, alone.type.shape, name);
          compare(`${name} of a derived network`, derived.data, alone.data, tolerance);
        }
      }
    } finally {
      runtime.destroy();
    }
  });
}

/** Small networks; odd sizes, a normal cell before and after the reductions. */
const SIZE = { channels: 4, cells: 4, classes: 3, inputChannels: 2, height: 9, width: 10 } as const, BATCH = 3;

/** Two nodes with everything but noise on every edge, in DARTS' skeleton. */
const SPACE: Space = {
  name: "all",
  summary: "all primitives but noise",
  nodes: 2,
  primitives: PRIMITIVES.map(({ name }) => name).filter((name) => name !== "noise"),
};

/** Genotypes that take `ops` in turn, at each stride by itself. Node 1 leaves out another edge each time. */
function genotypesOf(ops: readonly string[], count: number): Genotype[] {
  const next = { 1: 0, 2: 0 };
  const nodes = (kind: CellKind, left: number): Choice[][] => {
    const choice = (from: number): Choice => ({ op: ops[next[strideOf(kind, from)]++ % ops.length], from });
    return [[choice(0), choice(1)], [0, 1, 2].filter((from) => from !== left).map(choice)];
  };
  return Array.from(
    { length: count },
    (_, i) => genotypeOf(SPACE, { normal: nodes("normal", i % 3), reduce: nodes("reduce", (i + 2) % 3) }),
  );
}

/** The stride of an edge in DARTS' cells. */
const strideOf = (kind: CellKind, from: number): 1 | 2 => kind === "reduce" && from < 2 ? 2 : 1;

/** One row for each edge of a kind of cell: weight 1 on the operations that are kept there, 0 on all others. */
function oneHot(space: Space, genotype: Genotype, kind: CellKind): Float32Array<ArrayBuffer> {
  const width = space.primitives.length, inputs = space.skeleton ? 1 : 2;
  const values = edgesOf(space).flatMap(({ from, to }) => {
    const kept = genotype[kind].nodes[to - inputs].filter((choice) => choice.from === from).map(({ op }) => op);
    return space.primitives.map((op) => kept.includes(op) ? 1 : 0);
  });
  return pack(dense([values.length / width, width]), Float64Array.from(values)) as Float32Array<ArrayBuffer>;
}

/** Where the supernet keeps what a derived network calls `name`: the name there, and which group of how many it is. */
function sourceOf(
  space: Space,
  genotype: Genotype,
  cells: number,
  name: string,
): [name: string, groups: number, index: number] {
  const match = /^(cells\.(\d+))\.node(\d+)\.(\d+)\.([a-z0-9_]+)(.*)$/.exec(name);
  if (!match) return [name, 1, 0];
  const [, path, cell, node, slot, op, rest] = match, inputs = space.skeleton ? 1 : 2;
  const kind = !space.skeleton && reductionCells(cells).includes(Number(cell)) ? "reduce" : "normal";
  const { from } = genotype[kind].nodes[Number(node)][Number(slot)], edges = outgoing(space, from);
  return [`${path}.from${from}.${op}${rest}`, edges.length, edges.findIndex(({ to }) => to === Number(node) + inputs)];
}

/** Logits of a supernet whose mixture is that of each genotype, and of the derived networks. */
async function bothWays(
  space: Space,
  genotypes: readonly Genotype[],
  training: boolean,
  size: Omit<NetworkConfig, "genotype" | "form">,
) {
  const pool = new Pool(), config: SupernetConfig = { ...size, space, nodeNorm: "none", batch: BATCH };
  const kinds = space.skeleton ? ["normal"] as const : CELL_KINDS, rows = edgesOf(space).length;
  const mixtureName = (kind: CellKind) => `mixture.${kind}`;
  const supernet = new NetworkVariables(), graph = new Graph();
  const weights = Object.fromEntries(
    kinds.map((kind) => [kind, graph.input(mixtureName(kind), dense([rows, space.primitives.length]))]),
  );
  const images = networkImages(graph, { ...size, form: "cifar", genotype: genotypes[0] }, BATCH);
  const { logits } = buildSupernet(new Builder(graph, supernet, training), config, images, weights);
  const plans = [finishProgram("supernet", graph, [], { logits }, gpu.limits, pool).plan];
  const random = new Random(3, "running"),
    contents: Contents = new Map([[supernet.weights, supernet.initialWeights(3)]]);
  const running = supernet.initialRunning();
  for (const { name, type: { shape: [, channels] }, offset } of supernet.running.variables) {
    const pooled = NORMED_IN_SUPERNET.some((op) => name.endsWith(op)); // these must leave pools as they are
    for (let c = 0; c < channels; c++) {
      running[offset + c] = pooled ? 0 : random.uniform() - 0.5;
      running[offset + channels + c] = pooled ? 1 - BN_EPS : 0.5 + random.uniform();
    }
  }
  contents.set(supernet.running, running);
  genotypes.forEach((genotype, i) => {
    const variables = new NetworkVariables(), graph = new Graph();
    const network: NetworkConfig = { ...size, form: "cifar", genotype }, images = networkImages(graph, network, BATCH);
    const { logits } = buildNetwork(new Builder(graph, variables, training), network, images);
    plans.push(finishProgram(`derived${i}`, graph, [], { logits }, gpu.limits, pool).plan);
    const own = [[variables.weights, variables.initialWeights(3)], [
      variables.running,
      variables.initialRunning(),
    ]] as const;
    own.forEach(([arena, data], statistics) => {
      const whole = statistics ? supernet.running : supernet.weights;
      for (const { name, type: { shape }, offset } of arena.variables) {
        const [there, groups, index] = sourceOf(space, genotype, size.cells, name);
        if (!whole.find(there)) {
          assert.match(name, /\.(gamma|beta)$/, `the supernet has no ${there}`); // 1 and 0
          continue;
        }
        const value = groupOf(valueOf(contents, whole, there), groups, index, statistics === 1);
        assert.deepEqual(value.type.shape, shape, name);
        data.set(value.data, offset);
      }
      contents.set(arena, data);
    });
  });
  const runtime = await Runtime.create(gpu, plans, pool);
  try {
    for (const [arena, data] of contents) runtime.write(arena, data);
    const { type } = images, values = new Float64Array(elementCount(type)).map(() => random.normal());
    const pixels = pack(type, values) as Float32Array<ArrayBuffer>;
    const run = async (program: string, inputs: Record<string, Float32Array<ArrayBuffer>>) => {
      runtime.run(program, { images: pixels, ...inputs });
      return (await runtime.readResult(program, "logits")).slice(0, BATCH * size.classes);
    };
    const outcomes = [];
    for (const [i, genotype] of genotypes.entries()) {
      const mixture = kinds.map((kind) => [mixtureName(kind), oneHot(space, genotype, kind)]);
      outcomes.push([await run("supernet", Object.fromEntries(mixture)), await run(`derived${i}`, {})] as const);
    }
    return outcomes;
  } finally {
    runtime.destroy();
  }
}

const POOLED = SPACE.primitives.filter((op) => op !== "none"), UNPOOLED = POOLED.filter((op) => !op.includes("pool"));

for (const [training, ops] of [[true, UNPOOLED], [false, POOLED]] as const) {
  const what = training ? "the batch's statistics, without pools" : "running statistics";
  Deno.test(`a supernet with all the weight on one candidate of each edge is the derived network: ${what}`, async () => {
    const genotypes = genotypesOf(ops, 5), seen = new Set<string>();
    for (const kind of CELL_KINDS) {
      for (const { op, from } of genotypes.flatMap((genotype) => genotype[kind].nodes.flat())) {
        seen.add(`${op} ${strideOf(kind, from)}`);
      }
    }
    assert.equal(seen.size, 2 * ops.length, "every operation at both strides");
    const outcomes = await bothWays(SPACE, genotypes, training, SIZE);
    outcomes.forEach(([supernet, derived], i) => compare(`logits of cell ${i}`, derived, supernet, 1e-4));
    outcomes.slice(1).forEach(([logits], i) => {
      assert.throws(() => compare("", logits, outcomes[i][0], 1e-2), "other cells give other logits");
    });
  });
}

for (const [training, ops] of [[true, UNPOOLED], [false, POOLED]] as const) {
  const what = training ? "the batch's statistics, without pools" : "running statistics";
  Deno.test(`a supernet in which two operations of one edge weigh is the network of both: ${what}`, async () => {
    const genotypes = [0, 3].map((first) => {
      let next = first;
      const both = (from: number): Choice[] => [0, 1].map(() => ({ op: ops[next++ % ops.length], from }));
      const nodes = (): Choice[][] => [both(0), both(next % 3)];
      return genotypeOf(SPACE, { normal: nodes(), reduce: nodes() });
    });
    for (const { normal, reduce } of genotypes) {
      for (const [a, b] of [...normal.nodes, ...reduce.nodes]) assert.ok(a.from === b.from && a.op !== b.op);
    }
    const outcomes = await bothWays(SPACE, genotypes, training, SIZE);
    outcomes.forEach(([supernet, derived], i) => compare(`logits of cell ${i}`, derived, supernet, 1e-4));
    assert.throws(() => compare("", outcomes[0][0], outcomes[1][0], 1e-2), "other cells give other logits");
    // One of the two alone is another network: both count.
    const single = genotypes.map(({ normal, reduce }) => {
      const first = (cell: typeof normal): Choice[][] =>
        cell.nodes.map(([a]) => [a, { op: a.op, from: a.from === 0 ? 1 : 0 }]);
      return genotypeOf(SPACE, { normal: first(normal), reduce: first(reduce) });
    });
    const others = await bothWays(SPACE, single, training, SIZE);
    others.forEach(([logits], i) => assert.throws(() => compare("", logits, outcomes[i][0], 1e-2)));
  });
}

Deno.test("a supernet with all the weight on one candidate of each edge is the derived network: NAS-Bench-201", async () => {
  const genotypes = ["nor_conv_3x3", "skip_connect"].map((first) => {
    const cell = [[first], ["none", "nor_conv_1x1"], ["avg_pool_3x3", "skip_connect", "nor_conv_3x3"]];
    return genotypeOf(NAS_BENCH_201, { normal: cell.map((ops) => ops.map((op, from) => ({ op, from }))), reduce: [] });
  });
  const outcomes = await bothWays(NAS_BENCH_201, genotypes, false, { ...SIZE, height: 8, width: 12 });
  outcomes.forEach(([supernet, derived], i) => compare(`logits of cell ${i}`, derived, supernet, 1e-4));
  assert.throws(() => compare("", outcomes[0][0], outcomes[1][0], 1e-2), "other cells give other logits");
});

Deno.test("primitives whose layers no supernet can build are refused with the layer's name", () => {
  const builder = new Builder(new Graph(), new NetworkVariables(), true),
    x = builder.graph.input("x", image(4, 1, 4, 4));
  const build = (layers: Primitive["layers"]) => {
    const building = buildOnEdges({ ...PRIMITIVES[0], layers }, { builder, x, name: "p", edges: 2, stride: 1 });
    return () => buildTogether(builder, [building], 4, "p");
  };
  const norm = { kind: "batch-norm", where: "everywhere", name: "bn" } as const;
  const deep = { kind: "depthwise", name: "dw", size: 3, dilation: 1 } as const;
  const full = { kind: "convolution", name: "conv", size: 3 } as const,
    point = { kind: "pointwise", name: "pw" } as const;
  const refused = (layers: Primitive["layers"], kind: string) =>
    assert.throws(build(layers), {
      name: "RangeError",
      message: new RegExp(`primitive 'none' .* layer ${kind}: a batch`),
    });
  refused([point, norm], "pointwise");
  refused([deep, point], "pointwise");
  refused([deep, point, deep], "depthwise");
  refused([{ kind: "pool", of: "max" }], "pool");
  refused([full, norm, norm], "batch-norm");
  refused([deep, full], "convolution");
  refused([full, norm, { kind: "reduction", name: "r" }], "reduction");
  assert.doesNotThrow(build([deep, deep, norm]));
});
