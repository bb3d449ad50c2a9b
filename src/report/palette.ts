/**
 * The colours of a report, for the light and the dark scheme. What charts show names CSS variables, so one chart suits
 * both schemes. Lines that share a hue differ in their dashes: colour is never the only sign. Which hue, shade and dashes
 * an operation has is part of its description (`space/primitives.ts`).
 * @module
 */
import { type Dash, type Family, findPrimitive } from "../space/primitives.ts";

/** How a line or a bar of a chart looks. */
export interface Look {
  /** A CSS colour. */
  readonly colour: string;
  /** Lengths of dashes and gaps, in pixels; empty: a solid line. */
  readonly dash: readonly number[];
}

/** Fill, line and text colour of a box. */
export type Box = readonly [fill: string, line: string, text: string];

/** Lengths of dashes and gaps of the operations' lines, in pixels. */
const OPERATION_DASHES: Readonly<Record<Dash, readonly number[]>> = { solid: [], dashed: [6, 3], dotted: [2, 2.5] };

/** Dashes of other lines, the first solid. */
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

/** The colours of a family of operations. */
interface Hue {
  /** Of lines and areas of charts, for light paper and for dark paper. */
  readonly shades: readonly (readonly [light: string, dark: string])[];
  /** Of its boxes in drawings of cells. */
  readonly light: Box;
  readonly dark: Box;
}

const HUES: Readonly<Record<Family, Hue>> = {
  none: {
    shades: [["#8a95a2", "#7a8594"]],
    light: ["#ffffff", "#b9c1cb", "#7a8592"],
    dark: ["#14181d", "#4a545f", "#8c97a5"],
  },
  skip: {
    shades: [["#27313c", "#eef2f6"]],
    light: ["#eceff3", "#8b96a5", "#3b4653"],
    dark: ["#2b323b", "#7d8997", "#d3dae2"],
  },
  pool: {
    shades: [["#8f5d00", "#e5ae48"], ["#c98208", "#a0751c"]],
    light: ["#fdeecb", "#cf9217", "#6b4a05"],
    dark: ["#40320f", "#c8932c", "#f7dfa8"],
  },
  separable: {
    shades: [["#1d5f9f", "#74b3ef"], ["#4a93d8", "#3d7fbf"], ["#148a99", "#4fc3d1"]],
    light: ["#dcecfd", "#3b82c8", "#143f6b"],
    dark: ["#14304c", "#5a9fe0", "#cfe5fb"],
  },
  dilated: {
    shades: [["#6f43bd", "#b393f0"], ["#a07ddb", "#8260c6"]],
    light: ["#eae2fb", "#8158c9", "#42247c"],
    dark: ["#2f2250", "#a583e6", "#e5dafb"],
  },
  convolution: {
    shades: [["#2c8653", "#64c78b"], ["#4f9e6d", "#3f9a66"]],
    light: ["#dff3e6", "#3a9a62", "#16502f"],
    dark: ["#15382a", "#56b981", "#cdf0db"],
  },
  noise: {
    shades: [["#b0356f", "#ee85b5"]],
    light: ["#fbe3ee", "#b0356f", "#5f1439"],
    dark: ["#431a2e", "#d9699d", "#f9d3e4"],
  },
};

/** The boxes of every family of operations in drawings of cells. */
export const FAMILY_BOXES: readonly (readonly [family: string, boxes: Pick<Hue, "light" | "dark">])[] = Object.entries(
  HUES,
);

/** The look of an operation, everywhere in a report. */
export function operationLook(op: string): Look {
  const { family, look } = findPrimitive(op);
  return { colour: `var(--${family}-${look.shade})`, dash: OPERATION_DASHES[look.dash] };
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
  const hues = Object.entries(HUES).flatMap(([family, { shades }]) => list(family, shades));
  return [...list("series", SERIES), ...hues].join(";");
}
