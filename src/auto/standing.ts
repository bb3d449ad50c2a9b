/**
 * Where candidates stand, and who is ahead. Pure.
 * @module
 */
import type { CandidateNetwork } from "./candidates.ts";
import { pairedDifference, shareInterval, Z95 } from "./interval.ts";
import type { SearchVerdict, Standing, TrialResult } from "./records.ts";
import type { TrivialResult } from "./trivial.ts";

/** Orders candidates by what they reached: who got further, then who has more right answers, then the smaller loss. */
function byResult(a: Standing, b: Standing): number {
  return b.rungs - a.rungs || b.accuracy - a.accuracy || a.loss - b.loss;
}

const answers = (right: string): boolean[] => [...right].map((digit) => digit === "1");

/** Right answers after each rung. */
const rightsOf = ({ earlier = [], right }: Standing): readonly string[] => [...earlier, right];

/** Whether `behind` has fewer right answers than `ahead` by more than chance explains: by one standard error. */
function isClearlyBehind(behind: Standing, ahead: Standing): boolean {
  if (behind.right.length !== ahead.right.length) return byResult(ahead, behind) < 0;
  const { difference, interval: [low, high] } = pairedDifference(answers(ahead.right), answers(behind.right));
  return difference > (high - low) / (2 * Z95);
}

/**
 * Candidates, the best first: who got further is ahead; among those that got equally far the one that entered first,
 * unless another one has clearly more right answers to the same images. With few held-out images the best share of right
 * answers is mostly luck; those that enter first are those that do best in the long run elsewhere.
 * @param entered in the order in which they entered
 */
export function ranked(entered: readonly Standing[]): Standing[] {
  let left = [...entered];
  const order: Standing[] = [];
  while (left.length > 0) {
    const top = left.toSorted(byResult)[0];
    const next = left.find((each) => each.rungs === top.rungs && !isClearlyBehind(each, top))!;
    order.push(next);
    left = left.filter((each) => each !== next);
  }
  return order;
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
    ...{ candidate, rungs: rung + 1, right, earlier: before ? rightsOf(before) : [] },
    steps: (before?.steps ?? 0) + sum("steps"),
    seconds: (before?.seconds ?? 0) + sum("seconds"),
    accuracy: correct / right.length,
    interval: shareInterval(correct, right.length),
    loss: sum("loss") / results.length,
  };
}

/** The best searched candidate beside the best of the others, on the same images, after the last rung of both. */
export function verdictOf(leaderboard: readonly Standing[]): SearchVerdict | null {
  const searched = leaderboard.find(({ candidate }) => candidate.origin === "searched");
  const other = leaderboard.find(({ candidate }) => candidate.origin !== "searched");
  if (!searched || !other) return null;
  const rung = Math.min(searched.rungs, other.rungs),
    [a, b] = [searched, other].map((each) => rightsOf(each)[rung - 1]);
  if (a.length !== b.length) return null;
  const names = { searched: searched.candidate.name, other: other.candidate.name };
  return { ...names, rung, ...pairedDifference(answers(a), answers(b)) };
}

/** Times the steps of a comparison after which it tells nothing of a network any more. */
const OTHER_BY_THEN = 4;

/**
 * What is to be said where a trivial answer to the held-out images was right more often than the best network.
 * @param later steps that it was trained for after that, times the splits that `steps` are the sum over
 */
export function trivialVerdict(
  { candidate, accuracy, steps }: Standing,
  trivial: readonly TrivialResult[],
  later: number,
): string | undefined {
  const share = ({ correct, count }: TrivialResult): number => correct / count;
  const [best] = trivial.toSorted((a, b) => share(b) - share(a)), percent = (x: number): string => (100 * x).toFixed(1);
  if (!best || share(best) <= accuracy || later > OTHER_BY_THEN * steps) return undefined;
  return `${best.name} was right about ${percent(share(best))} % of the held-out images, ${candidate.name} about ${
    percent(accuracy)
  } % when it was chosen, after ${steps} ${
    steps === 1 ? "step" : "steps"
  }: without many more images, or a longer time, it may be the better answer`;
}
