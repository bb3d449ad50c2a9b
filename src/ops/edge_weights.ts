/**
 * What the mixed operations of a PC-DARTS supernet (arXiv 1907.05737) multiply by: the softmaxed alphas of an edge times
 * the weight of the edge among those that enter its node, and the weight of what bypasses the operations.
 * @module
 */
import { edgeWeights as source } from "./shader_texts.ts";
import { kernel, optional, read, table, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpCase, type OpSpec, output } from "../graph/op.ts";
import { dense, type TensorType } from "../graph/tensor_type.ts";
import { expectDense, expectInputs, expectInteger, expectShape } from "./expect.ts";
import { grid } from "./launch.ts";

const entering = table({ first: "u32", end: "u32" });
const shader = kernel("edge_weights", source, {
  buffers: { w: read("f32"), b: optional(read("f32")), y: write("f32") },
  params: { entering },
});
const gradShader = kernel("edge_weights", source, {
  buffers: {
    gy: read("f32"),
    w: optional(read("f32")),
    b: optional(read("f32")),
    gw: write("f32"),
    gb: optional(write("f32")),
  },
  params: { entering },
});

/** Attributes of {@linkcode edgeWeights}. */
export interface EdgeWeightsAttributes {
  /** Number of edges that enter each node, in order; null: there are no betas, every edge weighs 1. */
  readonly entering: readonly number[] | null;
  /** Whether a last column holds the weights of the edges themselves. */
  readonly bypass: boolean;
}

/** For every edge the first edge of its node and the one after the last. */
function spans(entering: readonly number[]): { first: number; end: number }[] {
  let first = 0;
  return entering.flatMap((count) => {
    const span = { first, end: first += count };
    return Array(count).fill(span);
  });
}

function check(w: TensorType, b: TensorType | undefined, { entering }: EdgeWeightsAttributes): [number, number] {
  const [edges, columns] = expectDense(w, "w", 2);
  if (entering) {
    entering.forEach((count, node) => expectInteger(count, `entering[${node}]`, 1));
    const sum = entering.reduce((a, n) => a + n, 0);
    if (sum !== edges) throw new RangeError(`attribute entering must add up to ${edges} edges: it is ${sum}`);
    expectShape(b!, "b", [edges]);
  }
  return [edges, columns];
}

function launch(w: TensorType, { entering, bypass }: EdgeWeightsAttributes, GRADIENT: boolean) {
  const [E, K] = w.shape;
  return {
    constants: { GRADIENT, BETAS: entering !== null, BYPASS: bypass, E, K, L: K + Number(bypass) },
    params: { entering: spans(entering ?? []) },
    workgroups: grid(E, 64).workgroups,
  };
}

/** Gradient of {@linkcode edgeWeights}: (gy, w, b) -> gw, gb where there are betas, gy -> gw where not. */
export const edgeWeightsGrad: OpSpec<EdgeWeightsAttributes> = {
  name: "edge_weights_grad",
  infer(inputs, attrs) {
    expectInputs(inputs, attrs.entering ? ["gy", "w", "b"] : ["gy"]);
    const [edges, wide] = expectDense(inputs[0], "gy", 2), w = dense([edges, wide - Number(attrs.bypass)]);
    if (!attrs.entering) return [w];
    expectShape(inputs[1], "w", w.shape);
    check(inputs[1], inputs[2], attrs);
    return inputs.slice(1);
  },
  kernels: ({ outputs, attrs }) => ({
    dispatches: [dispatch(gradShader, {
      ...launch(outputs[0], attrs, true),
      buffers: {
        gy: input(0),
        gw: output(0),
        ...(attrs.entering && { w: input(1), b: input(2), gb: output(1) }),
      },
    })],
  }),
  testedBy: "edge_weights",
};

/**
 * `(w [E, K], b [E] where there are betas) -> y [E, K or K + 1]`: `y[e, k] = s_e w[e, k]` and `y[e, K] = s_e`, where s
 * is the softmax of b over the edges that enter one node (PC-DARTS, arXiv 1907.05737, equation 2), or 1.
 */
export const edgeWeights: OpSpec<EdgeWeightsAttributes> = {
  name: "edge_weights",
  infer(inputs, attrs) {
    expectInputs(inputs, attrs.entering ? ["w", "b"] : ["w"]);
    const [edges, columns] = check(inputs[0], inputs[1], attrs);
    return [dense([edges, columns + Number(attrs.bypass)])];
  },
  kernels: ({ inputs, attrs }) => ({
    dispatches: [dispatch(shader, {
      ...launch(inputs[0], attrs, false),
      buffers: { w: input(0), ...(attrs.entering && { b: input(1) }), y: output(0) },
    })],
  }),
  gradient({ graph, node: { inputs, attrs }, grads: [gy] }) {
    if (!gy) return inputs.map(() => null);
    return graph.apply(edgeWeightsGrad, attrs.entering ? [gy, ...inputs] : [gy], attrs);
  },
  reference([w, b], [{ shape: [edges, columns] }], { entering, bypass }) {
    const s = new Float64Array(edges).fill(1);
    if (entering) {
      spans(entering).forEach(({ first, end }, e) => {
        const most = Math.max(...b.subarray(first, end));
        s[e] = Math.exp(b[e] - most) / b.subarray(first, end).reduce((sum, v) => sum + Math.exp(v - most), 0);
      });
    }
    const rows = Array.from(s, (share, e) => {
      const row = Array.from(w.subarray(e * columns, (e + 1) * columns), (v) => share * v);
      return bypass ? [...row, share] : row;
    });
    return [Float64Array.from(rows.flat())];
  },
  cases() {
    const made = (name: string, columns: number, entering: readonly number[], bypass: boolean, betas = true) => {
      const edges = entering.reduce((a, n) => a + n, 0);
      return {
        name,
        inputs: [dense([edges, columns]), ...(betas ? [dense([edges])] : [])],
        attrs: { entering: betas ? entering : null, bypass },
      };
    };
    const cases: OpCase<EdgeWeightsAttributes>[] = [
      made("DARTS", 8, [2, 3, 4, 5], false),
      made("DARTS with a bypass", 8, [2, 3, 4, 5], true),
      made("a bypass without betas", 7, [2, 3], true, false),
      made("one edge of one operation", 1, [1], true),
      { ...made("large betas", 3, [3, 2], true), fill: (i, _e, normal) => i === 1 ? 300 + 2 * normal : normal },
      made("more edges than a workgroup", 2, [30, 40], false),
    ];
    return cases;
  },
};
