/**
 * Search spaces as data: which primitives a cell may use, on which edge, and how the edges of a cell are numbered.
 * Not responsible for what a primitive computes nor for building networks.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { nearest } from "../base/options.ts";
import { PRIMITIVES } from "./primitives.ts";
import type { DepthPart } from "./reductions.ts";

/** The two kinds of cell; cells of one kind share one architecture. */
export type CellKind = "normal" | "reduce";

/** Both cell kinds, in the order in which they are reported. */
export const CELL_KINDS: readonly CellKind[] = ["normal", "reduce"];

/** The primitive that outputs zeros. It takes part in the softmax but is never chosen. */
export const ZERO_PRIMITIVE = "none";

/** The primitive that passes its input through (a factorized reduction at stride 2). */
export const SKIP_PRIMITIVE = "skip_connect";

/**
 * Primitives counted as parameter-free, whose take-over is DARTS' known failure. `skip_connect` counts at
 * every stride, as in the literature, although at stride 2 it holds a factorized reduction.
 */
export const PARAMETER_FREE: readonly string[] = PRIMITIVES.filter((p) => p.parameterFree).map((p) => p.name);

/** The names of all primitives. */
export const PRIMITIVE_NAMES: readonly string[] = PRIMITIVES.map((p) => p.name);

/** A cell-based search space. */
export interface Space {
  /** Name on the command line and in files. */
  readonly name: string;
  /** One line for help and reports. */
  readonly summary: string;
  /** Number of intermediate nodes of a cell (4 in DARTS). */
  readonly nodes: number;
  /** All primitives in use; the position in this list is the column of alpha. */
  readonly primitives: readonly string[];
  /** The primitives allowed on each edge, in the order of `primitives`; absent means all on every edge. */
  readonly edgePrimitives?: Readonly<
    Record<CellKind, readonly (readonly string[])[]>
  >;
  /** Where reduction cells stand; at thirds if left out. */
  readonly reduceAt?: readonly DepthPart[];
}

/** An edge of a cell. */
export interface Edge {
  /** Position in the list of edges: the row of alpha. */
  readonly index: number;
  /** Source: 0 and 1 are the cell's inputs (two cells back, one cell back), 2.. the intermediate nodes. */
  readonly from: number;
  /** Target: 2.. are the intermediate nodes. */
  readonly to: number;
}

/** One operation that may be chosen for a node: a primitive other than `none` on one of its incoming edges. */
export interface Candidate {
  /** Index of the edge in its cell. */
  readonly edge: number;
  /** Source of that edge. */
  readonly from: number;
  /** Name of the primitive. */
  readonly op: string;
}

/** The space of DARTS (arXiv 1806.09055), in the order of its public code. */
export const DARTS: Space = {
  name: "darts",
  summary: "DARTS: zero, two pools, skip, separable and dilated convolutions",
  nodes: 4,
  primitives: [
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
  ],
};

/** The letters by which the table of S1 below calls the primitives, in the order of DARTS. */
const S1_LETTERS: Readonly<Record<string, string>> = {
  m: "max_pool_3x3",
  a: "avg_pool_3x3",
  k: "skip_connect",
  s3: "sep_conv_3x3",
  d3: "dil_conv_3x3",
  d5: "dil_conv_5x5",
};

/** Primitives per edge from a text like `k/d3 m/a`. */
const edgeList = (text: string): string[][] =>
  text.split(" ").map((edge) => edge.split("/").map((letter) => S1_LETTERS[letter]));

/** Space S1 of RobustDARTS (arXiv 1909.09656): on each edge the two operations that a DARTS search had preferred. */
export const S1: Space = {
  name: "s1",
  summary: "RobustDARTS S1: two operations on each edge, which differ from edge to edge",
  nodes: 4,
  primitives: Object.values(S1_LETTERS),
  edgePrimitives: {
    normal: edgeList("k/d3 k/d5 k/d5 k/s3 k/d3 m/k k/s3 k/s3 k/d3 k/s3 m/k k/d3 d3/d5 d3/d5"),
    reduce: edgeList("m/a m/d3 m/a m/a k/d5 m/a m/s3 k/d3 k/d5 m/a m/a k/d5 k/d5 k/d5"),
  },
};

/** Space S2 of RobustDARTS (arXiv 1909.09656): skip against one separable convolution. */
export const S2: Space = {
  name: "s2",
  summary: "RobustDARTS S2: skip and separable 3x3 convolution",
  nodes: 4,
  primitives: ["skip_connect", "sep_conv_3x3"],
};

/** Space S3 of RobustDARTS (arXiv 1909.09656): S2 with the zero operation. */
export const S3: Space = {
  name: "s3",
  summary: "RobustDARTS S3: zero, skip and separable 3x3 convolution",
  nodes: 4,
  primitives: ["none", "skip_connect", "sep_conv_3x3"],
};

/** Space S4 of RobustDARTS (arXiv 1909.09656): noise, which no good search keeps, against one convolution. */
export const S4: Space = {
  name: "s4",
  summary: "RobustDARTS S4: noise and separable 3x3 convolution",
  nodes: 4,
  primitives: ["noise", "sep_conv_3x3"],
};

/** All built-in spaces: the only list of them. */
export const SPACES: readonly Space[] = [DARTS, S1, S2, S3, S4];

/**
 * The built-in space called `name`.
 * @throws {UsageError} when there is none; the message suggests the nearest name.
 */
export function findSpace(name: string): Space {
  const space = SPACES.find((each) => each.name === name);
  if (space) return space;
  const names = SPACES.map((each) => each.name);
  throw new UsageError(
    `Cannot use a search space that does not exist, the name must be one of ${names.join(", ")}: current value is ${
      JSON.stringify(name)
    }${didYouMean(name, names)}`,
  );
}

/** `" (did you mean X?)"` for the name of `names` nearest to `word`, or `""` when none is near. */
export function didYouMean(word: string, names: readonly string[]): string {
  const name = nearest(word, names);
  return name === undefined ? "" : ` (did you mean ${JSON.stringify(name)}?)`;
}

/**
 * The edges of a cell with `nodes` intermediate nodes, in DARTS order: by target, then by source. There are
 * nodes * (nodes + 3) / 2 of them, 14 for four nodes.
 * @example The first edges
 * ```ts
 * import { edgesOf } from "./space.ts";
 * import assert from "node:assert/strict";
 * assert.deepEqual(edgesOf(1), [{ index: 0, from: 0, to: 2 }, { index: 1, from: 1, to: 2 }]);
 * ```
 */
export function edgesOf(nodes: number): Edge[] {
  const edges: Edge[] = [];
  for (let to = 2; to < nodes + 2; to++) {
    for (let from = 0; from < to; from++) {
      edges.push({ index: edges.length, from, to });
    }
  }
  return edges;
}

/** The edges that enter intermediate node `node` (0-based, so its index in the cell is `node + 2`). */
export function incoming(nodes: number, node: number): Edge[] {
  return edgesOf(nodes).filter((edge) => edge.to === node + 2);
}

/** The edges that leave `from` (0 and 1 are the cell's inputs, 2.. the intermediate nodes). */
export function outgoing(nodes: number, from: number): Edge[] {
  return edgesOf(nodes).filter((edge) => edge.from === from);
}

/** The primitives allowed on edge `edge` of a cell of kind `kind`, `none` included where it is allowed. */
export function primitivesOf(
  space: Space,
  kind: CellKind,
  edge: number,
): readonly string[] {
  return space.edgePrimitives?.[kind][edge] ?? space.primitives;
}

/**
 * The columns of alpha that take part in the softmax of each edge, or null where all do on every edge.
 */
export function softmaxColumns(space: Space, kind: CellKind): number[][] | null {
  if (!space.edgePrimitives) return null;
  return edgesOf(space.nodes).map(({ index }) =>
    primitivesOf(space, kind, index).map((op) => space.primitives.indexOf(op))
  );
}

/** Number of alphas that count: one for each primitive that an edge allows, both kinds of cell. */
export function alphaCount(space: Space): number {
  return CELL_KINDS.flatMap((kind) => edgesOf(space.nodes).map(({ index }) => primitivesOf(space, kind, index).length))
    .reduce((a, b) => a + b, 0);
}

/**
 * The candidates of intermediate node `node` (0-based): by edge, then by primitive, without `none`. This is
 * the order of the rows of its Gram matrix.
 */
export function candidatesOf(
  space: Space,
  kind: CellKind,
  node: number,
): Candidate[] {
  return incoming(space.nodes, node).flatMap(({ index, from }) =>
    primitivesOf(space, kind, index)
      .filter((op) => op !== ZERO_PRIMITIVE)
      .map((op) => ({ edge: index, from, op }))
  );
}
