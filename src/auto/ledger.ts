/**
 * The ledger of an `auto` run: every decision, written down before it is carried out, and what came of it. A run that is
 * killed goes on from it, deciding nothing again, and another run can repeat it. Not responsible for what is decided.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { exists } from "../base/files.ts";
import { checkShape, mapping, oneOf } from "../base/shape.ts";
import type { Beginnings } from "../run/phase.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { checkMade, type MadeWith, madeWith } from "../run/run_record.ts";
import { LEDGER_SHAPE } from "./shapes.ts";

/** Name of its file. */
export const LEDGER_FILE = "ledger.json";

/** Value of its field `format`. */
const FORMAT = "idarts-ledger/1";

/** Id of the last entry of a finished run. */
export const END = "end";

/** Longest time between two writes while something is carried out, in seconds: so much of what was spent a kill forgets. */
const TOUCH_SECONDS = 5;

/** The time is over, or was over at this place in the run that is repeated. */
export class TimeOver extends Error {}

/** A decision and what came of it. */
export interface Entry {
  /** What it is about, unique: `candidates`, `rung 0/plain 16x3/split 0`, `final`. */
  readonly id: string;
  /** What was decided; JSON. */
  readonly plan: unknown;
  /** What came of it; absent while it is carried out. */
  result?: unknown;
}

/** What the file of a ledger says. */
export interface LedgerRecord {
  /** Decisions in order. */
  readonly entries: readonly Entry[];
  /** Seconds that were spent. */
  readonly spent: number;
  /** What went otherwise than planned, in sentences. */
  readonly notes: readonly string[];
  /** What the run began with; absent in runs of older versions. */
  readonly made?: MadeWith;
  /** The worker that leads the run, or led it. */
  readonly leader?: string;
}

/** Decisions in order. Without a folder nothing is written. */
export class Ledger {
  readonly #folder: RunFolder | undefined;
  readonly #entries: Entry[];
  readonly #notes: string[];
  readonly #repeated: readonly Entry[] | undefined;
  /** Seconds that earlier processes spent. */
  readonly spent: number;
  /** Whether an earlier process wrote it. */
  readonly goesOn: boolean;
  readonly #seconds: () => number;
  readonly #made: MadeWith | undefined;
  /** The worker that leads the run; at first the one that led it before. */
  leader: string | undefined;
  #saved = 0;

  /**
   * The ledger of a folder, or a new one.
   * @param seconds that all processes have spent by now
   * @param repeated the decisions of another run, to be taken again
   * @param beginnings of the run
   * @throws {FailureError} where the file is damaged.
   * @throws {UsageError} where it was made with other beginnings.
   */
  constructor(
    folder: RunFolder | undefined,
    seconds: (spent: number) => number,
    repeated?: readonly Entry[],
    beginnings?: Beginnings,
  ) {
    this.#folder = folder;
    this.goesOn = folder !== undefined && exists(folder.file(LEDGER_FILE));
    const known: LedgerRecord = this.goesOn ? readLedger(folder!) : { entries: [], spent: 0, notes: [] };
    if (beginnings && known.made) checkMade(folder!, beginnings, known.made, `its ${LEDGER_FILE}`);
    this.#made = beginnings && madeWith(beginnings);
    this.#entries = [...known.entries];
    this.#notes = [...known.notes];
    this.#repeated = repeated;
    this.spent = known.spent;
    this.leader = known.leader;
    this.#seconds = () => seconds(this.spent);
  }

  /** All decisions so far. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** What went otherwise than planned, in sentences, those of earlier processes included. */
  get notes(): readonly string[] {
    return this.#notes;
  }

  /** Writes a sentence down, once. */
  note(sentence: string): void {
    if (this.#notes.includes(sentence)) return;
    this.#notes.push(sentence);
    this.save();
  }

  /** Whether it is known what came of `id`. */
  knows(id: string): boolean {
    return this.#find(id)?.result !== undefined;
  }

  /**
   * What was decided about `id`; `decide` is asked where nothing was.
   * @throws {TimeOver} where the run that is repeated did not come so far.
   */
  plan<T>(id: string, decide: () => T): T {
    const known = this.#find(id);
    if (known) return known.plan as T;
    const plan = this.#repeated ? this.#again(id).plan as T : decide();
    this.#entries.push({ id, plan });
    this.save();
    return plan;
  }

  /**
   * What came of `id`, which is carried out where it was not.
   * @param usable whether what is known is of use still; it is carried out again otherwise
   */
  async result<T>(id: string, carryOut: () => Promise<T>, usable: (known: T) => boolean = () => true): Promise<T> {
    const entry = this.#find(id);
    if (entry?.result !== undefined && usable(entry.result as T)) return entry.result as T;
    const result = await carryOut();
    if (entry) entry.result = result;
    else this.#entries.push({ id, plan: null, result });
    this.save();
    return result;
  }

  /**
   * {@linkcode result} of what the clock measures and decisions hang on: what it was in the run that is repeated.
   * @throws {TimeOver} where that run did not come so far.
   */
  measured<T>(id: string, measure: () => Promise<T>): Promise<T> {
    return this.result(id, this.#repeated ? () => Promise.resolve(this.#again(id).result as T) : measure);
  }

  /**
   * What came of `id` in the run that is repeated; undefined where none is.
   * @throws {TimeOver} where the time was over before it came to anything.
   */
  repeated(id: string): unknown {
    if (!this.#repeated) return undefined;
    const { result } = this.#again(id);
    if (result === undefined) throw new TimeOver();
    return result;
  }

  #find(id: string): Entry | undefined {
    return this.#entries.find((entry) => entry.id === id);
  }

  #again(id: string): Entry {
    const entry = this.#repeated!.find((each) => each.id === id);
    if (!entry) throw new TimeOver();
    return entry;
  }

  /** Writes the file where that was not done lately, so that a kill forgets little of what was spent. */
  touch(): void {
    if (this.#entries.length > 0 && this.#seconds() - this.#saved >= TOUCH_SECONDS) this.save();
  }

  /** Writes the file, as before each phase and after it. */
  save(): void {
    this.#saved = this.#seconds();
    const spent = this.#saved, notes = this.#notes, made = this.#made, entries = this.#entries;
    const record: LedgerRecord = { spent, notes, made, leader: this.leader, entries };
    this.#folder?.writeJson(LEDGER_FILE, { format: FORMAT, ...record });
  }
}

/**
 * Reads the ledger of a run.
 * @throws {FailureError} where it is damaged.
 */
export function readLedger(folder: RunFolder): LedgerRecord {
  const value = folder.readJson(LEDGER_FILE), what = `'${folder.file(LEDGER_FILE)}'`;
  checkShape(mapping<{ format: typeof FORMAT }>({ format: oneOf(FORMAT) }), value, what);
  const { spent, entries, notes, made, leader } = checkShape(LEDGER_SHAPE, value, what);
  return { spent, entries, notes, made, leader };
}

/**
 * The decisions of a finished run, to be taken again.
 * @throws {UsageError} where it is not finished.
 * @throws {FailureError} where its ledger is damaged.
 */
export function readDecisions(folder: RunFolder): readonly Entry[] {
  const { entries } = readLedger(folder);
  if (entries.some(({ id }) => id === END)) return entries;
  throw new UsageError(
    `Cannot repeat the run in '${folder.path}' as it must have come to its end: go on with it first, by its own command`,
  );
}
