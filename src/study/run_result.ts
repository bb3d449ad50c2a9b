/**
 * What a study needs of a finished run: read from the run's folder, or from a line of a small file, so that a study goes on
 * without the folders. Not responsible for what runs mean together (`results.ts`).
 * @module
 */
import { FailureError, text } from "../base/errors.ts";
import { exists, joinPath, readJson } from "../base/files.ts";
import {
  aMeasurement,
  aText,
  checkShape,
  listOf,
  mapping,
  mappingOf,
  nullable,
  oneOf,
  type Shape,
  whole,
} from "../base/shape.ts";
import type { EdgeCorrelation } from "../discretize/discretize.ts";
import { decisionName, decisionsOf } from "../discretize/decisions.ts";
import { EDGE_CORRELATION_SHAPE, perKindShape } from "../discretize/report_shape.ts";
import { certaintySummaries } from "../report/certainty.ts";
import { readRecords } from "../run/metrics_file.ts";
import { CONFIG_FILE, RunFolder } from "../run/run_folder.ts";
import { type Outcome, readOutcome } from "../search/outcome_file.ts";
import { EPOCH_SHAPE, type EpochRecord, meanEntropy } from "../search/records.ts";
import { type Genotype, parseGenotype } from "../space/genotype.ts";
import {
  CELL_KINDS,
  type CellKind,
  type Keep,
  PARAMETER_FREE,
  SKIP_PRIMITIVE,
  ZERO_PRIMITIVE,
} from "../space/space.ts";
import { EVALUATION_FILE, readEvaluation } from "../train/evaluation_file.ts";
import type { StudyFolder } from "./study_folder.ts";
import type { Task } from "./tasks.ts";

/** One epoch of a search, in figures. */
export interface EpochFigures {
  readonly epoch: number;
  /** Accuracy of the supernet. */
  readonly evalAccuracy: number;
  /** Entropy of the mixture, mean over kinds. */
  readonly entropy: number;
  /** Mean weight of `none`, mean over kinds; null in spaces without it. */
  readonly none: number | null;
  /** Correlation of the outputs of two operations of an edge, mean over edges and kinds, by pair; none where not known. */
  readonly alike: Readonly<Record<string, number>>;
  /** Largest over smallest norm of a cell's nodes. */
  readonly imbalance: { readonly before: number; readonly after: number };
  /** Norm of each node, mean over cells, by kind. */
  readonly norms: Readonly<Record<CellKind, readonly { readonly before: number; readonly after: number }[]>>;
  /** Skip-connections of what would be picked, by decision. */
  readonly skips: Readonly<Record<string, number>>;
}

/** One epoch of a search. */
export interface EpochPoint extends EpochFigures {
  /** What would be picked, by decision, as Python text. */
  readonly cells: Readonly<Record<string, string>>;
}

/** The cell of a decision. */
export interface DecidedCell {
  /** Name of the decision. */
  readonly rule: string;
  /** As Python text. */
  readonly cell: string;
  readonly skips: number;
  readonly parameterFree: number;
  /** Rank correlation of scores between the halves of the images, mean over nodes; null where that is not known. */
  readonly ranks: number | null;
  /** Share of samples of the images in which a node keeps the same operations, mean over nodes; null likewise. */
  readonly same: number | null;
}

/** A finished search. */
export interface SearchRun {
  readonly kind: "search";
  readonly name: string;
  readonly adapter: string;
  readonly epochs: readonly EpochPoint[];
  /** What every decision came to at the end. */
  readonly cells: readonly DecidedCell[];
  /** How alike the candidates of each edge are, by kind. */
  readonly correlations: Readonly<Record<CellKind, readonly EdgeCorrelation[]>>;
}

/** A finished discretisation. */
export type DiscretizeRun = Pick<SearchRun, "name" | "adapter" | "cells"> & { readonly kind: "discretize" };

/** A finished training. */
export interface TrainRun {
  readonly kind: "train";
  readonly name: string;
  readonly adapter: string;
  /** Images that the accuracy is that of: `test`, or `held out` where there are no test images. */
  readonly split: string;
  readonly accuracy: number;
}

/** A finished run. */
export type RunResult = SearchRun | DiscretizeRun | TrainRun;

const size = mapping<{ before: number; after: number }>({ before: aMeasurement, after: aMeasurement });
const named = { name: aText, adapter: aText };
const cells = listOf(
  mapping<DecidedCell>({
    ...{ rule: aText, cell: aText, skips: whole(), parameterFree: whole() },
    ...{ ranks: nullable(aMeasurement), same: nullable(aMeasurement) },
  }),
);
const SHAPES: { readonly [K in Task["kind"]]: Shape<Extract<RunResult, { kind: K }>> } = {
  search: mapping<SearchRun>({
    ...{ ...named, kind: oneOf("search"), cells, correlations: perKindShape(listOf(EDGE_CORRELATION_SHAPE)) },
    epochs: listOf(
      mapping<EpochPoint>({
        ...{ epoch: whole(1), evalAccuracy: aMeasurement, entropy: aMeasurement, none: nullable(aMeasurement) },
        ...{ alike: mappingOf(aMeasurement), imbalance: size, norms: perKindShape(listOf(size)) },
        ...{ skips: mappingOf(whole()), cells: mappingOf(aText) },
      }),
    ),
  }),
  discretize: mapping<DiscretizeRun>({ ...named, kind: oneOf("discretize"), cells }),
  train: mapping<TrainRun>({ ...named, kind: oneOf("train"), split: aText, accuracy: aMeasurement }),
};

const RESULTS = new WeakMap<StudyFolder, Map<string, RunResult>>();

/**
 * What there is to know about a finished run.
 * @throws {FailureError} where its files are damaged.
 */
export function readRun<K extends Task["kind"]>(
  folder: StudyFolder,
  kind: K,
  name: string,
): Extract<RunResult, { kind: K }> {
  const known = RESULTS.get(folder) ?? new Map<string, RunResult>();
  const line = exists(folder.run(name)) ? undefined : folder.kept(name); // which may say less than the run
  RESULTS.set(folder, known);
  const read = (): RunResult =>
    line === undefined ? READERS[kind](folder, name) : checkShape(SHAPES[kind], line, `the line of ${name}`);
  const result = known.get(name) ?? read(); // what is finished never changes
  known.set(name, result);
  return result as Extract<RunResult, { kind: K }>;
}

/** The cells of a decision in a search, at its end or after an epoch; undefined where there are none, or none yet. */
export function decidedCell(
  folder: StudyFolder,
  { search, run, rule, after }: {
    readonly search: string;
    /** The run that decided at the end. */
    readonly run: string;
    readonly rule: string;
    readonly after?: number;
  },
): DecidedCell | undefined {
  if (!folder.done(after === undefined ? run : search)) return undefined;
  if (after === undefined) {
    const { cells } = run === search ? readRun(folder, "search", run) : readRun(folder, "discretize", run);
    return cells.find((each) => each.rule === rule);
  }
  const cell = readRun(folder, "search", search).epochs.find(({ epoch }) => epoch === after)?.cells[rule];
  if (cell === undefined) return undefined;
  return { rule, cell, ...freeOperations(parseGenotype(cell, "a cell of the study")), ranks: null, same: null };
}

/** Reads something of the finished run in `path`. @throws {FailureError} with what to do where it is damaged. */
function readWhole<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    throw new FailureError(text`Cannot use the run in '${path}' (${error})`, {
      cause: error,
      remedies: ["remove its folder and run the study again"],
    });
  }
}

function adapterOf(path: string): string {
  const file = joinPath(path, CONFIG_FILE), shape = mapping<{ adapter: string }>({ adapter: aText });
  return readWhole(path, () => checkShape(shape, readJson(file), `'${file}'`)).adapter;
}

/** What a search or a discretisation decided. */
function outcome(path: string): Outcome {
  return readWhole(path, () => readOutcome(path));
}

function cellsOf(report: Outcome): DecidedCell[] {
  const certain = certaintySummaries(report);
  return decisionsOf(report).map(({ name, rule: method, keep, cells: { text: cell, skips, parameterFree } }) => {
    const otherWay = keep !== (report.keep ?? "edges");
    const known = certain.find((each) => each.method === method && each.otherWay === otherWay);
    return { rule: name, cell, skips, parameterFree, ranks: known?.agreement ?? null, same: known?.same ?? null };
  });
}

const READERS: { readonly [K in Task["kind"]]: (folder: StudyFolder, name: string) => RunResult } = {
  search(folder, name) {
    const path = folder.run(name), report = outcome(path), run = RunFolder.view(path, { warn: () => {} });
    const epochs = readWhole(path, () => readRecords(run, EPOCH_SHAPE)).map((each) => pointOf(each, report.keep));
    const correlations = Object.fromEntries(
      CELL_KINDS.map((kind) => [kind, report.nodes?.[kind].flatMap((node) => node.correlations) ?? []]),
    ) as unknown as SearchRun["correlations"];
    return { kind: "search", name, adapter: adapterOf(path), epochs, cells: cellsOf(report), correlations };
  },
  discretize(folder, name) {
    const report = outcome(folder.run(name));
    return { kind: "discretize", name, adapter: report.adapter ?? "unknown", cells: cellsOf(report) };
  },
  train(folder, name) {
    const path = folder.run(name), run = RunFolder.view(path, { warn: () => {} });
    const { test, best } = readWhole(path, () => readEvaluation(run)), accuracy = (test ?? best)?.accuracy;
    if (typeof accuracy === "number") {
      return { kind: "train", name, adapter: adapterOf(path), split: test ? "test" : "held out", accuracy };
    }
    throw new FailureError(
      `Cannot use '${run.file(EVALUATION_FILE)}' as it must hold an accuracy: the file is damaged`,
    );
  },
};

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

function pointOf(record: EpochRecord, keep: Keep = "edges"): EpochPoint {
  const { epoch, evalAccuracy, meanWeights, imbalance, nodes } = record;
  const skips = Object.entries(record.skips).map(([rule, n]) => [decisionName({ rule, keep }), n]);
  const none = CELL_KINDS.map((kind) => meanWeights[kind][ZERO_PRIMITIVE]).filter((weight) => weight !== undefined);
  const normsOf = (kind: CellKind): { before: number; after: number }[] => {
    const byNode = Map.groupBy(nodes.filter((node) => node.kind === kind), ({ node }) => node);
    return [...byNode].sort(([a], [b]) => a - b).map(([, cells]) => ({
      before: mean(cells.map(({ before }) => before)),
      after: mean(cells.map(({ after }) => after)),
    }));
  };
  return {
    epoch,
    evalAccuracy,
    entropy: meanEntropy(record),
    none: none.length === 0 ? null : mean(none),
    imbalance,
    alike: alikeOf(record),
    norms: { normal: normsOf("normal"), reduce: normsOf("reduce") },
    skips: Object.fromEntries(skips),
    cells: {
      ...Object.fromEntries(
        Object.entries(record.genotypes).map(([rule, cell]) => [decisionName({ rule, keep }), cell]),
      ),
      ...record.others,
    },
  };
}

/** Mean over kinds of cell. */
function alikeOf({ alike }: EpochRecord): Record<string, number> {
  const all = CELL_KINDS.flatMap((kind) => Object.entries(alike?.[kind] ?? {}));
  const byPair = Map.groupBy(all, ([pair]) => pair);
  return Object.fromEntries([...byPair].map(([pair, of]) => [pair, mean(of.map(([, value]) => value))]));
}

/** Operations without weights, and the skip-connections among them. */
export function freeOperations(genotype: Genotype): { skips: number; parameterFree: number } {
  const ops = CELL_KINDS.flatMap((kind) => genotype[kind].nodes.flat().map(({ op }) => op));
  return {
    skips: ops.filter((op) => op === SKIP_PRIMITIVE).length,
    parameterFree: ops.filter((op) => PARAMETER_FREE.includes(op)).length,
  };
}
