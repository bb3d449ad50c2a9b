/**
 * Kernels and their WGSL files agree on every name: each case of each operation is expanded for CPUs and GPUs, without a
 * device.
 */
import assert from "node:assert/strict";
import { PORTABLE_LIMITS } from "../src/gpu/device.ts";
import { shaderText } from "../src/gpu/shader_text.ts";
import { bf16Bindings } from "../src/graph/shaders.ts";
import { Graph } from "../src/graph/graph.ts";
import type { OpCase, OpSpec } from "../src/graph/op.ts";
import { type Precision, storedAs } from "../src/graph/tensor_type.ts";
import { gradientGraphs } from "../src/ops/check.ts";
import { OPERATIONS } from "../src/ops/registry.ts";

const LIMITS = [
  PORTABLE_LIMITS,
  { ...PORTABLE_LIMITS, software: true, subgroupSize: 8, maxStorageBuffersPerShaderStage: 16 },
];

function graphsOf(op: OpSpec, testCase: OpCase, precision: Precision): Graph[] {
  const graph = new Graph(precision), inputs = testCase.inputs.map((type) => storedAs(type, precision));
  graph.apply(op, inputs.map((type, i) => graph.input(`x${i}`, type)), testCase.attrs);
  return op.gradient
    ? [graph, ...gradientGraphs(op, { ...testCase, inputs }, precision).map(({ graph }) => graph)]
    : [graph];
}

function check(graph: Graph): string[] {
  const problems: string[] = [];
  for (const node of graph.nodes) {
    const context = {
      inputs: node.inputs.map((t) => t.type),
      outputs: node.outputs.map((t) => t.type),
      attrs: node.attrs,
    };
    for (const limits of LIMITS) {
      const kernels = node.op.kernels({ ...context, limits });
      const plans = "dispatches" in kernels ? [kernels] : kernels.map((variant) => variant.plan());
      for (const dispatch of plans.flatMap(({ dispatches }) => dispatches)) {
        const { kernel, interface: bound, constants } = dispatch;
        try {
          const bf16 = new Set(bf16Bindings(node, dispatch).map((i) => bound.arrays[i].name));
          shaderText(kernel, bound, constants, bf16, { words64: limits.software, enableSubgroups: true });
        } catch (error) {
          problems.push(`${node.op.name}: ${(error as Error).message}`);
        }
      }
    }
  }
  return problems;
}

Deno.test("every case of every operation expands, and reads each name that it is given", () => {
  const problems = OPERATIONS.flatMap((op) =>
    (op.cases?.() ?? []).flatMap((testCase) =>
      (["f32", "bf16"] as const).flatMap((precision) => graphsOf(op, testCase, precision).flatMap(check))
    )
  );
  assert.deepEqual([...new Set(problems)], []);
});
