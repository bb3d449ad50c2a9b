/**
 * The folder of a study: the study itself, the cells that it trains, and what its workers share (`run/claims.ts`).
 * @module
 */
import { FailureError, UsageError } from "../base/errors.ts";
import { exists, fileError, readText, writeAtomic } from "../base/files.ts";
import { SharedFolder } from "../run/claims.ts";

/** The copy of a study's file in its folder. */
export const STUDY_FILE = "study.yaml";

/** Name of the file of what was done elsewhere. */
const KEPT_FILE = "kept.jsonl";

/** What a line says of a finished run; its shape is checked where it is used. */
type Line = Readonly<Record<string, unknown>>;

function parseLine(line: string): Line | null {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** Adds the lines of a file of finished tasks by their names. */
function readKept(path: string, kept = new Map<string, Line>()): Map<string, Line> {
  const lines = readText(path).split("\n").filter((line) => line !== "");
  for (const [i, line] of lines.entries()) {
    const value = parseLine(line);
    if (typeof value?.name !== "string") {
      throw new FailureError(`Cannot use line ${i + 1} of '${path}' as it must be a finished run with its name`);
    }
    kept.set(value.name, merged(kept.get(value.name), value));
  }
  return kept;
}

/** Two lines about one run: of a search, each may have the cells of epochs that the other study did not read off. */
function merged(known: Line | undefined, line: Line): Line {
  const { epochs } = line, before = known?.epochs;
  if (!Array.isArray(epochs) || !Array.isArray(before)) return line;
  const cells = new Map(before.map((each) => [each?.epoch, each?.cells]));
  return { ...line, epochs: epochs.map((each) => ({ ...each, cells: { ...cells.get(each?.epoch), ...each?.cells } })) };
}

/** The parts of a study's folder. */
export class StudyFolder extends SharedFolder {
  #kept?: ReadonlyMap<string, Line>;

  /** @param path the folder */
  constructor(path: string) {
    super(path, "runs", ["cells"]);
  }

  /**
   * Makes the folder, with a copy of the study that it is for.
   * @param text the study
   * @param known a file with a line for each of tasks that were done elsewhere: they count as done
   * @throws {UsageError} where something else is in it.
   * @throws {FailureError} where `known` is no such file.
   */
  begin(text: string, known?: string): void {
    const copy = this.file(STUDY_FILE), other = this.#other();
    if (other !== undefined) {
      throw new UsageError(
        `Cannot use '${this.path}' as the folder of a study as it must be new or hold '${STUDY_FILE}': it ${other}`,
        { remedies: [{ kind: "other-folder" }] },
      );
    }
    const kept = known === undefined ? undefined : readKept(known, this.#readKept());
    this.make();
    if (!exists(copy) || readText(copy) !== text) writeAtomic(copy, text);
    if (!kept) return;
    writeAtomic(this.file(KEPT_FILE), [...kept.values()].map((each) => JSON.stringify(each) + "\n").join(""));
    this.#kept = undefined;
  }

  /** What is in the way of a study here. */
  #other(): string | undefined {
    if (!exists(this.path)) return undefined;
    try {
      if (!Deno.statSync(this.path).isDirectory) return "is a file";
      if ([STUDY_FILE, "claims"].some((name) => exists(this.file(name)))) return undefined;
      const [entry] = Deno.readDirSync(this.path);
      return entry && `holds '${entry.name}'`;
    } catch (error) {
      throw fileError(error, "read", this.path);
    }
  }

  #readKept(): Map<string, Line> {
    const file = this.file(KEPT_FILE);
    return exists(file) ? readKept(file) : new Map();
  }

  /** Whether the task is done, here or elsewhere. */
  override done(task: string): boolean {
    return this.kept(task) !== undefined || super.done(task);
  }

  /** What is known of a task that was done elsewhere. */
  kept(task: string): unknown {
    return (this.#kept ??= this.#readKept()).get(task);
  }
}

/** Throws FailureError where `path` is not the folder of a study. */
export function expectStudy(path: string): StudyFolder {
  const folder = new StudyFolder(path);
  if (exists(folder.file(STUDY_FILE))) return folder;
  throw new FailureError(
    `Cannot find a study in '${path}' as it must hold '${STUDY_FILE}'`,
    { remedies: ["check the path", { kind: "study" }] },
  );
}
