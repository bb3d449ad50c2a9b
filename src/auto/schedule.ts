/**
 * How a budget is shared out between a search, the halving of candidates and the training of the winner. Pure.
 * @module
 */
import type { Budget } from "./budget.ts";

/** Shares of a budget, in its unit. */
export interface Schedule {
  /** Plain and published candidates. */
  readonly known: number;
  /** Candidates from the search; 0: there is none. */
  readonly searched: number;
  /** What the search may take. */
  readonly search: number;
  /** Rungs of the halving. */
  readonly rungs: number;
  /** What a rung may take, all its candidates together. */
  readonly rung: number;
}

/** Seconds from which on a search is worth its time where nobody says. */
const SEARCH_FROM = 400;
/** Share of what there is for the search. */
const SEARCH_SHARE = 0.22;
/** Share of the rest for the halving, for each candidate and in all; what remains is the winner's. */
const CANDIDATE_SHARE = 0.12, HALVING_SHARE = 0.42;
/**
 * What a candidate gets at the least in the first rung, as a share of the budget within some seconds: less tells
 * nothing, and lets only networks go on that learn fast and are too small for all the time that there is.
 */
const LEAST_SHARE = 0.04, LEAST_SECONDS = 10, ENOUGH_SECONDS = 60;
/** Most candidates, and fewest: two that are known, and one of a search that has its time. */
const MOST_CANDIDATES = 10, FEWEST_CANDIDATES = 2;

/** Rungs until one of `candidates` is left. */
export function rungsFor(candidates: number): number {
  return Math.max(1, Math.ceil(Math.log2(candidates)));
}

/** Candidates that go on from a rung of `n`. */
export function survivors(n: number): number {
  return Math.max(1, Math.ceil(n / 2));
}

/**
 * Shares a budget out.
 * @param usable what may be spent before the end
 * @param splits of the images, each with a network of its own
 */
export function schedule(usable: number, budget: Budget, wanted: "auto" | "on" | "off", splits: number): Schedule {
  const seconds = budget.inSeconds(usable), searches = wanted === "on" || (wanted === "auto" && seconds >= SEARCH_FROM);
  const search = searches ? SEARCH_SHARE * usable : 0;
  const halving = (n: number): number => Math.min(HALVING_SHARE, CANDIDATE_SHARE * n) * (usable - search);
  const least = Math.max(LEAST_SECONDS, Math.min(ENOUGH_SECONDS, LEAST_SHARE * seconds));
  let count = MOST_CANDIDATES;
  const slice = (n: number): number => halving(n) / rungsFor(n) / n / splits;
  const fewest = FEWEST_CANDIDATES + (seconds >= SEARCH_FROM ? 1 : 0);
  while (count > fewest && budget.inSeconds(slice(count)) < least) count--;
  const searched = searches ? Math.max(1, Math.min(3, Math.floor(count / 2))) : 0, rungs = rungsFor(count);
  return { known: count - searched, searched, search, rungs, rung: halving(count) / rungs };
}
