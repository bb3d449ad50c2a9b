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

/** How cells are made and stacked. */
export interface Skeleton {
  /** Inputs of a cell, which its nodes are numbered after: the two cells before, or the one before. */
  readonly inputs: 1 | 2;
  /** The kinds of cell that there are. */
  readonly kinds: readonly CellKind[];
  /** Whether every edge stays, with its best operation or `none`; else the two best edges of each node stay. */
  readonly everyEdge: boolean;
  /** What a cell gives: the concatenation of its nodes, or the last one. */
  readonly output: "nodes" | "last";
}

/** Skeletons other than DARTS' by the names that spaces and genotypes call them by. */
export type SkeletonName = "nas-bench-201";

const DARTS_SKELETON: Skeleton = { inputs: 2, kinds: CELL_KINDS, everyEdge: false, output: "nodes" };

const SKELETONS: Readonly<Record<SkeletonName, Skeleton>> = {
  "nas-bench-201": { inputs: 1, kinds: ["normal"], everyEdge: true, output: "last" },
};

/** The names of the skeletons other than DARTS'. */
export const SKELETON_NAMES = Object.keys(SKELETONS) as readonly SkeletonName[];

/**
 * The skeleton of a space or a genotype: DARTS' unless it names another.
 * @example
 * ```ts
 * import { DARTS, NAS_BENCH_201, skeletonOf } from "./space.ts";
 * console.assert(skeletonOf(DARTS).inputs === 2 && skeletonOf(NAS_BENCH_201).inputs === 1);
 * ```
 */
export function skeletonOf({ skeleton }: { readonly skeleton?: SkeletonName }): Skeleton {
  return skeleton ? SKELETONS[skeleton] : DARTS_SKELETON;
}

/**
 * What a node keeps where not every edge stays. `edges`: its two best edges with the best operation of each (DARTS);
 * `operations`: its two best operations, whatever edges they are on.
 */
export type Keep = "edges" | "operations";

/** Both ways to keep, DARTS' first. */
export const KEEPS = ["edges", "operations"] as const satisfies readonly Keep[];

/** The primitive that outputs zeros. It takes part in the softmax and is chosen only where every edge stays. */
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

/** What decides on the edges of a cell. */
export interface CellShape {
  /** Number of nodes besides the inputs (4 in DARTS). */
  readonly nodes: number;
  /** How cells are made and stacked; DARTS' way if left out. */
  readonly skeleton?: SkeletonName;
}

/** A cell-based search space. */
export interface Space extends CellShape {
  /** Name on the command line and in files. */
  readonly name: string;
  /** One line for help and reports. */
  readonly summary: string;
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
  /** Source: the cell's inputs come first (in DARTS 0, two cells back, and 1, one cell back), then its nodes. */
  readonly from: number;
  /** Target: one of the nodes after the inputs. */
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

/** The space of NAS-Bench-201 (arXiv 2001.00326): one kind of cell with one input, six edges and 5^6 choices. */
export const NAS_BENCH_201: Space = {
  name: "nas-bench-201",
  summary: "NAS-Bench-201: zero, skip, convolutions 1x1 and 3x3, average pool, in cells and networks of its own",
  nodes: 3,
  primitives: ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"],
  skeleton: "nas-bench-201",
};

/** All built-in spaces: the only list of them. */
export const SPACES: readonly Space[] = [DARTS, S1, S2, S3, S4, NAS_BENCH_201];

/**
 * The built-in space called `name`.
 * @throws {UsageError} when there is none; the message suggests the nearest name.
 */
export function findSpace(name: string): Space {
  return findNamed(name, SPACES, "use a search space");
}

/** The one of `list` called `name`. @throws {UsageError} "Cannot `what` that does not exist ..." */
export function findNamed<T extends { readonly name: string }>(name: string, list: readonly T[], what: string): T {
  const found = list.find((each) => each.name === name), names = list.map((each) => each.name);
  if (found) return found;
  throw new UsageError(
    `Cannot ${what} that does not exist, the name must be one of ${names.join(", ")}: current value is ${
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
 * The edges of a cell by target, then by source: every node reads all before it. DARTS' cells have
 * nodes * (nodes + 3) / 2 of them, 14 for four nodes.
 * @example The first edges
 * ```ts
 * import { edgesOf } from "./space.ts";
 * import assert from "node:assert/strict";
 * assert.deepEqual(edgesOf({ nodes: 1 }), [{ index: 0, from: 0, to: 2 }, { index: 1, from: 1, to: 2 }]);
 * ```
 */
export function edgesOf(cell: CellShape): Edge[] {
  const edges: Edge[] = [], { inputs } = skeletonOf(cell);
  for (let to = inputs; to < cell.nodes + inputs; to++) {
    for (let from = 0; from < to; from++) {
      edges.push({ index: edges.length, from, to });
    }
  }
  return edges;
}

/** The edges that enter node `node` (0-based; in the cell its number is `node` + inputs). */
export function incoming(cell: CellShape, node: number): Edge[] {
  return edgesOf(cell).filter((edge) => edge.to === node + skeletonOf(cell).inputs);
}

/** The edges that leave `from` (inputs come first, then the nodes). */
export function outgoing(cell: CellShape, from: number): Edge[] {
  return edgesOf(cell).filter((edge) => edge.from === from);
}

/** What `of` gives for each kind of cell that the skeleton has, and `empty` for the others. */
export function perKind<T>(space: Pick<Space, "skeleton">, of: (kind: CellKind) => T, empty: T): Record<CellKind, T> {
  const { kinds } = skeletonOf(space), each = (kind: CellKind): T => kinds.includes(kind) ? of(kind) : empty;
  return { normal: each("normal"), reduce: each("reduce") };
}

/** The primitives allowed on edge `edge` of a cell of kind `kind`, `none` included where it is allowed. */
export function primitivesOf(space: Space, kind: CellKind, edge: number): readonly string[] {
  return space.edgePrimitives?.[kind][edge] ?? space.primitives;
}

/**
 * The columns of alpha that take part in the softmax of each edge, or null where all do on every edge.
 */
export function softmaxColumns(space: Space, kind: CellKind): number[][] | null {
  if (!space.edgePrimitives) return null;
  return edgesOf(space).map(({ index }) => primitivesOf(space, kind, index).map((op) => space.primitives.indexOf(op)));
}

/** Number of alphas that count: one for each primitive that an edge allows, all kinds of cell. */
export function alphaCount(space: Space): number {
  return skeletonOf(space).kinds.flatMap((kind) =>
    edgesOf(space).map(({ index }) => primitivesOf(space, kind, index).length)
  )
    .reduce((a, b) => a + b, 0);
}

/**
 * The candidates of node `node` (0-based): by edge, then by primitive, without `none`. This is the order of the rows of
 * its Gram matrix.
 */
export function candidatesOf(space: Space, kind: CellKind, node: number): Candidate[] {
  return everyOperation(space, kind, node).filter(({ op }) => op !== ZERO_PRIMITIVE);
}

/** What may be chosen at node `node`: its candidates, and `none` too where every edge stays. */
export function choosableOf(space: Space, kind: CellKind, node: number): Candidate[] {
  return skeletonOf(space).everyEdge ? everyOperation(space, kind, node) : candidatesOf(space, kind, node);
}

function everyOperation(space: Space, kind: CellKind, node: number): Candidate[] {
  return incoming(space, node).flatMap(({ index, from }) =>
    primitivesOf(space, kind, index).map((op) => ({ edge: index, from, op }))
  );
}
