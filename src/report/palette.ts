/**
 * The colours of a report, for the light and the dark scheme, as CSS variables. What is drawn names a variable, so one
 * drawing suits both schemes. Lines that share a hue differ in their dashes: colour is never the only sign.
 * @module
 */
import { PRIMITIVES } from "../space/primitives.ts";
import { SKIP_PRIMITIVE, ZERO_PRIMITIVE } from "../space/space.ts";
import { familyOf } from "./cell_svg.ts";

/** How a line or a bar of a chart looks. */
export interface Look {
  /** A CSS colour. */
  readonly colour: string;
  /** Lengths of dashes and gaps, in pixels; empty: a solid line. */
  readonly dash: readonly number[];
}

/** Dashes, the first solid. */
const DASHES: readonly (readonly number[])[] = [[], [6, 3], [2, 2.5], [9, 3, 2, 3], [4, 4], [12, 4]];

/** Pairs for light and dark paper that keep a contrast of 3 and more, and that colour-blind readers can tell apart. */
const SERIES: readonly (readonly [light: string, dark: string])[] = [
  ["#1f6fb8", "#6cb4f5"],
  ["#c25a05", "#f2a359"],
  ["#17805a", "#55c898"],
  ["#8a4fc0", "#c4a0f7"],
  ["#b92f52", "#f58aa2"],
  ["#6f6300", "#d3c44a"],
];

/** Shades for each family of operations in the drawing of the cell: light paper, dark paper. */
const SHADES: Readonly<Record<string, readonly (readonly [light: string, dark: string])[]>> = {
  none: [["#8a95a2", "#7a8594"]],
  skip: [["#27313c", "#eef2f6"]],
  pool: [["#8f5d00", "#e5ae48"], ["#d08a10", "#a0751c"]],
  separable: [["#1d5f9f", "#74b3ef"], ["#4a93d8", "#3d7fbf"], ["#148a99", "#4fc3d1"]],
  dilated: [["#6f43bd", "#b393f0"], ["#a07ddb", "#8260c6"]],
  other: [["#2c8653", "#64c78b"]],
};

/** Position of an operation among those of its family. */
function rankOf(op: string): number {
  const rank = PRIMITIVES.filter(({ name }) => familyOf(name) === familyOf(op)).findIndex(({ name }) => name === op);
  return Math.max(0, rank);
}

/** The look of an operation, everywhere in a report. */
export function operationLook(op: string): Look {
  const shades = SHADES[familyOf(op)], rank = rankOf(op) % shades.length;
  const dash = op === ZERO_PRIMITIVE ? DASHES[2] : op === SKIP_PRIMITIVE ? DASHES[0] : DASHES[rank];
  return { colour: `var(--${familyOf(op)}-${rank})`, dash };
}

/** The look of the series at position `index`. */
export function seriesLook(index: number): Look {
  return { colour: `var(--series-${index % SERIES.length})`, dash: DASHES[index % DASHES.length] };
}

/** Solid lines for the series at `index`. */
export function solidLook(index: number): Look {
  return { ...seriesLook(index), dash: [] };
}

/** Declarations of all variables of one scheme. */
export function paletteVariables(scheme: "light" | "dark"): string {
  const pick = scheme === "light" ? 0 : 1;
  const list = (name: string, pairs: readonly (readonly [string, string])[]): string[] =>
    pairs.map((pair, i) => `--${name}-${i}:${pair[pick]}`);
  return [...list("series", SERIES), ...Object.entries(SHADES).flatMap(([name, pairs]) => list(name, pairs))].join(";");
}
