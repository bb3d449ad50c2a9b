/**
 * The expanded text of a kernel, as `inspect --shader` prints it: the variants that a search uses, or else those of the
 * cases of the operations.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import type { GpuLimits } from "../gpu/device.ts";
import { type Dialect, shaderText } from "../gpu/shader_text.ts";
import type { Node } from "../graph/graph.ts";
import type { Dispatch } from "../graph/op.ts";
import { type Plan, variantsOf } from "../graph/plan.ts";
import { bf16Bindings } from "../graph/shaders.ts";
import { typeText } from "../graph/tensor_type.ts";
import { caseGraphs } from "../ops/check.ts";
import { OPERATIONS } from "../ops/registry.ts";

/** A dispatch of a node. */
type Use = readonly [node: Node, dispatch: Dispatch];

const planned = (plans: readonly Plan[]): Use[] =>
  plans.flatMap(({ nodes }) => nodes.flatMap(({ node, dispatches }) => dispatches.map((d): Use => [node, d])));

/** What the cases of the operations run, with images as bf16. */
function ofCases(limits: GpuLimits): Use[] {
  const graphs = OPERATIONS.flatMap((op) => (op.cases?.() ?? []).flatMap((of) => caseGraphs(op, of, "bf16")));
  return graphs.flatMap(({ nodes }) =>
    nodes.flatMap((node) => {
      const context = {
        ...{ inputs: node.inputs.map((t) => t.type), outputs: node.outputs.map((t) => t.type) },
        ...{ attrs: node.attrs, limits },
      };
      const kernels = node.op.kernels(context);
      const ways = "dispatches" in kernels ? [kernels] : variantsOf(node.op, context).map((variant) => variant.plan());
      return ways.flatMap(({ dispatches }) => dispatches.map((d): Use => [node, d]));
    })
  );
}

/**
 * WGSL of every variant of kernel `name`, with a comment of who uses it first.
 * @throws {UsageError} with the names that there are.
 */
export function shaderLines(name: string, plans: readonly Plan[], limits: GpuLimits, dialect: Dialect): string[] {
  const used = planned(plans), uses = used.some(([, { kernel }]) => kernel.name === name) ? used : ofCases(limits);
  const variants = new Map<string, string>();
  for (const [node, dispatch] of uses) {
    const { kernel, interface: bound, constants } = dispatch;
    if (kernel.name !== name) continue;
    const bf16 = new Set(bf16Bindings(node, dispatch).map((i) => bound.arrays[i].name));
    const { code } = shaderText(kernel, bound, constants, bf16, dialect);
    const operands = node.inputs.map(({ type }) => typeText(type)).join(", ");
    if (!variants.has(code)) variants.set(code, `${node.op.name} at '${node.label}' (${operands})`);
  }
  if (variants.size === 0) {
    const names = new Set([...used, ...uses].map(([, { kernel }]) => kernel.name));
    throw new UsageError(
      `Cannot print shader '${name}' as there is no such kernel: name one of ${[...names].sort().join(", ")}`,
    );
  }
  return [...variants].flatMap(([code, user], i) => [
    ...(i > 0 ? [""] : []),
    `// ${name}, variant ${i + 1} of ${variants.size}: ${user}`,
    ...code.split("\n"),
  ]);
}
