/**
 * One SGD step over a flat arena of parameters.
 * @module
 */
import { sgd as source } from "./shader_texts.ts";
import { kernel, optional, read, record, table, write } from "../gpu/kernel.ts";
import { type Binding, dispatch, input, type OpCase, type OpSpec, output, uniformInput } from "../graph/op.ts";
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
  params: { spans: table({ first: "u32", end: "u32" }) },
});

/** Consecutive elements of an arena. */
export interface Span {
  /** The first of them; a multiple of 4. */
  readonly first: number;
  /** The one behind the last; a multiple of 4. */
  readonly end: number;
}

/** Attributes of {@linkcode sgd}. */
export interface SgdAttributes {
  /** Weight of the old momentum buffer. */
  readonly momentum: number;
  /** L2 penalty, added to the gradient. */
  readonly weightDecay: number;
  /** Largest norm of the gradient; 0: no clipping. */
  readonly clip: number;
  /** What it is done to; all of the arena if left out. */
  readonly spans?: readonly Span[];
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

/** Most spans: their table has to fit into a uniform buffer. */
const MOST_SPANS = 4096;

/** What gradients of such a squared norm are multiplied with, as `torch.nn.utils.clip_grad_norm_` does; 0: no clipping. */
export function clipped(clip: number, square: number): number {
  return clip > 0 ? Math.min(1, clip / (Math.sqrt(square) + 1e-6)) : 1;
}

/** Inputs of a test of an optimiser with one state: weights, gradients, momenta, a squared norm, and `hyper`. */
export function arenaCase(length: number, square: number): Pick<OpCase, "inputs" | "fill"> {
  const arena = dense([length]);
  return {
    inputs: [arena, arena, arena, dense([1]), dense([HYPER_LENGTH])],
    fill: (index, e, normal) => index === 3 ? square : index === 4 ? (e ? 1e9 : 0.025) : normal,
  };
}

/** Launch of an optimiser's kernel over so many vec4s, all of a flat arena. */
export function overArena(type: TensorType, LENGTH: number = storageLength(type) / 4): {
  constants: Strands & { readonly LENGTH: number };
  workgroups: [number, number, number];
} {
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
  kernels({ inputs: [params], attrs: { momentum, weightDecay, clip, spans } }) {
    const rows = spans?.map(({ first, end }) => ({ first: first / 4, end: end / 4 })) ?? [];
    const longest = spans && Math.max(...rows.map(({ first, end }) => end - first));
    if (rows.length > MOST_SPANS) {
      throw new RangeError(`there must be ${MOST_SPANS} spans at most: there are ${rows.length}`);
    }
    const { constants, workgroups: [x] } = overArena(params, longest);
    return {
      dispatches: [dispatch(shader, {
        constants: { ...constants, MOMENTUM: momentum, DECAY: weightDecay, CLIP: clip, SPANS: spans !== undefined },
        buffers: {
          ...{ param: output(0), grad: input(1), buffer: output(1), hyper: boundHyper(4) },
          ...(clip > 0 && { square: squareInput(3) }),
        },
        params: { spans: rows },
        workgroups: [x, Math.max(1, rows.length), 1],
      })],
    };
  },
  inPlace: () => ({ 0: 0, 1: 2 }),
  reference([params, grads, buffer, square, hyper], _types, { momentum, weightDecay, clip, spans }) {
    const coef = clipped(clip, square[0]), isIn = (i: number) => spans?.some(({ first, end }) => i >= first && i < end);
    const next = buffer.map((b, i) => isIn(i) ?? true ? momentum * b + coef * grads[i] + weightDecay * params[i] : b);
    return [params.map((p, i) => isIn(i) ?? true ? p - hyper[0] * next[i] : p), next];
  },
  cases: () => [
    ...[[1, 0, 25], [130, 5, 25], [4096, 5, 4], [70_001, 0.25, 1e4]].map(([length, clip, square]) => ({
      name: `${length} elements, clip ${clip}, squared norm ${square}`,
      ...arenaCase(length, square),
      attrs: { momentum: 0.9, weightDecay: 3e-4, clip },
    })),
    {
      name: "three spans of 9,000 elements",
      ...arenaCase(9000, 25),
      attrs: {
        ...{ momentum: 0.9, weightDecay: 3e-4, clip: 5 },
        spans: [{ first: 64, end: 68 }, { first: 128, end: 8192 }, { first: 8960, end: 9000 }],
      },
    },
  ],
};
