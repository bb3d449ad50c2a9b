/**
 * Charts as SVG for pages, drawn by Vega without a browser, and the figures around them. Colours are CSS variables,
 * legends are HTML (they wrap on narrow screens), and points carry their values as titles, which browsers show on
 * hovering. The same data give the same bytes. Not responsible for what is shown.
 * @module
 */
import type { TopLevelSpec } from "vega-lite";
import { type Content, type Html, html, trusted } from "./markup.ts";
import { known, type Measured } from "./numbers.ts";
import type { Look } from "./palette.ts";

/** One line of a chart. */
export interface Series {
  /** For the legend and the titles of points. */
  readonly name: string;
  /** Colour and dashes. */
  readonly look: Look;
  /** Values by position; those that are not finite are gaps. */
  readonly points: readonly (readonly [x: number, y: Measured])[];
  /** Not of the data but to compare with: thin, and without points. */
  readonly reference?: boolean;
}

/** Lines over a count: epochs. */
export interface LineChart {
  /** What the chart shows, for readers who cannot see it. */
  readonly label: string;
  /** Name of the horizontal axis. */
  readonly x: string;
  /** How to write values (d3-format). */
  readonly format: string;
  /** Whether the axis begins at zero. */
  readonly zero?: boolean;
  /** Values that the axis must reach. */
  readonly reach?: readonly number[];
  /** Values are counts: no ticks between them. */
  readonly whole?: boolean;
  /** The lines. */
  readonly series: readonly Series[];
}

/** One part of a bar. */
export interface Part {
  /** The bar. */
  readonly bar: string;
  /** The part's name. */
  readonly name: string;
  /** Its length. */
  readonly value: number;
}

/** Bars of parts that add up to 1. */
export interface StackedBars {
  /** What the chart shows, for readers who cannot see it. */
  readonly label: string;
  /** Name of the axis of lengths. */
  readonly x: string;
  /** How to write lengths (d3-format). */
  readonly format: string;
  /** Parts in the order of drawing. */
  readonly parts: readonly Part[];
  /** Look of each part by name, in the order of the legend. */
  readonly looks: ReadonlyMap<string, Look>;
}

/** Means with intervals, to compare groups. */
export interface Intervals {
  /** What the chart shows, for readers who cannot see it. */
  readonly label: string;
  /** Name of the axis. */
  readonly x: string;
  /** How to write values (d3-format). */
  readonly format: string;
  /** The groups, from above. */
  readonly rows: readonly {
    readonly name: string;
    readonly look: Look;
    readonly mean: number;
    /** Ends of the interval; null: not known. */
    readonly interval: readonly [number, number] | null;
    /** The values behind the mean. */
    readonly points?: readonly number[];
  }[];
}

/** Size of a chart in user units; pages scale it by about 1, so that letters keep their size on any screen. */
const WIDTH = 360, HEIGHT = 210;

/** More positions than this have no points: the line alone is clearer. */
const MOST_POINTS = 60;

const AXIS = {
  labelColor: "var(--muted)",
  titleColor: "var(--muted)",
  titleFontWeight: "normal",
  titleFontSize: 12,
  labelFontSize: 11.5,
  labelPadding: 5,
  gridColor: "var(--rule)",
  ticks: false,
  domain: false,
} as const;

const CONFIG = { font: "inherit", background: "transparent", view: { stroke: null }, axis: AXIS } as const;

/** Ticks of an axis of values, about. */
const TICKS = 5;

/**
 * `format` with as many digits as the ticks between `values` need to differ: where little changes, `.2f` would write
 * the same number at each of them. Formats without a fixed number of digits stay.
 */
function tickFormat(format: string, values: readonly number[]): string {
  const [, digits, kind] = /^\.(\d)([f%])$/.exec(format) ?? [], range = Math.max(...values) - Math.min(...values);
  if (kind === undefined || !(range > 0)) return format;
  // Ticks are 1, 2 or 5 times a power of ten apart: the nearest to the fifth of the range, by ratio.
  const least = Math.floor(Math.log10(range / TICKS * Math.SQRT2)), needed = -least - (kind === "%" ? 2 : 0);
  return `.${Math.min(9, Math.max(Number(digits), needed))}${kind}`;
}

/** Lines over a count, as an SVG element. */
export async function lineChart(chart: LineChart): Promise<Html> {
  const { series, reach = [] } = chart;
  const values = series.flatMap(({ name, points, reference = false }) =>
    points.filter(([, y]) => known(y)).map(([at, y]) => ({ x: at, y: y as number, name, reference }))
  );
  const positions = [...new Set(values.filter((v) => !v.reference).map((v) => v.x))];
  const axes = lineAxes(chart, values.map((v) => v.y), positions);
  const ranges = reach.length === 0 ? [] : [{
    data: { values: reach.map((y) => ({ x: positions[0], y })) },
    mark: { type: "point", opacity: 0, aria: false },
    encoding: { x: axes.x, y: axes.y },
  }];
  const layer = [...ranges, lines(series, axes), ...(positions.length <= MOST_POINTS ? [dots(chart, axes)] : [])];
  return await draw(chart.label, { width: WIDTH, height: HEIGHT, data: { values }, layer });
}

/** Where the values of a line chart stand and which colour they have, for Vega. */
function lineAxes(
  { series, format, x, whole = false, zero = false, reach = [] }: LineChart,
  values: readonly number[],
  positions: readonly number[],
) {
  const ends = [...values, ...reach, ...(zero ? [0] : [])], [only] = positions;
  const around = positions.length === 1 ? { domain: [only - 1, only + 1] } : {};
  const ticks = { format: tickFormat(format, ends), tickCount: TICKS, ...(whole ? { tickMinStep: 1 } : {}) };
  return {
    x: {
      field: "x",
      type: "quantitative",
      scale: { zero: false, nice: false, ...around },
      axis: {
        title: x,
        format: "d",
        tickMinStep: 1,
        tickCount: 6,
        grid: false,
        domain: true,
        domainColor: "var(--rule)",
      },
    },
    y: { field: "y", type: "quantitative", scale: { zero }, axis: { title: null, ...ticks } },
    color: bySeries(series, ({ colour }) => colour),
  };
}

/** What every line has one of. */
function bySeries(series: readonly Series[], of: (look: Look) => unknown) {
  const scale = { domain: series.map(({ name }) => name), range: series.map(({ look }) => of(look)) };
  return { field: "name", type: "nominal", scale, legend: null };
}

function lines(series: readonly Series[], axes: ReturnType<typeof lineAxes>) {
  return {
    mark: { type: "line", strokeCap: "butt", aria: false },
    encoding: {
      ...axes,
      strokeDash: bySeries(series, ({ dash }) => dash.length === 0 ? [1, 0] : dash),
      strokeWidth: { condition: { test: "datum.reference", value: 1 }, value: 2 },
    },
  };
}

function dots({ x, format }: LineChart, axes: ReturnType<typeof lineAxes>) {
  return {
    transform: [{ filter: "!datum.reference" }, {
      calculate: `datum.name + ", ${x} " + datum.x + ": " + format(datum.y, "${format}")`,
      as: "title",
    }],
    mark: { type: "point", filled: true, size: 26, opacity: 1 },
    encoding: { ...axes, description: { field: "title" } },
  };
}

/** Bars of parts, one below the other, as an SVG element. */
export async function stackedBars(chart: StackedBars): Promise<Html> {
  const { parts, looks, format, x } = chart;
  const bars = [...new Set(parts.map(({ bar }) => bar))];
  return await draw(chart.label, {
    width: WIDTH,
    height: 52 + 34 * bars.length,
    data: { values: parts.map((part, order) => ({ ...part, order })) },
    transform: [{ calculate: `datum.bar + ", " + datum.name + ": " + format(datum.value, "${format}")`, as: "title" }],
    mark: { type: "bar", height: { band: 0.72 }, stroke: "var(--card)", strokeWidth: 1 },
    encoding: {
      y: { field: "bar", type: "nominal", sort: bars, axis: { title: null } },
      x: {
        field: "value",
        type: "quantitative",
        stack: "zero",
        scale: { nice: false, domainMax: 1 },
        axis: { title: x, format, tickCount: 5 },
      },
      color: {
        field: "name",
        type: "nominal",
        scale: { domain: [...looks.keys()], range: [...looks.values()].map(({ colour }) => colour) },
        legend: null,
      },
      order: { field: "order", type: "quantitative" },
      description: { field: "title" },
    },
  });
}

/** Means with their intervals, one row each, as an SVG element. */
export async function intervals(chart: Intervals): Promise<Html> {
  const { rows, format, x } = chart, names = rows.map(({ name }) => name);
  const values = rows.map(({ name, mean, interval, look, points = [] }) => ({
    ...{ name, mean, colour: look.colour, points },
    ...(interval ? { low: interval[0], high: interval[1] } : {}),
    title: `${name}: ${mean.toFixed(2)}` +
      (interval ? `, between ${interval[0].toFixed(2)} and ${interval[1].toFixed(2)}` : ""),
  }));
  const y = { field: "name", type: "nominal", sort: names, axis: { title: null, labelLimit: 360 } };
  const at = (field: string) => ({ field, type: "quantitative", scale: { zero: false }, axis: { title: x, format } });
  const colour = { field: "colour", type: "nominal", scale: null };
  const drawn = await draw(chart.label, {
    width: 2 * WIDTH,
    height: 44 + 24 * rows.length,
    data: { values },
    layer: [
      {
        transform: [{ filter: "isValid(datum.low)" }],
        mark: { type: "rule", strokeWidth: 2, aria: false },
        encoding: { y, x: at("low"), x2: { field: "high" }, color: colour },
      },
      {
        transform: [{ flatten: ["points"] }],
        mark: { type: "tick", thickness: 1, size: 9, opacity: 0.6, aria: false },
        encoding: { y, x: at("points"), color: colour },
      },
      {
        mark: { type: "point", filled: true, size: 60, opacity: 1 },
        encoding: { y, x: at("mean"), color: colour, description: { field: "title" } },
      },
    ],
  });
  return trusted(String(drawn).replace('class="chart"', 'class="chart wide"'));
}

/** A chart, or whatever is one figure, with its heading, legend and a sentence that says what it means. */
export function figure(heading: string, caption: Content, body: Content, keys: Content = ""): Html {
  return html`
    <figure>
    <h4>${heading}</h4>
    ${body}
    ${keys}
    <figcaption>${caption}</figcaption>
    </figure>
  `;
}

/** A legend of lines; each key may say a value, the last one for example. */
export function lineKeys(series: readonly Series[], value?: (y: number) => string): Html {
  return legend(series.map(({ name, look, points, reference }) => {
    const last = reference ? undefined : points.findLast(([, y]) => known(y))?.[1];
    const width = reference ? 1 : 2.5, dash = look.dash.join(" ") || "none";
    const line =
      html`<line x2="22" y1="5" y2="5" stroke="${look.colour}" stroke-width="${width}" stroke-dasharray="${dash}" />`;
    const sample = html`<svg width="22" height="10" aria-hidden="true">${line}</svg>`;
    return [sample, name, value && known(last) && html`<b>${value(last)}</b>`];
  }));
}

/** A legend of areas. */
export function areaKeys(looks: ReadonlyMap<string, Look>): Html {
  return legend([...looks].map(([name, { colour }]) => {
    const area = html`<rect width="12" height="12" rx="2" fill="${colour}" />`;
    return [html`<svg width="12" height="12" aria-hidden="true">${area}</svg>`, name];
  }));
}

function legend(keys: readonly Content[]): Html {
  return html`<ul class="keys">${keys.map((key) => html`<li>${key}</li>`)}</ul>`;
}

async function draw(label: string, spec: Readonly<Record<string, unknown>>): Promise<Html> {
  // Loaded when it is needed: it takes a good part of a second, and few verbs draw.
  const [vega, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  const { spec: compiled } = compile({
    ...spec,
    padding: 4,
    autosize: { type: "fit", contains: "padding" },
    config: CONFIG,
  } as unknown as TopLevelSpec);
  const view = new vega.View(vega.parse(compiled), { renderer: "none", logLevel: vega.Error });
  try {
    return html`${trusted(tidy(await view.toSVG(), String(html`${label}`)))}`;
  } finally {
    view.finalize();
  }
}

/**
 * Vega's SVG without what a page has no use for: one picture with a name, no parts that are invisible, no long
 * numbers, and values of points as titles instead of labels.
 */
function tidy(svg: string, label: string): string {
  return svg
    .replace(/<svg [^>]*(viewBox="[^"]*")>/, `<svg class="chart" role="img" aria-label="${label}" $1>`)
    .replace(/<path (?:class="(?:background|foreground)")[^>]*\/>/g, "")
    .replace(/<path [^>]* opacity="0"[^>]*\/>/g, "")
    .replace(/<(path|rect)( [^>]*?)aria-label="([^"]*)"([^>]*)\/>/g, "<$1$2$4><title>$3</title></$1>")
    .replace(/<(?!svg )[a-z]+[^>]*>/g, (tag) =>
      tag
        .replace(/ (?:class|role|aria-[a-z]+|pointer-events|font-family)="[^"]*"/g, "")
        .replace(/ opacity="1"/, "")
        .replace(/-?\d+\.\d{3,}/g, (number) => String(Number(Number(number).toFixed(2)))));
}
