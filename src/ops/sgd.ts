/**
 * One SGD step over a flat arena of parameters.
 * @module
 */
import { sgd as source } from "./shader_texts.ts";
import { kernel, optional, read, record, write } from "../gpu/kernel.ts";
import { type Binding, dispatch, input, type OpSpec, output, uniformInput } from "../graph/op.ts";
import { dense, sameType, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectTensor } from "./expect.ts";
import { boundHyper, HYPER_LENGTH, hyperRecord } from "./hyper.ts";
import { manyWorkgroups, type Strands } from "./channel.ts";

/** Input `index` of a node, a sum of squares, as the shaders' `square`. */
export const squareInput = (index: number): Binding => uniformInput(index, 16);

const shader = kernel("sgd", source, {
  buffers: {
    param: write("vec4f"),
    grad: read("vec4f"),
    buffer: write("vec4f"),
    hyper: hyperRecord,
    square: optional(record("sum")),
  },
});

/** Attributes of {@linkcode sgd}. */
export interface SgdAttributes {
  /** Weight of the old momentum buffer. */
  readonly momentum: number;
  /** L2 penalty, added to the gradient. */
  readonly weightDecay: number;
  /** Largest norm of the gradient; 0: no clipping. */
  readonly clip: number;
}

/** @throws {RangeError} unless `states` are dense f32 tensors of one type and `hyper` is `[8]`. */
export function expectArenas(states: readonly TensorType[], hyper: TensorType): void {
  const [params] = states;
  if (
    params?.layout !== "dense" || params.dtype !== "f32" ||
    states.some((t) => !t || !sameType(t, params))
  ) {
    throw new RangeError("parameters, gradients and optimiser state must be dense f32 tensors of one type");
  }
  expectTensor(hyper, "hyper", [HYPER_LENGTH]);
}

/** Launch of an optimiser's kernel over a flat arena. */
export function overArena(type: TensorType): {
  constants: Strands & { readonly LENGTH: number };
  workgroups: [number, number, number];
} {
  const LENGTH = storageLength(type) / 4;
  const { groups, ...strands } = manyWorkgroups(LENGTH);
  return { constants: { LENGTH, ...strands }, workgroups: [groups, 1, 1] };
}

/**
 * `(params, grads, momentum [L], normSquared [1], hyper [8]) -> params, momentum`, in place; `weightLr` of it
 * is the learning rate, normSquared the squared norm of all gradients. As `torch.optim.SGD` after `clip_grad_norm_`: its
 * first step is the same as one with a zero buffer.
 */
export const sgd: OpSpec<SgdAttributes> = {
  name: "sgd",
  infer([params, grads, momentum, norm, hyper]) {
    expectArenas([params, grads, momentum], hyper);
    expectTensor(norm, "normSquared", [1]);
    return [params, momentum];
  },
  kernels({ inputs: [params], attrs: { momentum, weightDecay, clip } }) {
    const { constants, workgroups } = overArena(params);
    return {
      dispatches: [dispatch(shader, {
        constants: { ...constants, MOMENTUM: momentum, DECAY: weightDecay, CLIP: clip },
        buffers: {
          ...{ param: output(0), grad: input(1), buffer: output(1), hyper: boundHyper(4) },
          ...(clip > 0 && { square: squareInput(3) }),
        },
        workgroups,
      })],
    };
  },
  inPlace: () => ({ 0: 0, 1: 2 }),
  reference([params, grads, buffer, square, hyper], _types, { momentum, weightDecay, clip }) {
    const coef = clip > 0 ? Math.min(1, clip / (Math.sqrt(square[0]) + 1e-6)) : 1;
    const next = buffer.map((b, i) => momentum * b + coef * grads[i] + weightDecay * params[i]);
    return [params.map((p, i) => p - hyper[0] * next[i]), next];
  },
  cases: () =>
    [[1, 0, 25], [130, 5, 25], [4096, 5, 4], [70_001, 0.25, 1e4]].map(
      ([length, clip, square]) => {
        const arena = dense([length]);
        return {
          name: `${length} elements, clip ${clip}, squared norm ${square}`,
          inputs: [arena, arena, arena, dense([1]), dense([8])],
          attrs: { momentum: 0.9, weightDecay: 3e-4, clip },
          fill: (index: number, e: number, normal: number) =>
            index === 3 ? square : index === 4 ? (e ? 1e9 : 0.025) : normal,
        };
      },
    ),
};
