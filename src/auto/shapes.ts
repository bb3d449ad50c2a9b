/**
 * What the files of an `auto` run look like, field by field: the ledger's entries by what they are about, and the
 * outcome. Not responsible for reading them.
 * @module
 */
import {
  aBoolean,
  also,
  aMeasurement,
  aText,
  listOf,
  mapping,
  nullable,
  oneOf,
  optional,
  type Shape,
  shape,
  whole,
} from "../base/shape.ts";
import { MADE_FIELDS, type MadeWith } from "../run/run_record.ts";
import { genotypeShape } from "../space/genotype.ts";
import type { Evaluation } from "../train/evaluation.ts";
import { evaluationShape } from "../train/evaluation_file.ts";
import { SHARE_SHAPE } from "../train/records.ts";
import type { CandidateNetwork } from "./candidates.ts";
import type { Interval } from "./interval.ts";
import type { Entry, LedgerRecord } from "./ledger.ts";
import type {
  AutoOutcome,
  Ensemble,
  Failed,
  FinalPlan,
  FinalTraining,
  SearchVerdict,
  Standing,
  TestOutcome,
  TrialResult,
  WrongImage,
} from "./records.ts";
import type { Schedule } from "./schedule.ts";
import type { FoundCells } from "./search_cells.ts";
import type { TrialPlan } from "./trial.ts";
import type { TrialFile } from "./trials.ts";
import type { TrivialResult } from "./trivial.ts";

const anAmount: Shape<number> = shape("a number from 0", (value) => Number.isFinite(value) && value as number >= 0);
const aShare: Shape<number> = shape(
  "a number from 0 to 1",
  (value) => typeof value === "number" && value >= 0 && value <= 1,
);
const anInterval: Shape<Interval> = shape(
  "two numbers, the smaller one first",
  (value) => Array.isArray(value) && value.length === 2 && value.every(Number.isFinite) && value[0] <= value[1],
);
const answers: Shape<string> = shape(
  "a text of a 0 or 1 for each image",
  (value) => typeof value === "string" && /^[01]+$/.test(value),
);

/** What is of a shape, or says why it came to nothing. */
function orFailed<T>(of: Shape<T>): Shape<T | Failed> {
  const failed = mapping<Failed>({ failed: aText });
  return (value, path) => {
    const isFailed = typeof value === "object" && value !== null && Object.hasOwn(value, "failed");
    return (isFailed ? failed : of)(value, path);
  };
}

const candidate = mapping<CandidateNetwork>({
  name: aText,
  origin: oneOf("plain", "published", "searched"),
  genotype: genotypeShape,
  channels: whole(1),
  cells: whole(1),
  parameters: whole(1),
  macs: whole(1),
});

const TRIAL_PLAN_FIELDS = {
  batch: whole(1),
  stepsPerEpoch: whole(1),
  epochs: whole(1),
  warmup: whole(),
  lr: anAmount,
  cutmix: optional(aShare),
  optimizer: optional(oneOf("muon")),
  again: aBoolean,
};
const trialPlan = mapping<TrialPlan>(TRIAL_PLAN_FIELDS);

const trialResult = mapping<TrialResult>({
  epochs: whole(1),
  steps: whole(1),
  seconds: anAmount,
  secondsPerStep: anAmount,
  secondsPerImage: anAmount,
  right: answers,
  loss: aMeasurement,
});

/** `trial.json`. */
export const TRIAL_SHAPE: Shape<TrialFile> = also(
  mapping<Pick<TrialFile, "format" | "owner">>({ format: oneOf("idarts-trial/1"), owner: aText }),
  () => trialResult,
) as Shape<TrialFile>;

const trivial = mapping<TrivialResult>({ name: aText, correct: whole(), count: whole(1), seconds: anAmount });

/** How well a network does, for as many classes as it says itself. */
const evaluation = also(
  mapping<Pick<Evaluation, "perClass">>({ perClass: listOf(nullable(aMeasurement)) }),
  ({ perClass }) => evaluationShape(perClass.length),
) as Shape<Evaluation>;

const wrongImage = mapping<WrongImage>({
  index: whole(),
  label: whole(),
  predicted: whole(),
  rightProbability: aShare,
});

const anything: Shape<unknown> = shape("anything", () => true);
const something: Shape<unknown> = shape("there", (value) => value !== undefined);
const nothing: Shape<null> = shape("null", (value) => value === null);
const ofSpeed: EntryShape = { plan: nothing, result: optional(orFailed(anAmount)) };

/** What an entry of the ledger has as its plan and its result. */
interface EntryShape {
  readonly plan: Shape<unknown>;
  readonly result: Shape<unknown>;
}

const finalOutcome = orFailed(mapping<FinalTraining>({
  epochs: whole(1),
  steps: whole(1),
  kept: aBoolean,
  shares: optional(listOf(SHARE_SHAPE)),
}));

/** Entries whose id is one word. */
const ENTRIES: Readonly<Record<string, EntryShape>> = {
  rate: { plan: nothing, result: optional(anAmount) },
  comparison: {
    plan: mapping<{ splits: number; held: number }>({ splits: whole(1), held: whole(1) }),
    result: anything,
  },
  schedule: {
    plan: mapping<Schedule>({ known: whole(1), searched: whole(), search: anAmount, rungs: whole(1), rung: anAmount }),
    result: anything,
  },
  candidates: { plan: listOf(candidate), result: anything },
  trivial: { plan: nothing, result: optional(listOf(trivial)) },
  search: {
    plan: nothing,
    result: optional(orFailed(mapping<FoundCells>({
      cells: listOf(mapping<FoundCells["cells"][number]>({ rule: aText, genotype: genotypeShape })),
      steps: whole(1),
    }))),
  },
  "search/options": { plan: mapping({}), result: anything }, // the search checks them
  searched: { plan: listOf(candidate), result: anything },
  final: {
    plan: nullable(
      mapping<FinalPlan>({ ...TRIAL_PLAN_FIELDS, members: optional(whole(1)), mirrored: optional(aBoolean) }),
    ),
    result: optional(finalOutcome),
  },
  test: {
    plan: whole(1),
    result: optional(mapping<TestOutcome>({ evaluation, wrong: listOf(wrongImage) })),
  },
  end: { plan: nothing, result: optional(mapping<{ seconds: number }>({ seconds: anAmount })) },
};

/** Entries that there is one of for each candidate, by the beginning of their ids. */
const FAMILIES: readonly (readonly [begins: string, shape: EntryShape])[] = [
  ["speed/", ofSpeed],
  ["latency/", ofSpeed],
  ["final ", { plan: nothing, result: optional(finalOutcome) }],
  ["rung ", { plan: nullable(trialPlan), result: optional(orFailed(trialResult)) }],
];

/** An entry; what it is about says what it holds. */
const entry = also(mapping<Entry>({ id: aText, plan: anything, result: anything }), ({ id }) => {
  const known = Object.hasOwn(ENTRIES, id) ? ENTRIES[id] : FAMILIES.find(([begins]) => id.startsWith(begins))?.[1];
  return mapping<{ plan: unknown; result: unknown }>(known ?? { plan: something, result: anything });
});

/** The ledger: each entry is there once. */
export const LEDGER_SHAPE: Shape<LedgerRecord> = also(
  mapping<LedgerRecord>({
    spent: anAmount,
    notes: listOf(aText),
    made: optional(mapping<MadeWith>(MADE_FIELDS)),
    leader: optional(aText),
    entries: listOf(entry),
  }),
  ({ entries }) => {
    const ids = entries.map(({ id }) => id), twice = ids.find((id, i) => ids.indexOf(id) < i);
    return shape(`one of each entry (there are two '${twice}')`, () => twice === undefined);
  },
);

const standing = mapping<Standing>({
  candidate,
  rungs: whole(1),
  steps: whole(1),
  seconds: anAmount,
  latency: optional(anAmount),
  right: answers,
  earlier: optional(listOf(answers)),
  accuracy: aShare,
  interval: anInterval,
  loss: aMeasurement,
});

const measured = also(evaluation, () => mapping<{ interval: Interval }>({ interval: anInterval })) as Shape<
  NonNullable<AutoOutcome["test"]>
>;

const verdict = mapping<SearchVerdict>({
  searched: aText,
  other: aText,
  rung: optional(whole(1)),
  difference: aMeasurement,
  interval: anInterval,
});

/** The outcome; its winner is a candidate. */
export const OUTCOME_SHAPE: Shape<AutoOutcome> = also(
  mapping<AutoOutcome>({
    leaderboard: listOf(standing),
    trivial: listOf(trivial),
    held: whole(),
    splits: whole(1),
    winner: aText,
    trainedOn: aBoolean,
    ensemble: optional(mapping<Ensemble>({
      members: whole(1),
      mirrored: optional(aBoolean),
      parameters: whole(1),
      macs: whole(1),
      latency: optional(anAmount),
    })),
    search: nullable(verdict),
    test: nullable(measured),
    wrong: listOf(wrongImage),
    steps: whole(),
    seconds: anAmount,
    notes: listOf(aText),
  }),
  ({ leaderboard }) =>
    mapping<Pick<AutoOutcome, "winner">>({ winner: oneOf(...leaderboard.map(({ candidate: { name } }) => name)) }),
);
