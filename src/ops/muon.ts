/**
 * One step of Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) for the matrices of an arena: momentum
 * of which all singular values are brought near 1 before it moves the weights. Not responsible for weights that are no
 * matrices ({@linkcode sgd}), and for which are (`nn/variables.ts`).
 * @module
 */
import { muon as source } from "./shader_texts.ts";
import { kernel, optional, read, record, table, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpSpec, output } from "../graph/op.ts";
import { boundHyper, hyperRecord } from "./hyper.ts";
import { arenaCase, clipped, sgd, type SgdAttributes, squareInput } from "./sgd.ts";

/** A matrix in an arena, row by row without gaps. */
export interface WeightMatrix {
  /** Where it begins, in elements. */
  readonly first: number;
  /** Number of rows: output channels of a convolution. */
  readonly rows: number;
  /** Length of a row. */
  readonly columns: number;
}

/** Attributes of {@linkcode muon}: `weightDecay` is not added to the gradient, weights shrink by its product with the rate. */
export interface MuonAttributes extends Omit<SgdAttributes, "spans"> {
  /** Factor of the learning rate. */
  readonly scale: number;
  /** What it is done to. */
  readonly matrices: readonly WeightMatrix[];
}

/** Rows whose directions are made orthogonal together, at the most: their products are 32 x 32. */
const MOST_ROWS = 32;
/** Iterations of Newton and Schulz, and their coefficients, which bring values from 0.05 to 1 to 0.7 to 1.2. */
const STEPS = 5, COEFFICIENTS = { A1: 3.4445, A3: -4.775, A5: 2.0315 } as const;
/** Most groups of a dispatch, as their table has to fit into a uniform buffer; it has a multiple of so many rows. */
const MOST_GROUPS = 2048, TABLE_ROWS = 64;

const shader = kernel("muon", source, {
  buffers: {
    param: write("f32"),
    grad: read("f32"),
    buffer: write("f32"),
    hyper: hyperRecord,
    square: optional(record("sum")),
  },
  params: { groups: table({ first: "u32", rows: "u32", columns: "u32", all: "u32" }) },
});

/** Groups of rows of a matrix, as equal as they can be. */
function groupsOf({ first, rows, columns }: WeightMatrix): (WeightMatrix & { readonly all: number })[] {
  const count = Math.ceil(rows / MOST_ROWS), edge = (i: number): number => Math.floor(i * rows / count);
  return Array.from({ length: count }, (_, i) => {
    return { first: first + edge(i) * columns, rows: edge(i + 1) - edge(i), columns, all: rows };
  });
}

/** X <- (a + b X X' + c (X X')^2) X, from M / |M|: rows of `m`, `[rows, columns]`, that are nearly orthogonal. */
function orthogonal(m: Float64Array, rows: number, columns: number): Float64Array {
  const { A1: a, A3: b, A5: c } = COEFFICIENTS, length = Math.hypot(...m) || 1;
  let x = m.map((v) => v / length);
  for (let step = 0; step < STEPS; step++) {
    const product = (left: Float64Array, at: (k: number, j: number) => number, inner: number, width: number) =>
      Float64Array.from({ length: rows * width }, (_, e) => {
        let sum = 0;
        for (let k = 0; k < inner; k++) sum += left[Math.floor(e / width) * inner + k] * at(k, e % width);
        return sum;
      });
    const gram = product(x, (k, j) => x[j * columns + k], columns, rows);
    const square = product(gram, (k, j) => gram[k * rows + j], rows, rows);
    const factor = gram.map((v, e) => (e % (rows + 1) === 0 ? a : 0) + b * v + c * square[e]);
    x = product(factor, (k, j) => x[k * columns + j], rows, columns);
  }
  return x;
}

/** Inputs of a test in which gradients and momenta are zeros from element 128 on. */
function zeros(): ReturnType<typeof arenaCase> {
  const { inputs, fill } = arenaCase(512, 25);
  return {
    inputs,
    fill: (index, e, normal, u) => (index === 1 || index === 2) && e >= 128 ? 0 : fill!(index, e, normal, u),
  };
}

/**
 * `(params, grads, momentum [L], normSquared [1], hyper [8]) -> params, momentum`, in place, as {@linkcode sgd} but for
 * the direction: B = momentum * B + G, and the weights move by `weightLr * scale * sqrt(max(1, rows / columns))` times what
 * is nearest to G + momentum * B of the matrices with orthogonal rows, about. More than 32 rows are taken apart into equal
 * groups, each for itself.
 */
export const muon: OpSpec<MuonAttributes> = {
  name: "muon",
  infer: sgd.infer,
  kernels({ attrs: { momentum, weightDecay, clip, scale, matrices } }) {
    const all = matrices.flatMap(groupsOf), count = Math.ceil(all.length / MOST_GROUPS);
    return {
      dispatches: Array.from({ length: count }, (_, i) => {
        const groups = all.slice(i * MOST_GROUPS, (i + 1) * MOST_GROUPS);
        const table = TABLE_ROWS * Math.ceil(groups.length / TABLE_ROWS); // others' numbers of matrices have the same shader
        const none = Array(table - groups.length).fill({ first: 0, rows: 0, columns: 0, all: 0 });
        return dispatch(shader, {
          constants: { MOMENTUM: momentum, DECAY: weightDecay, CLIP: clip, SCALE: scale, STEPS, ...COEFFICIENTS },
          buffers: {
            ...{ param: output(0), grad: input(1), buffer: output(1), hyper: boundHyper(4) },
            ...(clip > 0 && { square: squareInput(3) }),
          },
          params: { groups: [...groups, ...none] },
          workgroups: [groups.length, 1, 1],
        });
      }),
    };
  },
  inPlace: sgd.inPlace,
  reference([params, grads, buffer, square, hyper], _types, { momentum, weightDecay, clip, scale, matrices }) {
    const coef = clipped(clip, square[0]), weights = params.slice(), next = buffer.slice();
    for (const { first, rows, columns, all } of matrices.flatMap(groupsOf)) {
      const m = new Float64Array(rows * columns);
      for (let e = 0; e < m.length; e++) {
        next[first + e] = momentum * buffer[first + e] + coef * grads[first + e];
        m[e] = coef * grads[first + e] + momentum * next[first + e];
      }
      const rate = hyper[0], factor = rate * scale * Math.sqrt(Math.max(1, all / columns));
      orthogonal(m, rows, columns).forEach((o, e) =>
        weights[first + e] = (1 - rate * weightDecay) * weights[first + e] - factor * o
      );
    }
    return [weights, next];
  },
  cases: () => [
    {
      name: "3x3 convolutions of 3, 8, 10 and 16 channels",
      ...arenaCase(4096, 25),
      attrs: {
        ...{ momentum: 0.9, weightDecay: 5e-3, clip: 5, scale: 8 },
        matrices: [
          { first: 0, rows: 8, columns: 27 },
          { first: 256, rows: 10, columns: 72 },
          { first: 1024, rows: 16, columns: 90 },
        ],
      },
    },
    {
      name: "matrices of a row, of a column, and of zeros",
      tolerance: 5e-3, // rounding grows where there are more rows than columns
      ...zeros(),
      attrs: {
        ...{ momentum: 0.9, weightDecay: 5e-3, clip: 0, scale: 8 },
        matrices: [
          { first: 0, rows: 1, columns: 9 },
          { first: 64, rows: 5, columns: 1 },
          { first: 128, rows: 8, columns: 24 },
        ],
      },
    },
    {
      name: "more groups than a dispatch has",
      tolerance: 5e-3, // rounding grows where small matrices are nearly singular
      ...arenaCase(4 * (MOST_GROUPS + 3), 25),
      attrs: {
        ...{ momentum: 0.9, weightDecay: 5e-3, clip: 5, scale: 8 },
        matrices: Array.from({ length: MOST_GROUPS + 3 }, (_, i) => ({ first: 4 * i, rows: 2, columns: 2 })),
      },
    },
    {
      name: "1x1 convolutions side by side, of 7, 80 and 32 channels",
      tolerance: 5e-4, // where there are more rows than columns, the iteration makes what is nothing but rounding larger
      ...arenaCase(7000, 25),
      attrs: {
        ...{ momentum: 0.9, weightDecay: 0, clip: 0, scale: 8 },
        matrices: [
          { first: 64, rows: 7, columns: 5 },
          { first: 99, rows: 80, columns: 36 },
          { first: 3000, rows: 32, columns: 16 },
        ],
      },
    },
  ],
};
