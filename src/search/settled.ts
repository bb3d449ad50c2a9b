/**
 * Whether the choice has settled: how what each rule would pick changed from epoch to epoch. Pure functions of what the
 * metrics hold, so that observers, the terminal and reports say the same.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { parseGenotype } from "../space/genotype.ts";
import { CELL_KINDS } from "../space/space.ts";
import type { EpochRecord } from "./records.ts";

/** How long a rule would have picked the same cells. */
export interface Settled {
  /** Name of the rule. */
  readonly method: string;
  /** Epochs in a row, up to the last one, with the same cells. */
  readonly epochs: number;
  /** First of them. */
  readonly since: number;
  /** Times that the cells changed, of all epochs. */
  readonly changes: number;
}

/**
 * The operations of a genotype's text, each with its cell, node and source, in no order that matters: which of a node's
 * two operations is the stronger one is no part of the architecture.
 */
export function picksOf(text: string): ReadonlySet<string> {
  try {
    const genotype = parseGenotype(text, "a genotype");
    return new Set(
      CELL_KINDS.flatMap((kind) =>
        genotype[kind].nodes.flatMap((pair, node) =>
          pair.map(({ op, from }, i) => {
            const again = i > 0 && pair[0].op === op && pair[0].from === from; // only in cells written by hand
            return `${kind} ${node} ${from} ${op}${again ? " again" : ""}`;
          })
        )
      ),
    );
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    return new Set([text]); // a form of its own: the same text, or another one
  }
}

/** How many operations of `next` are not in `before`; 0: the same cells. */
export function changedPicks(before: string, next: string): number {
  if (before === next) return 0;
  const old = picksOf(before);
  return [...picksOf(next)].filter((pick) => !old.has(pick)).length;
}

/** For each rule and epoch how many operations changed since the epoch before; null in the first one. */
export function changesOf(epochs: readonly Pick<EpochRecord, "genotypes">[]): Record<string, (number | null)[]> {
  const methods = [...new Set(epochs.flatMap((e) => Object.keys(e.genotypes)))];
  return Object.fromEntries(methods.map((method) => [
    method,
    epochs.map((e, i) => {
      const before = epochs[i - 1]?.genotypes[method], now = e.genotypes[method];
      return before === undefined || now === undefined ? null : changedPicks(before, now);
    }),
  ]));
}

/** For each rule how long it would have picked the same cells. */
export function settledOf(epochs: readonly Pick<EpochRecord, "genotypes" | "epoch">[]): Settled[] {
  return Object.entries(changesOf(epochs)).map(([method, changes]) => {
    const first = Math.max(0, changes.findLastIndex((n) => n !== 0));
    return {
      method,
      epochs: epochs.length - first,
      since: epochs[first].epoch,
      changes: changes.filter((n) => n !== null && n > 0).length,
    };
  });
}
