/**
 * The options of `auto`: the one list from which come flags, YAML keys, help, defaults and validation.
 * @module
 */
import { option, optionError, text, UsageError } from "../base/errors.ts";
import { defineOptions, type Layer, type OptionSet } from "../base/options.ts";
import { DATA_OPTION_LIST } from "../data/config.ts";
import { type Budget as SizeBudget, parseCount } from "../space/cost.ts";
import { parseTime } from "./budget.ts";
import type { AutoOptions } from "./options.ts";

/** The list behind {@linkcode AUTO_OPTIONS}. */
export const AUTO_OPTION_LIST = [
  ...DATA_OPTION_LIST,
  {
    key: "time",
    kind: "string",
    default: "10m",
    group: "Budget",
    help: "how long it may take, all in all: 90s, 10m, 2h, 1h30m",
  },
  {
    key: "steps",
    kind: "int",
    min: 20,
    max: 1_000_000_000,
    default: null,
    group: "Budget",
    help: "training steps in all, instead of a time: the same call gives the same bits",
  },
  {
    key: "params",
    kind: "string",
    default: null,
    group: "Constraints",
    help: "most weights of the network, for example 100k",
  },
  {
    key: "macs",
    kind: "string",
    default: null,
    group: "Constraints",
    help: "most multiply-accumulates of an image, for example 20M",
  },
  {
    key: "size",
    kind: "string",
    default: null,
    group: "Constraints",
    help: "largest ONNX file, for example 500KB or 2MB",
  },
  {
    key: "latency",
    kind: "string",
    default: null,
    group: "Constraints",
    help: "longest time for one image on this machine, as measured, for example 20ms",
  },
  {
    key: "search",
    kind: "choice",
    choices: ["auto", "on", "off"],
    default: "auto",
    group: "Candidates",
    help: "whether cells are searched on these images; auto: where there are seven minutes or more",
  },
  {
    key: "members",
    kind: "int",
    min: 1,
    max: 16,
    default: 4,
    group: "Candidates",
    help: "most networks, trained apart, that answer together where there is time to train each of them well",
  },
  {
    key: "mirror",
    kind: "choice",
    choices: ["auto", "off"],
    default: "auto",
    group: "Candidates",
    help:
      "whether the answer to the mirror image of an image counts too, for twice the multiply-accumulates; auto: where " +
      "images may be flipped and what the network may cost allows it",
  },
  {
    key: "seed",
    kind: "int",
    min: 0,
    max: 2 ** 52,
    default: 0,
    group: "Budget",
    help: "of everything drawn at random",
  },
] as const;

/** Options of `auto`. */
export const AUTO_OPTIONS: OptionSet<typeof AUTO_OPTION_LIST> = defineOptions(AUTO_OPTION_LIST);

/** What `auto` works with: every option, defaults filled in. */
export type AutoConfig = Required<AutoOptions>;

/** Options that a run which goes on may change: more time, or the data at another place. */
export const HARMLESS_AUTO_OPTIONS: readonly string[] = ["data", "time"];

/**
 * The options of `auto`, defaults filled in.
 * @throws {UsageError} for an unknown key, naming the nearest one, and for a value that an option does not take.
 */
export function resolveAutoConfig(options: AutoOptions = {}): AutoConfig {
  return resolveAutoLayers([AUTO_OPTIONS.objectLayer(options)]);
}

/** Defaults, then the layers (file, flags). @throws {UsageError} for an unknown key or value. */
export function resolveAutoLayers(layers: readonly Layer[]): AutoConfig {
  const config = AUTO_OPTIONS.resolve(layers);
  amountOf(config);
  limitsOf(config);
  return config;
}

/** Bytes of an ONNX file that are not weights, for each weight that there is one more of: names and graph, about. */
const GRAPH_BYTES = 40_000;

/** What no network may exceed. */
export interface Limits {
  /** Weights and multiply-accumulates. */
  readonly size?: SizeBudget;
  /** Bytes of the ONNX file. */
  readonly bytes?: number;
  /** Seconds for one image. */
  readonly latency?: number;
}

/**
 * What no network may exceed.
 * @throws {UsageError} for a count, size or time that is none, and for a time where nothing may depend on the clock.
 */
export function limitsOf(
  { params, macs, size, latency, steps }: Pick<AutoConfig, "params" | "macs" | "size" | "latency" | "steps">,
): Limits {
  if (latency !== null && steps !== null) {
    throw new UsageError(
      text`Cannot use ${option("latency")} together with ${
        option("steps")
      } as the clock says what is quick enough: the same call would give other bits`,
      { option: "latency", remedies: ["leave one of them away"] },
    );
  }
  const bytes = size === null ? undefined : parseBytes(size),
    parameters = Math.min(
      params === null ? Infinity : parseCount(params, "params"),
      bytes === undefined ? Infinity : Math.floor((bytes - GRAPH_BYTES) / 4),
    );
  if (parameters < 1) {
    throw optionError({ key: "size", must: `more than the ${GRAPH_BYTES / 1000} KB of a graph`, value: size! });
  }
  const most = {
    ...(parameters < Infinity ? { parameters } : {}),
    ...(macs === null ? {} : { macs: parseCount(macs, "macs") }),
  };
  return {
    ...(Object.keys(most).length > 0 ? { size: most } : {}),
    ...(bytes === undefined ? {} : { bytes }),
    ...(latency === null ? {} : { latency: parseLatency(latency) }),
  };
}

function parseLatency(value: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s)\s*$/i.exec(value);
  const seconds = match ? Number(match[1]) * (match[2].toLowerCase() === "ms" ? 1e-3 : 1) : 0;
  if (seconds > 0) return seconds;
  throw optionError({ key: "latency", must: "a time such as 20ms or 1.5s", value: value.slice(0, 60) });
}

function parseBytes(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([KM])i?B\s*$/i.exec(text);
  if (!match) throw optionError({ key: "size", must: "a size such as 500KB or 2MB", value: text.slice(0, 60) });
  return Number(match[1]) * (match[2].toUpperCase() === "K" ? 1e3 : 1e6);
}

/** Seconds in which a network can be found at all: there is an adapter to open, and much to compile. */
const LEAST_TIME = 30;

/**
 * Seconds or steps that a configuration allows.
 * @throws {UsageError} for a time that is none, or too short.
 */
export function amountOf({ time, steps }: Pick<AutoConfig, "time" | "steps">): { seconds: number } | { steps: number } {
  if (steps !== null) return { steps };
  const seconds = parseTime(time, "time");
  if (seconds < LEAST_TIME) throw optionError({ key: "time", must: `${LEAST_TIME} s at the least`, value: time });
  return { seconds };
}
