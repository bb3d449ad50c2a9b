/**
 * One Adam step (Kingma and Ba, arXiv 1412.6980) over a flat arena of parameters.
 * @module
 */
import { adam as source } from "./shader_texts.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpSpec, output } from "../graph/op.ts";
import { dense } from "../graph/tensor_type.ts";
import { boundHyper, hyperRecord } from "./hyper.ts";
import { expectArenas, overArena } from "./sgd.ts";

const shader = kernel("adam", source, {
  buffers: {
    param: write("vec4f"),
    grad: read("vec4f"),
    mean: write("vec4f"),
    variance: write("vec4f"),
    hyper: hyperRecord,
  },
});

/** Attributes of {@linkcode adam}. */
export interface AdamAttributes {
  /** Decay of the first moment. */
  readonly beta1: number;
  /** Decay of the second moment. */
  readonly beta2: number;
  /** Added to the root of the second moment. */
  readonly eps: number;
  /** L2 penalty, added to the gradient (not decoupled). */
  readonly weightDecay: number;
}

/**
 * `(params, grads, m, v [L], hyper [8]) -> params, m, v`, in place, as `torch.optim.Adam`; of hyper it
 * takes `alphaLr` and the corrections `alphaCorrection1` and `alphaCorrection2`.
 */
export const adam: OpSpec<AdamAttributes> = {
  name: "adam",
  infer([params, grads, m, v, hyper]) {
    expectArenas([params, grads, m, v], hyper);
    return [params, m, v];
  },
  kernels({ inputs: [params], attrs: { beta1, beta2, eps, weightDecay } }) {
    const { constants, workgroups } = overArena(params);
    return {
      dispatches: [dispatch(shader, {
        constants: {
          ...constants,
          BETA1: beta1,
          REST1: 1 - beta1,
          BETA2: beta2,
          REST2: 1 - beta2,
          EPS: eps,
          DECAY: weightDecay,
        },
        buffers: { param: output(0), grad: input(1), mean: output(1), variance: output(2), hyper: boundHyper(4) },
        workgroups,
      })],
    };
  },
  inPlace: () => ({ 0: 0, 1: 2, 2: 3 }),
  reference([params, grads, m, v, hyper], _types, { beta1, beta2, eps, weightDecay }) {
    const g = grads.map((d, i) => d + weightDecay * params[i]);
    const m1 = m.map((a, i) => beta1 * a + (1 - beta1) * g[i]);
    const v1 = v.map((a, i) => beta2 * a + (1 - beta2) * g[i] ** 2);
    const p1 = params.map((p, i) =>
      p - hyper[1] / hyper[2] * m1[i] /
        (Math.sqrt(v1[i]) / Math.sqrt(hyper[3]) + eps)
    );
    return [p1, m1, v1];
  },
  cases: () =>
    [[1, 1], [112, 1], [112, 50], [4096, 3], [70_001, 1000]].map(
      ([length, t]) => {
        const arena = dense([length]), beta1 = 0.5, beta2 = 0.999;
        const hyper = [1e9, 0.03, 1 - beta1 ** t, 1 - beta2 ** t];
        return {
          name: `${length} elements, step ${t}`,
          inputs: [arena, arena, arena, arena, dense([8])],
          attrs: { beta1, beta2, eps: 1e-8, weightDecay: 1e-3 },
          fill: (index: number, e: number, normal: number, u: number) =>
            index === 4 ? hyper[e] ?? 1e9 : t === 1 && (index === 2 || index === 3) ? 0 : index === 3 ? u : normal,
        };
      },
    ),
};
