/**
 * Rules that end a search early. They observe the records of the epochs and change nothing, so a search that ends early
 * has the bits of a longer one up to there, and a resumed one ends where it would have ended. Epochs in which the alphas
 * are frozen do not count.
 * @module
 */
import { SKIP_PRIMITIVE } from "../space/space.ts";
import type { SearchConfig } from "./config.ts";
import type { EpochRecord } from "./records.ts";
import { picksOf, settledOf } from "./settled.ts";

/** What a rule looks at. */
export type ObservedEpoch = Pick<EpochRecord, "epoch" | "genotypes">;

/** What of a configuration says when to stop. */
export type StopConfig = Pick<
  SearchConfig,
  "alphaWarmupEpochs" | "discretizer" | "epochs" | "stopSkips" | "stopStableEpochs"
>;

/** Why a search ended. */
export interface StopReason {
  /** `epochs`: it went through all of them; else the rule that ended it. */
  readonly rule: "epochs" | "skips" | "stable";
  /** The last epoch. */
  readonly epoch: number;
  /** A part of a sentence for people. */
  readonly text: string;
}

/** A rule: what it says when the search is to end now, or undefined. */
type StoppingRule = (config: StopConfig, epochs: readonly ObservedEpoch[]) => string | undefined;

const RULES: Readonly<Record<Exclude<StopReason["rule"], "epochs">, StoppingRule>> = {
  // DARTS+ (arXiv 1909.06035), criterion 1: as many skip-connections in a normal cell.
  skips({ stopSkips, discretizer }, epochs) {
    const text = epochs.at(-1)?.genotypes[discretizer];
    if (stopSkips === null || text === undefined) return undefined;
    const skips = [...picksOf(text)].filter((pick) => {
      const [kind, , , op] = pick.split(" ");
      return kind === "normal" && op === SKIP_PRIMITIVE;
    }).length;
    return skips >= stopSkips ? `the normal cell of ${discretizer} came to ${skips} skip-connections` : undefined;
  },
  // DARTS+, criterion 2, on what would be picked instead of the ranking of the alphas.
  stable({ stopStableEpochs, discretizer }, epochs) {
    if (stopStableEpochs === null || epochs.length === 0) return undefined;
    const settled = settledOf(epochs).find(({ method }) => method === discretizer)?.epochs ?? 0;
    return settled >= stopStableEpochs ? `the cells of ${discretizer} were the same for ${settled} epochs` : undefined;
  },
};

/** Why the search is to end after these epochs; undefined: it goes on. */
export function stopReason(config: StopConfig, epochs: readonly ObservedEpoch[]): StopReason | undefined {
  const epoch = epochs.at(-1)?.epoch ?? 0, searched = epochs.filter((e) => e.epoch > config.alphaWarmupEpochs);
  for (const rule of ["skips", "stable"] as const) {
    const text = RULES[rule](config, searched);
    if (text !== undefined) return { rule, epoch, text };
  }
  return epoch >= config.epochs ? { rule: "epochs", epoch, text: "it went through all epochs" } : undefined;
}
