/**
 * Every shader text that portable programs need, each once: all cases of all operations in every variant, searches in
 * all spaces, trainings of cells of all of them, in both precisions, for GPUs and for CPUs with and without subgroups.
 * Planned without a device.
 * @module
 */
import type { Gpu, GpuLimits } from "../../src/gpu/device.ts";
import { PORTABLE_LIMITS } from "../../src/gpu/device.ts";
import { PipelineCache } from "../../src/gpu/pipelines.ts";
import { Graph, type Node } from "../../src/graph/graph.ts";
import type { OpCase, OpSpec } from "../../src/graph/op.ts";
import { bf16Bindings } from "../../src/graph/shaders.ts";
import { type Precision, storedAs } from "../../src/graph/tensor_type.ts";
import { gradientGraphs } from "../../src/ops/check.ts";
import { OPERATIONS } from "../../src/ops/registry.ts";
import { resolveSearchConfig } from "../../src/search/config.ts";
import type { SearchOptions } from "../../src/search/options.ts";
import { planSearch } from "../../src/search/programs.ts";
import { supernetConfig } from "../../src/search/search.ts";
import type { NetworkConfig } from "../../src/space/derived.ts";
import type { Genotype } from "../../src/space/genotype.ts";
import { DARTS_V2, PUBLISHED_GENOTYPES } from "../../src/space/published.ts";
import { randomGenotype } from "../../src/space/random_genotype.ts";
import { SPACES } from "../../src/space/space.ts";
import { resolveTrainConfig } from "../../src/train/config.ts";
import { planTraining } from "../../src/train/programs.ts";

/** A shader and what to say of it. */
export interface Module {
  readonly code: string;
  /** Its name, and the first place that needs it. */
  readonly where: string;
  /** Whether adapters without more bindings than all have may need it. */
  readonly portable: boolean;
}

/** Adapters that programs are planned for. */
const ADAPTERS: Readonly<Record<string, GpuLimits>> = {
  "a GPU": PORTABLE_LIMITS,
  "a GPU with more bindings": { ...PORTABLE_LIMITS, maxStorageBuffersPerShaderStage: 16 },
  "a CPU": { ...PORTABLE_LIMITS, software: true },
  "a CPU with subgroups": { ...PORTABLE_LIMITS, software: true, subgroupSize: 8, maxStorageBuffersPerShaderStage: 32 },
};

const PRECISIONS: readonly Precision[] = ["f32", "bf16"];

/** Collects shaders. */
class Collector {
  readonly modules = new Map<string, Module>();
  // Only WebGPU's own words: no 64-bit integers, and `enable subgroups;` where it is wanted.
  readonly #cache = new PipelineCache({ features: [], enableSubgroups: true } as unknown as Gpu);
  readonly #nodes = new Set<string>();

  /** Every kernel that a node may be run with, on any adapter. */
  node(node: Node, where: string): void {
    const { op, attrs } = node, inputs = node.inputs.map((t) => t.type), outputs = node.outputs.map((t) => t.type);
    const key = JSON.stringify([op.name, attrs, inputs, outputs]);
    if (this.#nodes.has(key)) return;
    this.#nodes.add(key);
    for (const [adapter, limits] of Object.entries(ADAPTERS)) {
      const kernels = op.kernels({ inputs, outputs, attrs, limits });
      const plans = "dispatches" in kernels ? [kernels] : kernels.map((variant) => variant.plan());
      for (const dispatch of plans.flatMap(({ dispatches }) => dispatches)) {
        const { name, code } = this.#cache.variant(dispatch, bf16Bindings(node, dispatch));
        const portable = limits.maxStorageBuffersPerShaderStage === PORTABLE_LIMITS.maxStorageBuffersPerShaderStage;
        if (this.modules.has(code) && !portable) continue;
        this.modules.set(code, { code, where: `${name} for ${where} on ${adapter}`, portable });
      }
    }
  }
}

function addOperations(collector: Collector): void {
  const graphs = (op: OpSpec, testCase: OpCase, precision: Precision): Graph[] => {
    const graph = new Graph(precision), inputs = testCase.inputs.map((type) => storedAs(type, precision));
    graph.apply(op, inputs.map((type, i) => graph.input(`x${i}`, type)), testCase.attrs);
    const backward = op.gradient ? gradientGraphs(op, { ...testCase, inputs }, precision) : [];
    return [graph, ...backward.map((each) => each.graph)];
  };
  for (const op of OPERATIONS) {
    for (const testCase of op.cases?.() ?? []) {
      for (const precision of PRECISIONS) {
        for (const graph of graphs(op, testCase, precision)) {
          for (const node of graph.nodes) collector.node(node, `${op.name}: ${testCase.name}, ${precision}`);
        }
      }
    }
  }
}

const DIGITS = { channels: 1, height: 28, width: 28, classes: 10 },
  PHOTOS = { channels: 3, height: 32, width: 32, classes: 10 };

/** What changes the programs of a search. */
const SEARCHES: readonly (readonly [SearchOptions, typeof DIGITS])[] = [
  [{}, DIGITS],
  [{ nodeNorm: "none", order: 2 }, DIGITS],
  [{ edgeWeights: true, partialChannels: 4 }, PHOTOS],
];

function addSearches(collector: Collector): void {
  for (const space of SPACES) {
    for (const [values, shape] of SEARCHES) {
      for (const precision of PRECISIONS) {
        const config = resolveSearchConfig({
          ...values,
          precision,
          initChannels: 8,
          cells: 5,
          batchSize: 16,
        });
        const { plans } = planSearch({ ...supernetConfig(config, shape), space }, config, PORTABLE_LIMITS);
        const where = `a search in ${space.name} (${JSON.stringify(values)}, ${precision})`;
        for (const { node } of plans.flatMap(({ nodes }) => nodes)) collector.node(node, `${node.label} of ${where}`);
      }
    }
  }
}

function addTrainings(collector: Collector): void {
  const cells: [string, Genotype][] = [
    ...SPACES.flatMap((space) =>
      [0, 1].map((i): [string, Genotype] => [`${space.name} ${i}`, randomGenotype(space, 20, i)])
    ),
    ...Object.entries(PUBLISHED_GENOTYPES),
  ];
  const size = { channels: 16, cells: 5, classes: 10, inputChannels: 3, height: 32, width: 32 };
  const networks: [string, NetworkConfig][] = [
    ...cells.map(([name, genotype]): [string, NetworkConfig] => [name, { ...size, genotype, form: "cifar" }]),
    ["DARTS_V2, imagenet", { ...size, genotype: DARTS_V2, form: "imagenet", height: 64, width: 64 }],
  ];
  for (const [name, network] of networks) {
    for (const precision of PRECISIONS) {
      const config = resolveTrainConfig({ labelSmoothing: 0.1, precision });
      const { plans } = planTraining(network, 16, config, PORTABLE_LIMITS);
      const where = `a training of ${name} (${precision})`;
      for (const { node } of plans.flatMap(({ nodes }) => nodes)) collector.node(node, `${node.label} of ${where}`);
    }
  }
}

/** All of them. */
export function collectModules(): Module[] {
  const collector = new Collector();
  addOperations(collector);
  addSearches(collector);
  addTrainings(collector);
  return [...collector.modules.values()];
}
