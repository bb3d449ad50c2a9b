/**
 * Folds batch norms of an ONNX graph into the convolutions before them.
 * @module
 */
import type { OnnxGraph } from "./onnx_graph.ts";

/**
 * Folds every batch norm that is the only user of a convolution into the convolution's weights and bias:
 * `w' = w s`, `b' = (b - mean) s + shift` with `s = scale / sqrt(var + eps)` for every output channel. Batch norms
 * of other values (of pools) stay.
 */
export function foldBatchNorms(graph: OnnxGraph): OnnxGraph {
  const nodes = new Map(graph.nodes.map((n) => [n.name, n]));
  const constants = new Map(graph.constants.map((t) => [t.name, t])), users = new Map<string, number>();
  const uses = [...graph.nodes.flatMap((n) => n.inputs), ...graph.outputs.map((o) => o.name)];
  uses.forEach((name) => users.set(name, (users.get(name) ?? 0) + 1));
  const gone = new Set<string>(), known = new Map<string, readonly [weight: string, bias: string]>();
  for (const norm of graph.nodes) {
    const conv = nodes.get(norm.inputs[0]);
    if (norm.operator !== "BatchNormalization" || conv?.operator !== "Conv" || users.get(conv.name) !== 1) continue;
    const [x, weight, bias] = conv.inputs, all = [...norm.inputs.slice(1), ...conv.inputs.slice(1)];
    if (!all.every((name) => constants.get(name)?.data instanceof Float32Array)) continue;
    const floats = (name: string) => constants.get(name)!.data as Float32Array;
    const [scale, shift, mean, variance] = norm.inputs.slice(1).map(floats), w = constants.get(weight)!;
    const { float: epsilon } = norm.attributes.epsilon as { float: number };
    const factors = Float64Array.from(scale, (v, c) => v / Math.sqrt(variance[c] + epsilon));
    const perChannel = w.data.length / factors.length, old = bias === undefined ? undefined : floats(bias);
    const added = shift.map((v, c) => v + ((old?.[c] ?? 0) - mean[c]) * factors[c]);
    // A weight may serve several convolutions: those with equal norms (of a mirrored network) share what is folded.
    const key = [weight, ...factors, ...added].join(),
      names = known.get(key) ?? [
        `${norm.name}.folded_weight`,
        `${norm.name}.folded_bias`,
      ] as const;
    if (!known.has(key)) {
      const data = floats(weight).map((v, i) => v * factors[Math.floor(i / perChannel)]);
      constants.set(names[0], { name: names[0], shape: w.shape, data });
      constants.set(names[1], { name: names[1], shape: [factors.length], data: added });
      known.set(key, names);
    }
    nodes.set(norm.name, { ...conv, name: norm.name, inputs: [x, ...names] });
    gone.add(conv.name);
  }
  const left = graph.nodes.filter((n) => !gone.has(n.name)).map((n) => nodes.get(n.name)!);
  const used = new Set(left.flatMap((n) => n.inputs));
  return { ...graph, nodes: left, constants: [...constants.values()].filter((t) => used.has(t.name)) };
}
