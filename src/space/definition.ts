/**
 * Search spaces as users write them, in YAML: a mapping of a name, primitives, nodes and the places of reduction cells,
 * and what skeleton they stand in, checked from top to bottom. Not responsible for what a space means (`space.ts`).
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { parseYamlOptions, showValue } from "../base/options.ts";
import { MAX_NAS_BENCH_NODES } from "./nas_bench_cell.ts";
import { type DepthPart, isReduceAt, REDUCE_AT_TEXT } from "./reductions.ts";
import {
  CELL_KINDS,
  type CellKind,
  type CellShape,
  didYouMean,
  type Edge,
  edgesOf,
  findSpace,
  PRIMITIVE_NAMES,
  SKELETON_NAMES,
  type SkeletonName,
  type Space,
  SPACES,
  ZERO_PRIMITIVE,
} from "./space.ts";

/** Primitives of a kind of cell: one list for all edges, or a list for each edge in the order of {@linkcode edgesOf}. */
export type EdgePrimitives = readonly string[] | readonly (readonly string[])[];

/** A space as users write it. */
export interface SpaceDefinition {
  /** Its name in reports: letters, digits, `-` and `_`, and none of the built-in spaces'. */
  readonly name: string;
  /** One line for reports. */
  readonly summary?: string;
  /** How cells are made and stacked; DARTS' way if left out. With another skeleton there is one kind of cell. */
  readonly skeleton?: SkeletonName;
  /** Number of nodes of a cell besides its inputs. */
  readonly nodes: number;
  /** The primitives of all cells, or of each kind of cell. */
  readonly primitives: EdgePrimitives | Readonly<Record<CellKind, EdgePrimitives>>;
  /** Where reduction cells stand, as parts of the depth from 0 to 1 or texts like `1/3`; at thirds if left out. */
  readonly "reduce-at"?: readonly DepthPart[];
}

const KEYS = ["name", "summary", "skeleton", "nodes", "primitives", "reduce-at"];
const MAX_NODES = 8, MAX_SUMMARY = 200;

/**
 * Reads the text of a YAML file; `path` names it in errors.
 * @example Skip or a separable convolution on every edge
 * ```ts
 * import { parseSpace } from "./definition.ts";
 * const { name } = parseSpace("mine.yaml", "name: mine\nnodes: 2\nprimitives: [skip_connect, sep_conv_3x3]");
 * console.assert(name === "mine");
 * ```
 * @throws {UsageError} one sentence that names the key and what it must be.
 */
export function parseSpace(path: string, text: string): SpaceDefinition {
  return checkSpace(parseYamlOptions(path, text), `'${path}'`);
}

/** Throws what is wrong with a definition: what must be what, and is what. */
type Refuse = (what: string, expected: string, current: unknown, hint?: string) => never;

/**
 * Checks a value of unknown origin and returns a fresh definition; `source` names it in errors.
 * @throws {UsageError} one sentence that names the key and what it must be.
 */
export function checkSpace(value: unknown, source: string): SpaceDefinition {
  const refuse: Refuse = (what, expected, current, hint = "") => {
    throw new UsageError(
      `Cannot use the search space in ${source} as ${what} must be ${expected}: current value is ${
        current === undefined ? "missing" : showValue(current)
      }${hint}`,
    );
  };
  if (!isMapping(value)) return refuse("it", `a mapping of ${KEYS.join(", ")}`, value);
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) refuse("each key", `one of ${KEYS.join(", ")}`, unknown, didYouMean(unknown, KEYS));
  const { name, summary, primitives, "reduce-at": reduceAt } = value;
  const named = checkName(name, refuse);
  if (summary !== undefined && !isLine(summary)) {
    refuse("its summary", `one line of up to ${MAX_SUMMARY} characters`, summary);
  }
  const shape = checkShape(value, refuse);
  if (reduceAt !== undefined && !isReduceAt(reduceAt)) return refuse("reduce-at", REDUCE_AT_TEXT, reduceAt);
  return {
    name: named,
    ...(summary === undefined ? {} : { summary: summary as string }),
    ...shape,
    primitives: checkPrimitives(primitives, shape, refuse),
    ...(reduceAt ? { "reduce-at": [...reduceAt] } : {}),
  };
}

function checkName(name: unknown, refuse: Refuse): string {
  const taken = SPACES.map((space) => space.name);
  if (typeof name !== "string" || !/^[a-z0-9][a-z0-9_-]{0,39}$/i.test(name)) {
    return refuse("its name", "up to 40 letters, digits, - and _", name);
  }
  return taken.includes(name) ? refuse("its name", `other than the built-in ${taken.join(", ")}`, name) : name;
}

function checkShape({ skeleton, nodes }: Record<string, unknown>, refuse: Refuse): CellShape {
  if (skeleton !== undefined && !(SKELETON_NAMES as readonly unknown[]).includes(skeleton)) {
    return refuse("its skeleton", `${SKELETON_NAMES.join(", ")}, or left out`, skeleton);
  }
  const most = skeleton === undefined ? MAX_NODES : MAX_NAS_BENCH_NODES;
  if (!Number.isSafeInteger(nodes) || (nodes as number) < 1 || (nodes as number) > most) {
    return refuse("nodes", `a whole number from 1 to ${most}`, nodes);
  }
  return { nodes: nodes as number, ...(skeleton ? { skeleton: skeleton as SkeletonName } : {}) };
}

function checkPrimitives(value: unknown, shape: CellShape, refuse: Refuse): SpaceDefinition["primitives"] {
  if (!isMapping(value)) return checkCell(value, "primitives", shape, refuse);
  const { skeleton } = shape;
  if (skeleton) return refuse("primitives", `a list, as there is one kind of cell in ${skeleton}`, value);
  const other = Object.keys(value).find((key) => !(CELL_KINDS as readonly string[]).includes(key));
  if (other !== undefined) {
    refuse("each key of primitives", `one of ${CELL_KINDS.join(", ")}`, other, didYouMean(other, CELL_KINDS));
  }
  const of = (kind: CellKind): EdgePrimitives => checkCell(value[kind], `primitives of ${kind}`, shape, refuse);
  return { normal: of("normal"), reduce: of("reduce") };
}

/** One list for all edges of a cell, or a list for each edge; there must be something to choose from. */
function checkCell(lists: unknown, where: string, shape: CellShape, refuse: Refuse): EdgePrimitives {
  if (!Array.isArray(lists) || !lists.some(Array.isArray)) {
    const list = checkList(lists, where, refuse);
    return list.length > 1 ? list : refuse(where, "at least 2 primitives to choose from", list[0]);
  }
  const edges = edgesOf(shape);
  if (lists.length !== edges.length) {
    refuse(where, `a list for each of the ${edges.length} edges of a cell with ${shape.nodes} nodes`, lists.length);
  }
  const checked = lists.map((list, i) => checkList(list, `${where} on edge ${i} (${edgeText(edges[i])})`, refuse));
  if (checked.every((list) => list.length === 1)) {
    refuse(where, "at least 2 primitives to choose from on some edge", checked[0][0]);
  }
  return checked;
}

function checkList(list: unknown, where: string, refuse: Refuse): string[] {
  if (!Array.isArray(list) || list.length < 1) return refuse(where, "a list of primitives", list);
  list.forEach((op, i) => {
    if (typeof op !== "string" || !PRIMITIVE_NAMES.includes(op)) {
      const hint = typeof op === "string" ? didYouMean(op, PRIMITIVE_NAMES) : "";
      refuse(`a primitive of ${where}`, `one of ${PRIMITIVE_NAMES.join(", ")}`, op, hint);
    }
    if (list.indexOf(op) < i) refuse(where, "a list that names each primitive once", op);
  });
  if (list.every((op) => op === ZERO_PRIMITIVE)) {
    refuse(where, `a list with a primitive other than ${ZERO_PRIMITIVE}`, ZERO_PRIMITIVE);
  }
  return [...list];
}

/** The space that a definition describes. Columns of alpha are in the order in which it first names the primitives. */
export function spaceOf(definition: SpaceDefinition): Space {
  const { name, summary = "a space of your own", skeleton, nodes, primitives, "reduce-at": reduceAt } = definition;
  const uniform = Array.isArray(primitives) && !primitives.some(Array.isArray);
  const perKind = "normal" in primitives ? primitives : { normal: primitives, reduce: primitives };
  const union = [...new Set(CELL_KINDS.flatMap((kind) => perKind[kind].flat()))];
  const perEdge = (lists: EdgePrimitives): string[][] =>
    edgesOf(definition).map(({ index }) => {
      const list = lists[index];
      return union.filter((op) => (Array.isArray(list) ? list : lists).includes(op));
    });
  return {
    name,
    summary,
    nodes,
    primitives: union,
    ...(uniform ? {} : { edgePrimitives: { normal: perEdge(perKind.normal), reduce: perEdge(perKind.reduce) } }),
    ...(reduceAt ? { reduceAt } : {}),
    ...(skeleton ? { skeleton } : {}),
  };
}

/**
 * The space of a configuration: a built-in one by its name, or one that is defined there.
 * @throws {UsageError} for an unknown name
 */
export function resolveSpace(space: string | SpaceDefinition): Space {
  return typeof space === "string" ? findSpace(space) : spaceOf(space);
}

const edgeText = ({ from, to }: Edge): string => `${from} to ${to}`;

const isLine = (value: unknown): boolean =>
  typeof value === "string" && value.length <= MAX_SUMMARY && !/[\p{Cc}\u2028\u2029]/u.test(value);

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
