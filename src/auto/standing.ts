/**
 * Where candidates stand, and who is ahead. Pure.
 * @module
 */
import type { CandidateNetwork } from "./candidates.ts";
import { pairedDifference, shareInterval } from "./interval.ts";
import type { SearchVerdict, Standing, TrialResult } from "./records.ts";

/** Orders candidates, the best first: who got further, then who has more right answers, then the smaller loss. */
export function compareStandings(a: Standing, b: Standing): number {
  return b.rungs - a.rungs || b.accuracy - a.accuracy || a.loss - b.loss;
}

/** Whether a candidate did better than another one. */
export function isBetter(a: Standing, b: Standing): boolean {
  return compareStandings(a, b) < 0;
}

/** Where a candidate stands after a rung, from its trials on every split. */
export function standingOf(
  candidate: CandidateNetwork,
  rung: number,
  results: readonly TrialResult[],
  before: Standing | undefined,
): Standing {
  const right = results.map((result) => result.right).join(""),
    sum = (key: "steps" | "seconds" | "loss") => results.reduce((total, result) => total + result[key], 0);
  const correct = right.replaceAll("0", "").length;
  return {
    ...{ candidate, rungs: rung + 1, right },
    steps: (before?.steps ?? 0) + sum("steps"),
    seconds: (before?.seconds ?? 0) + sum("seconds"),
    accuracy: correct / right.length,
    interval: shareInterval(correct, right.length),
    loss: sum("loss") / results.length,
  };
}

/** The best searched candidate beside the best of the others, on the same images. */
export function verdictOf(leaderboard: readonly Standing[]): SearchVerdict | null {
  const searched = leaderboard.find(({ candidate }) => candidate.origin === "searched");
  const other = leaderboard.find(({ candidate }) => candidate.origin !== "searched");
  if (!searched || !other || searched.right.length !== other.right.length) return null;
  const answers = ({ right }: Standing): boolean[] => [...right].map((digit) => digit === "1");
  return {
    searched: searched.candidate.name,
    other: other.candidate.name,
    ...pairedDifference(answers(searched), answers(other)),
  };
}
