/**
 * The options that set the size of a derived network: the same wherever one is trained or counted. Not responsible for
 * finding the size that fits a budget (`cost.ts`).
 * @module
 */
import { option, text, UsageError } from "../base/errors.ts";
import type { Resolved } from "../base/options.ts";
import { type Budget, parseCount } from "./cost.ts";

/** The options. */
export const SIZE_OPTION_LIST = [
  {
    key: "init-channels",
    kind: "int",
    min: 2,
    max: 1024,
    default: null,
    group: "Network",
    help: "channels of the first cells; even (default: 36, imagenet form 48)",
  },
  {
    key: "cells",
    kind: "int",
    min: 3,
    max: 64,
    default: null,
    group: "Network",
    help: "number of cells (default: 20, imagenet form 14)",
  },
  {
    key: "params",
    kind: "string",
    default: null,
    group: "Network",
    help: "most parameters, for example 1M: picks channels (and cells)",
  },
  {
    key: "macs",
    kind: "string",
    default: null,
    group: "Network",
    help: "most multiply-accumulates of an image, for example 50M: picks channels (and cells)",
  },
] as const;

/** Their values in a resolved configuration. */
export type SizeConfig = Resolved<typeof SIZE_OPTION_LIST>;

/**
 * The budget that a configuration sets, or undefined.
 * @throws {UsageError} for a count that is none, or channels besides it.
 */
export function budgetOf(config: Pick<SizeConfig, "params" | "macs" | "initChannels">): Budget | undefined {
  const { params, macs, initChannels } = config;
  if (params === null && macs === null) return undefined;
  if (initChannels !== null) {
    const budget = option(params === null ? "macs" : "params"), channels = option("init-channels");
    throw new UsageError(
      text`Cannot use ${channels} together with ${budget}, which picks them: leave one of them away`,
    );
  }
  return {
    ...(params === null ? {} : { parameters: parseCount(params, "params") }),
    ...(macs === null ? {} : { macs: parseCount(macs, "macs") }),
  };
}
