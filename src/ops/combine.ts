/**
 * Linear combination of flat arenas whose coefficients may depend on the learning rate and on the norm of a gradient,
 * both known to the device alone: what second-order gradients are put together with.
 * @module
 */
import { combine as source } from "./shader_texts.ts";
import { kernel, list, optional, read, record, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpSpec, output } from "../graph/op.ts";
import { dense, sameType } from "../graph/tensor_type.ts";

import { expectTensor } from "./expect.ts";
import { boundHyper, hyperRecord } from "./hyper.ts";
import { overArena, squareInput } from "./sgd.ts";

const shader = kernel("combine", source, {
  buffers: {
    x: list(read("vec4f")),
    y: write("vec4f"),
    hyper: optional(hyperRecord),
    square: optional(record("sum")),
  },
});

/** The coefficient of one tensor: `factor * rate^(0 or 1) * norm^(-1, 0 or 1)`. */
export interface Term {
  /** A constant. */
  readonly factor: number;
  /** Whether the learning rate is a factor too. */
  readonly rate?: boolean;
  /** Power of the norm; 0 if left out. */
  readonly norm?: -1 | 1;
}

/** Attributes of {@linkcode combine}. */
export interface CombineAttributes {
  /** One for each tensor. */
  readonly terms: readonly Term[];
}

/** Which further inputs there are. */
function needs({ terms }: CombineAttributes): { hyper: boolean; square: boolean } {
  return { hyper: terms.some((t) => t.rate), square: terms.some((t) => t.norm !== undefined) };
}

/**
 * `(x_0 ... x_n-1 [L], hyper [8] where a term has the rate, normSquared [1] where one has the norm) -> y [L]`,
 * `y = sum_k a_k x_k` with the coefficients of {@linkcode Term}; `weightLr` of hyper is the learning rate. The inverse of a norm
 * of 0 counts as 0: a gradient that vanishes moves nothing.
 */
export const combine: OpSpec<CombineAttributes> = {
  name: "combine",
  infer(inputs, attrs) {
    const { hyper, square } = needs(attrs), n = attrs.terms.length;
    if (n === 0 || inputs.length !== n + Number(hyper) + Number(square)) {
      throw new RangeError(
        "it needs a tensor for each term, then the learning rate and the squared norm if they occur",
      );
    }
    const [first] = inputs;
    if (first.layout !== "dense" || first.dtype !== "f32" || !inputs.slice(0, n).every((t) => sameType(t, first))) {
      throw new RangeError("all tensors must be dense f32 tensors of one type");
    }
    if (hyper) expectTensor(inputs[n], "hyper", [8]);
    if (square) expectTensor(inputs[inputs.length - 1], "normSquared", [1]);
    return [first];
  },
  kernels({ inputs, attrs }) {
    const { terms } = attrs, { hyper, square } = needs(attrs), { constants, workgroups } = overArena(inputs[0]);
    const described = terms.flatMap(({ factor, rate = false, norm = 0 }, k) => [
      [`FACTOR${k}`, factor],
      [`RATE${k}`, rate],
      [`NORM${k}`, norm],
    ]);
    return {
      dispatches: [dispatch(shader, {
        constants: {
          ...constants,
          TERMS: terms.length,
          HYPER: hyper,
          SQUARE: square,
          ...Object.fromEntries(described),
        },
        buffers: {
          ...{ x: terms.map((_, k) => input(k)), y: output(0) },
          ...(hyper && { hyper: boundHyper(terms.length) }),
          ...(square && { square: squareInput(inputs.length - 1) }),
        },
        workgroups,
      })],
    };
  },
  reference(inputs, _types, attrs) {
    const { hyper, square } = needs(attrs), rate = hyper ? inputs[attrs.terms.length][0] : 1;
    const norm = square ? Math.sqrt(inputs[inputs.length - 1][0]) : 1;
    const coefficients = attrs.terms.map((t) =>
      t.factor * (t.rate ? rate : 1) * (t.norm === 1 ? norm : t.norm === -1 ? (norm > 0 ? 1 / norm : 0) : 1)
    );
    return [inputs[0].map((_, i) => coefficients.reduce((sum, a, k) => sum + a * inputs[k][i], 0))];
  },
  cases: () => {
    const made = (name: string, length: number, terms: readonly Term[], square = 9) => {
      const { hyper, square: normed } = needs({ terms }), n = terms.length;
      return {
        name: `${name}, ${length} elements`,
        inputs: [...Array(n).fill(dense([length])), ...(hyper ? [dense([8])] : []), ...(normed ? [dense([1])] : [])],
        attrs: { terms },
        fill: (index: number, e: number, normal: number) =>
          index < n ? normal : index === n && hyper ? (e ? 1e9 : 0.025) : square,
      };
    };
    const one = { factor: 1 };
    return [
      made("a sum", 130, [one, { factor: -2.5 }]),
      made("a step", 4096, [
        one,
        { factor: -3e-4, rate: true },
        { factor: -1, rate: true },
        { factor: -0.9, rate: true },
      ]),
      made("a step along a direction", 10_007, [one, { factor: -0.01, norm: -1 }]),
      made("along a direction that vanishes", 5, [one, { factor: 0.01, norm: -1 }], 0),
      made("a difference quotient", 112, [
        one,
        { factor: -50, rate: true, norm: 1 },
        { factor: 50, rate: true, norm: 1 },
      ]),
    ];
  },
};
