/**
 * The ledger of an `auto` run: every decision, written down before it is carried out, and what came of it. A run that is
 * killed goes on from it, deciding nothing again, and another run can repeat it. Not responsible for what is decided.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { exists } from "../base/files.ts";
import type { RunFolder } from "../run/run_folder.ts";

/** Name of its file. */
export const LEDGER_FILE = "ledger.json";

/** Value of its field `format`. */
const FORMAT = "idarts-ledger/1";

/** A decision and what came of it. */
export interface Entry {
  /** What it is about, unique: `candidates`, `rung 0/plain 16x3/0`, `final`. */
  readonly id: string;
  /** What was decided; JSON. */
  readonly plan: unknown;
  /** What came of it; absent while it is carried out. */
  result?: unknown;
}

/** Decisions in order. Without a folder nothing is written. */
export class Ledger {
  readonly #folder: RunFolder | undefined;
  readonly #entries: Entry[];
  readonly #repeated: readonly Entry[];
  /** Seconds that earlier processes spent. */
  readonly spent: number;
  readonly #seconds: () => number;

  /**
   * The ledger of a folder, or a new one.
   * @param seconds that all processes have spent by now
   * @param repeated the decisions of another run, to be taken again
   * @throws {FailureError} where the file is damaged.
   */
  constructor(folder: RunFolder | undefined, seconds: (spent: number) => number, repeated: readonly Entry[] = []) {
    this.#folder = folder;
    const known = folder && exists(folder.file(LEDGER_FILE)) ? readLedger(folder) : { entries: [], spent: 0 };
    this.#entries = [...known.entries];
    this.#repeated = repeated;
    this.spent = known.spent;
    this.#seconds = () => seconds(this.spent);
  }

  /** All decisions so far. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** What was decided about `id`; `decide` is asked where nothing was. */
  plan<T>(id: string, decide: () => T): T {
    const known = this.#entries.find((entry) => entry.id === id);
    if (known) return known.plan as T;
    const plan = this.#repeated.find((entry) => entry.id === id)?.plan as T | undefined ?? decide();
    this.#entries.push({ id, plan });
    this.save();
    return plan;
  }

  /** What came of `id`, which is carried out where it was not. */
  async result<T>(id: string, carryOut: () => Promise<T>): Promise<T> {
    const entry = this.#entries.find((each) => each.id === id);
    if (entry?.result !== undefined) return entry.result as T;
    const result = await carryOut();
    if (entry) entry.result = result;
    else this.#entries.push({ id, plan: null, result });
    this.save();
    return result;
  }

  /** Writes the file, as before each phase and after it: what was spent since would be forgotten by a kill. */
  save(): void {
    this.#folder?.writeJson(LEDGER_FILE, { format: FORMAT, spent: this.#seconds(), entries: this.#entries });
  }
}

/**
 * Reads the ledger of a run.
 * @throws {FailureError} where it is damaged.
 */
export function readLedger(folder: RunFolder): { readonly entries: readonly Entry[]; readonly spent: number } {
  const value = folder.readJson(LEDGER_FILE) as { format?: unknown; spent?: unknown; entries?: unknown } | null;
  const fail = (what: string): never => {
    throw new FailureError(
      `Cannot use '${folder.file(LEDGER_FILE)}' as ${what}: the file is damaged, so start again in another folder`,
    );
  };
  if (value?.format !== FORMAT) return fail(`its format must be '${FORMAT}'`);
  const { spent, entries } = value;
  if (typeof spent !== "number" || !(spent >= 0)) return fail("its spent must be a number of seconds");
  if (!Array.isArray(entries)) return fail("its entries must be a list");
  const ids = new Set<string>();
  for (const entry of entries) {
    if (typeof entry?.id !== "string" || !("plan" in entry) || ids.has(entry.id)) {
      return fail("each of its entries must have an id of its own and a plan");
    }
    ids.add(entry.id);
  }
  return { spent, entries };
}
