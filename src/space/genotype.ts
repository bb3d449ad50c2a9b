/**
 * Genotypes: the discrete architecture that a search ends with, and the two texts it is exchanged in, JSON (ours)
 * and Python's `Genotype(...)` (quark0/darts and its descendants). Nothing is evaluated and nothing unchecked
 * gets in. Not responsible for files: readers take a text and the name to blame.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { type DepthPart, isReduceAt, REDUCE_AT_TEXT } from "./reductions.ts";
import {
  type CellKind,
  didYouMean,
  PRIMITIVE_NAMES,
  SKELETON_NAMES,
  type SkeletonName,
  skeletonOf,
  type Space,
  ZERO_PRIMITIVE,
} from "./space.ts";
import { checkNasBenchNodes, formatNasBenchCell, parseNasBenchCell } from "./nas_bench_cell.ts";
import { findGenotype } from "./found_text.ts";
import { parsePython } from "./python_genotype.ts";

/** One input of a node: the operation and the node it reads (the cell's inputs come first, 0 and 1 in DARTS). */
export interface Choice {
  /** Name of the primitive; `none` in cells of NAS-Bench-201 only. */
  readonly op: string;
  /** Index of the source node. */
  readonly from: number;
}

/** One kind of cell. */
export interface CellGenotype {
  /** Per intermediate node its inputs: two, the stronger one first, or with another skeleton one from each node. */
  readonly nodes: readonly (readonly Choice[])[];
  /** The nodes (2..) whose concatenation is the cell's output. */
  readonly concat: readonly number[];
}

/** A whole architecture. */
export interface Genotype {
  /** The cell that keeps the resolution. */
  readonly normal: CellGenotype;
  /** The cell that halves the resolution and doubles the channels. */
  readonly reduce: CellGenotype;
  /** Where the reduction cells stand; at thirds if left out. Python's text form has no place for it. */
  readonly reduceAt?: readonly DepthPart[];
  /**
   * How cells are made and stacked; DARTS' way if left out. With `nas-bench-201`, `normal` is the only cell, its node 0
   * the only input, and `reduce` is empty: residual blocks reduce.
   */
  readonly skeleton?: SkeletonName;
}

/** Value of the field `format` of a genotype file. */
const GENOTYPE_FORMAT = "idarts-genotype/1";

/** Longest text a reader accepts, in characters; a real genotype has about a thousand. */
export const MAX_GENOTYPE_CHARACTERS = 65_536;

/** Largest number of intermediate nodes a reader accepts; published cells have at most five. */
const MAX_GENOTYPE_NODES = 16;

/** The genotype of a space that has these inputs at the nodes of each kind of cell. */
export function genotypeOf(
  space: Pick<Space, "skeleton" | "reduceAt">,
  nodes: Readonly<Record<CellKind, CellGenotype["nodes"]>>,
): Genotype {
  const { skeleton, reduceAt } = space, { inputs, output } = skeletonOf(space);
  const cellOf = (nodes: CellGenotype["nodes"]): CellGenotype => ({
    nodes,
    concat: nodes.map((_, i) => i + inputs).slice(output === "last" ? -1 : 0),
  });
  return {
    normal: cellOf(nodes.normal),
    reduce: cellOf(nodes.reduce),
    ...(reduceAt ? { reduceAt: [...reduceAt] } : {}),
    ...(skeleton ? { skeleton } : {}),
  };
}

/**
 * Reads a genotype in any text form: JSON, Python, or `|op~0|+...` of NAS-Bench-201; the last two are found in logs and
 * in files of other repositories too.
 * @throws {FailureError} one sentence that names `file`, the place in it and what was expected.
 */
export function parseGenotype(text: string, file: string): Genotype {
  checkLength(text, file);
  const found = findGenotype(text, file);
  if (found.kind === "nas-bench") {
    return genotypeOf({ skeleton: "nas-bench-201" }, { normal: parseNasBenchCell(found.text, file), reduce: [] });
  }
  return found.kind === "json" ? parseGenotypeJson(text, file) : parseGenotypePython(found.text, file);
}

/**
 * Reads the JSON form.
 * @throws {FailureError} for truncated or foreign files, unknown operations, wrong node indices and counts.
 */
export function parseGenotypeJson(text: string, file: string): Genotype {
  checkLength(text, file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FailureError(`Cannot read ${file} as a genotype: it is not complete JSON`, { cause });
  }
  const { format, ...cells } = record(value, "the file", file);
  if (format !== GENOTYPE_FORMAT) {
    refuse(file, "the field format", `"${GENOTYPE_FORMAT}"`, format);
  }
  return checkGenotype(cells, file);
}

/** The shape of a {@linkcode Genotype} in JSON. */
export const genotypeShape: Shape<Genotype> = (value: unknown, path: string): ReturnType<Shape<Genotype>> => {
  try {
    checkGenotype(value, "it");
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    return { path, must: `a genotype (${error.message.replace(/^Cannot read it as a genotype: /, "")})`, value };
  }
};

/** Writes the JSON form: one node a line, equal genotypes to equal bytes. */
export function formatGenotypeJson(genotype: Genotype): string {
  const cellText = ({ nodes, concat }: CellGenotype): string =>
    `{
    "nodes": [
${nodes.map((node) => "      " + JSON.stringify(node)).join(",\n")}
    ],
    "concat": ${JSON.stringify(concat)}
  }`;
  const { normal, reduce, reduceAt, skeleton } = genotype;
  const fields = [
    `"format": "${GENOTYPE_FORMAT}"`,
    ...(skeleton ? [`"skeleton": "${skeleton}"`] : []),
    `"normal": ${cellText(normal)}`,
    ...(skeleton ? [] : [`"reduce": ${cellText(reduce)}`]),
    ...(reduceAt ? [`"reduceAt": ${JSON.stringify(reduceAt)}`] : []),
  ];
  return `{\n  ${fields.join(",\n  ")}\n}\n`;
}

/**
 * Reads Python's `Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), reduce=[...], ...)`.
 * @throws {FailureError} for anything else, with line and column, and for what {@linkcode checkGenotype} refuses.
 */
export function parseGenotypePython(text: string, file: string): Genotype {
  checkLength(text, file);
  const fields = parsePython(text, file);
  const paired = (kind: "normal" | "reduce"): unknown => {
    const choices = fields[kind];
    if (choices.length % 2 !== 0) {
      refuse(
        file,
        `the number of operations of ${kind}`,
        "even, two for each node",
        choices.length,
      );
    }
    const nodes: Choice[][] = [];
    for (let i = 0; i < choices.length; i += 2) {
      nodes.push(choices.slice(i, i + 2));
    }
    return { nodes, concat: fields[`${kind}_concat`] };
  };
  return checkGenotype({ normal: paired("normal"), reduce: paired("reduce") }, file);
}

/** Writes the text that others exchange, on one line: Python's form, or that of NAS-Bench-201 for its cells. */
export function formatGenotypeText(genotype: Genotype): string {
  return genotype.skeleton ? formatNasBenchCell(genotype.normal.nodes) : formatGenotypePython(genotype);
}

/**
 * Writes Python's form of a cell of DARTS' kind on one line, without a line end. Consecutive outputs become a `range`, others a list.
 * @example DARTS' published cell
 * ```ts
 * import { formatGenotypePython } from "./genotype.ts";
 * import { DARTS_V2 } from "./published.ts";
 * import assert from "node:assert/strict";
 * assert.match(formatGenotypePython(DARTS_V2), /^Genotype\(normal=\[\('sep_conv_3x3', 0\), .*range\(2, 6\)\)$/);
 * ```
 */
export function formatGenotypePython(genotype: Genotype): string {
  const pairs = ({ nodes }: CellGenotype): string =>
    `[${nodes.flat().map(({ op, from }) => `('${op}', ${from})`).join(", ")}]`;
  const outputs = ({ concat }: CellGenotype): string =>
    concat.every((node, i) => node === concat[0] + i)
      ? `range(${concat[0]}, ${concat[0] + concat.length})`
      : `[${concat.join(", ")}]`;
  const { normal, reduce } = genotype;
  return `Genotype(normal=${pairs(normal)}, normal_concat=${outputs(normal)}, ` +
    `reduce=${pairs(reduce)}, reduce_concat=${outputs(reduce)})`;
}

/**
 * Checks a value of unknown origin and returns a fresh, well-formed genotype. A node may read one source twice
 * (published cells do), and `concat` may name a part of the nodes.
 * @throws {FailureError} one sentence that names `file`, the field, what it must be and what it is.
 */
export function checkGenotype(value: unknown, file: string): Genotype {
  const cells = record(value, "the file", file);
  for (const key of Object.keys(cells)) {
    if (!["normal", "reduce", "reduceAt", "skeleton"].includes(key)) {
      refuse(file, "the fields", "format, normal, reduce, reduceAt and skeleton", key);
    }
  }
  const { reduceAt, skeleton, normal } = cells;
  if (reduceAt !== undefined && !isReduceAt(reduceAt)) refuse(file, "reduceAt", REDUCE_AT_TEXT, reduceAt);
  if (skeleton === "nas-bench-201") {
    const nodes = checkNasBenchNodes(record(normal, "normal", file).nodes, file);
    return genotypeOf({ skeleton, ...(reduceAt ? { reduceAt } : {}) }, { normal: nodes, reduce: [] });
  }
  if (skeleton !== undefined) {
    refuse(file, "the field skeleton", `"${SKELETON_NAMES.join('", "')}", or missing`, skeleton);
  }
  return {
    normal: checkCell(cells.normal, "normal", file),
    reduce: checkCell(cells.reduce, "reduce", file),
    ...(reduceAt ? { reduceAt: [...reduceAt] } : {}),
  };
}

function checkCell(value: unknown, kind: string, file: string): CellGenotype {
  const { nodes, concat } = record(value, kind, file);
  if (
    !Array.isArray(nodes) || nodes.length < 1 ||
    nodes.length > MAX_GENOTYPE_NODES
  ) {
    refuse(
      file,
      `the nodes of ${kind}`,
      `a list of 1 to ${MAX_GENOTYPE_NODES}`,
      Array.isArray(nodes) ? nodes.length : nodes,
    );
  }
  const last = nodes.length + 1;
  if (
    !Array.isArray(concat) || concat.length < 1 ||
    new Set(concat).size !== concat.length ||
    !concat.every((node) => isIndex(node, 2, last))
  ) {
    refuse(
      file,
      `the concat list of ${kind}`,
      `different nodes from 2 to ${last}`,
      concat,
    );
  }
  return {
    nodes: nodes.map((node, i) => {
      const where = `node ${i} of ${kind}`;
      if (!Array.isArray(node) || node.length !== 2) {
        refuse(file, where, "a list of two operations", node);
      }
      return [checkChoice(node[0], i, where, file), checkChoice(node[1], i, where, file)];
    }),
    concat: [...concat],
  };
}

function checkChoice(
  value: unknown,
  node: number,
  where: string,
  file: string,
): Choice {
  const { op, from } = record(value, `an operation of ${where}`, file);
  if (
    typeof op !== "string" || op === ZERO_PRIMITIVE ||
    !PRIMITIVE_NAMES.includes(op)
  ) {
    const names = PRIMITIVE_NAMES.filter((name) => name !== ZERO_PRIMITIVE);
    refuse(
      file,
      `an operation of ${where}`,
      `one of ${names.join(", ")}`,
      op,
      typeof op === "string" ? didYouMean(op, names) : "",
    );
  }
  if (!isIndex(from, 0, node + 1)) {
    refuse(file, `a source of ${where}`, `a node from 0 to ${node + 1}`, from);
  }
  return { op, from };
}

function isIndex(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least &&
    (value as number) <= most;
}

function record(value: unknown, where: string, file: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    refuse(file, where, "an object", value);
  }
  return value as Record<string, unknown>;
}

function checkLength(text: string, file: string): void {
  if (text.length > MAX_GENOTYPE_CHARACTERS) {
    refuse(
      file,
      "its length",
      `at most ${MAX_GENOTYPE_CHARACTERS} characters`,
      text.length,
    );
  }
}

function refuse(
  file: string,
  what: string,
  expected: string,
  value: unknown,
  hint = "",
): never {
  const shown = JSON.stringify(value) ?? "missing";
  throw new FailureError(
    `Cannot read ${file} as a genotype: ${what} must be ${expected}: current value is ${
      shown.length > 60 ? shown.slice(0, 60) + "…" : shown
    }${hint}`,
  );
}
