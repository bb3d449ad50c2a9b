/**
 * `idarts report <run>`: writes the report of a run again.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { UsageError } from "../base/errors.ts";
import { exists, joinPath } from "../base/files.ts";
import { RunFolder } from "../run/run_folder.ts";
import { STUDY_FILE } from "../study/study_folder.ts";
import { OUTPUT_GROUP, type Parsed } from "./flags.ts";
import { REPORT_SOURCES } from "../report/run_report.ts";
import { REPORT_FILE, writeReport } from "./report_files.ts";
import { commandLine, Terminal } from "./terminal.ts";

/** Declares the verb. */
export function reportCommand(program: Command): Command {
  const command = program.command("report <run>")
    .summary("write the report of a run again, as one HTML file")
    .description(
      "Writes the report of a search or a training, one HTML file that needs nothing else: cells, curves, the scores " +
        "behind every choice, cost, accuracy, and the commands that do it again. The report of a training includes the " +
        `search that found its cell where that can still be read. Both write theirs at their end; this reads ` +
        `${REPORT_SOURCES} again.`,
    );
  command.addOption(
    new Flag("--out <file>", `file to write (default: ${REPORT_FILE} in the run folder)`).helpGroup(OUTPUT_GROUP),
  );
  command.addOption(new Flag("--json", "the path as one JSON line").helpGroup(OUTPUT_GROUP));
  command.addHelpText(
    "after",
    `
Example:
  ${commandLine(["report", "runs/mnist-demo"], { read: ["runs"], write: ["runs"] })}

Exit codes: 0 done, 1 it could not be done, 2 wrong use.`,
  );
  return command;
}

/** Runs the verb. @returns the exit code */
export async function runReport(parsed: Parsed, [path]: readonly string[]): Promise<number> {
  const terminal = new Terminal(parsed.json === true);
  if (exists(joinPath(path, STUDY_FILE))) {
    throw new UsageError(
      `Cannot report on '${path}' as it must be a single run: it is a study, so use 'study report ${path}'`,
    );
  }
  const folder = RunFolder.view(path, { warn: (message) => terminal.warn(message) });
  const file = await writeReport(folder, parsed.out as string | undefined);
  terminal.event({ event: "report", file });
  terminal.line(file);
  return 0;
}
