/**
 * Kernels and their WGSL files agree on every name: each case of each operation is expanded for CPUs and GPUs, without a
 * device.
 */
import assert from "node:assert/strict";
import { shaderLines } from "../src/commands/shader_lines.ts";
import { type GpuLimits, PORTABLE_LIMITS } from "../src/gpu/device.ts";
import { PLAIN_DIALECT, shaderText } from "../src/gpu/shader_text.ts";
import { bf16Bindings } from "../src/graph/shaders.ts";
import type { Graph, Node } from "../src/graph/graph.ts";
import type { Dispatch } from "../src/graph/op.ts";
import { caseGraphs } from "../src/ops/check.ts";
import { resolveSearchConfig } from "../src/search/config.ts";
import { planSearch } from "../src/search/programs.ts";
import { PC_DARTS_IMAGE } from "../src/space/published.ts";
import { DARTS } from "../src/space/space.ts";
import { resolveTrainConfig } from "../src/train/config.ts";
import { planTraining } from "../src/train/programs.ts";
import { networkConfig } from "../src/train/setup.ts";
import { OPERATIONS } from "../src/ops/registry.ts";

const LIMITS = [
  PORTABLE_LIMITS,
  { ...PORTABLE_LIMITS, software: true, subgroupSize: 8, maxStorageBuffersPerShaderStage: 16 },
];

/** Variants that were expanded. */
const seen = new Set<string>();

/** What is wrong with the dispatches of a node. */
function expandAll(node: Node, dispatches: readonly Dispatch[], { software }: GpuLimits): string[] {
  return dispatches.flatMap((dispatch) => {
    const { kernel, interface: bound, constants } = dispatch;
    try {
      const bf16 = new Set(bf16Bindings(node, dispatch).map((i) => bound.arrays[i].name));
      const key = JSON.stringify([kernel.name, bound, constants, [...bf16], software]);
      if (seen.has(key)) return [];
      seen.add(key);
      shaderText(kernel, bound, constants, bf16, { words64: software, enableSubgroups: true });
      return [];
    } catch (error) {
      return [`${node.op.name}: ${(error as Error).message}`];
    }
  });
}

function check(graph: Graph): string[] {
  return graph.nodes.flatMap((node) =>
    LIMITS.flatMap((limits) => {
      const types = { inputs: node.inputs.map((t) => t.type), outputs: node.outputs.map((t) => t.type) };
      const kernels = node.op.kernels({ ...types, attrs: node.attrs, limits });
      const plans = "dispatches" in kernels ? [kernels] : kernels.map((variant) => variant.plan());
      return plans.flatMap(({ dispatches }) => expandAll(node, dispatches, limits));
    })
  );
}

Deno.test("every case of every operation expands, and reads each name that it is given", () => {
  const problems = OPERATIONS.flatMap((op) =>
    (op.cases?.() ?? []).flatMap((testCase) =>
      (["f32", "bf16"] as const).flatMap((precision) => caseGraphs(op, testCase, precision).flatMap(check))
    )
  );
  assert.deepEqual([...new Set(problems)], []);
});

Deno.test("the shaders of whole searches and trainings expand as well", () => {
  const sizes = { space: DARTS, classes: 3, inputChannels: 3, channels: 4, cells: 3, batch: 4, height: 12, width: 10 };
  const optimizer = resolveSearchConfig({}),
    training = resolveTrainConfig({ initChannels: 8, cells: 3, optimizer: "muon" });
  const network = networkConfig(training, PC_DARTS_IMAGE, { classes: 3, channels: 3, height: 12, width: 10 });
  const problems: string[] = [];
  for (const limits of LIMITS) {
    for (const nodeNorm of ["rms", "sample", "batch"] as const) {
      for (const precision of ["f32", "bf16"] as const) {
        const search = planSearch({ ...sizes, nodeNorm, precision }, optimizer, limits);
        const plans = [...search.plans, ...planTraining(network, 4, { ...training, precision }, limits).plans];
        const nodes = plans.flatMap((plan) => plan.nodes);
        problems.push(...nodes.flatMap(({ node, dispatches }) => expandAll(node, dispatches, limits)));
      }
    }
  }
  assert.deepEqual([...new Set(problems)], []);
});

Deno.test("the expanded text of a kernel: of a search, else of a case, else the names that there are", () => {
  const sizes = { space: DARTS, classes: 3, inputChannels: 3, channels: 4, cells: 3, batch: 4, height: 12, width: 10 };
  const { plans } = planSearch({ ...sizes, nodeNorm: "rms" }, resolveSearchConfig({}), PORTABLE_LIMITS);
  const of = (name: string) => shaderLines(name, plans, PORTABLE_LIMITS, PLAIN_DIALECT);
  const own = of("adam"), other = of("window_mean");
  assert.match(own[0], /^\/\/ adam, variant 1 of 1: adam at '.*' \(f32\[/);
  assert(own.some((line) => /^const LENGTH = \d+;$/.test(line)));
  assert(own.some((line) => line.includes("fn main(")));
  assert(other.filter((line) => line.startsWith("// window_mean, variant")).length > 2);
  assert.throws(() => of("adams"), /Cannot print shader 'adams' .*: name one of accumulate_tally, adam, add_n, /);
});
