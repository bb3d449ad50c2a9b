/**
 * The command-line interface: verbs, help and exit codes. Each verb is a file of its own.
 * @module
 */
import { Command, CommanderError, Option as Flag } from "commander";
import { FailureError, UsageError } from "../base/errors.ts";
import { allowFlag } from "../base/files.ts";
import { shellQuote } from "../base/shell.ts";
import { autoCommand, runAuto } from "./auto.ts";
import { benchCommand, runBench } from "./bench.ts";
import { costCommand, runCost } from "./cost.ts";
import { dataCommand, runFetch } from "./data.ts";
import { discretizeCommand, runDiscretize } from "./discretize.ts";
import { doctorCommand, runDoctor } from "./doctor.ts";
import { evaluateCommand, runEvaluate } from "./evaluate.ts";
import { exportCommand, runExport } from "./export.ts";
import { type Parsed, spellOut } from "./flags.ts";
import { stdout } from "./output.ts";
import { inspectCommand, runInspect } from "./inspect.ts";
import { predictCommand, runPredict } from "./predict.ts";
import { reportCommand, runReport } from "./report.ts";
import { VERSION } from "../base/version.ts";
import { runSearch, searchCommand } from "./search.ts";
import { runStudy, runStudyReport, runStudyStatus, studyCommands } from "./study.ts";
import { printError, printStack, printText } from "./terminal.ts";
import { runTrain, trainCommand } from "./train.ts";
import { runTuneSearch, runTuneTrain, tuneCommands } from "./tune.ts";
import { runWatch, watchCommand } from "./watch.ts";
import { errorText } from "./wording.ts";

/** Heading of the flags that every verb has; the last one. */
const OTHER_GROUP = "Other:";

/** Verbs that keep what they do in files: what they print is a log, which may be lost. */
const KEPT: readonly string[] = ["auto", "search", "train", "run", "fetch", "tune", "export", "report", "watch"];

/** Adds a verb and what it runs. @param store takes the exit code */
function addVerb(
  command: Command,
  run: (parsed: Parsed, args: readonly string[]) => Promise<number>,
  store: (code: number) => void,
): void {
  command.addOption(new Flag("--debug", "print the stack of an error").helpGroup(OTHER_GROUP));
  addHelp(command);
  command.allowExcessArguments(false);
  command.action(async () => {
    const code = await run(command.opts(), command.args);
    store(code === 0 && stdout.lost && !KEPT.includes(command.name()) ? 1 : code);
  });
}

function addHelp(command: Command): void {
  command.addHelpOption(new Flag("-h, --help", "print help").helpGroup(OTHER_GROUP));
}

function build(store: (code: number) => void): Command {
  const program = new Command("idarts");
  // Commander would ask the environment whether to colour; these answers need no permission.
  program.configureOutput({
    writeOut: printText,
    writeErr: () => {}, // main prints the error
    getOutHasColors: () => false,
    getErrHasColors: () => false,
    getOutHelpWidth: helpWidth,
    getErrHelpWidth: helpWidth,
  });
  program.exitOverride();
  program.description("Searches neural cells on images with WebGPU shaders, and shows why it picked what it picked.");
  program.version(VERSION, "-V, --version", "print the version");
  program.helpOption("-h, --help", "print help");
  program.helpCommand("help [verb]", "print help for a verb");
  program.addHelpText(
    "after",
    `
Begin with 'doctor' to see whether this machine can do it, then 'auto my-images --time 10m', which finds a network.
Each verb explains its options: 'search --help'.
Exit codes: 0 done, 1 it could not be done, 2 wrong use, 130 stopped by Ctrl-C.`,
  );
  addVerb(autoCommand(program), runAuto, store);
  addVerb(searchCommand(program), runSearch, store);
  addVerb(discretizeCommand(program), runDiscretize, store);
  addVerb(trainCommand(program), runTrain, store);
  addVerb(evaluateCommand(program), runEvaluate, store);
  addVerb(predictCommand(program), runPredict, store);
  addVerb(exportCommand(program), runExport, store);
  addVerb(costCommand(program), runCost, store);
  addVerb(reportCommand(program), runReport, store);
  addVerb(watchCommand(program), runWatch, store);
  const study = studyCommands(program, addHelp);
  addVerb(study.run, runStudy, store);
  addVerb(study.report, runStudyReport, store);
  addVerb(study.status, runStudyStatus, store);
  addVerb(inspectCommand(program), runInspect, store);
  addVerb(benchCommand(program), runBench, store);
  const tune = tuneCommands(program, addHelp);
  addVerb(tune.search, runTuneSearch, store);
  addVerb(tune.train, runTuneTrain, store);
  addVerb(doctorCommand(program), runDoctor, store);
  addVerb(dataCommand(program, addHelp), runFetch, store);
  return program;
}

function helpWidth(): number {
  try {
    return Math.min(120, Math.max(60, Deno.consoleSize().columns || 80));
  } catch {
    return 100;
  }
}

/**
 * Runs a command line. Never throws.
 * @returns the exit code: 0 done, 1 it could not be done, 2 wrong use, 130 stopped by Ctrl-C
 */
export async function main(args: readonly string[]): Promise<number> {
  let code = 0;
  const program = build((result) => code = result);
  try {
    if (args.length === 0) {
      program.outputHelp();
      return 2;
    }
    const bare = program.commands.find((command) => command.name() === args[0])?.registeredArguments.length === 0;
    await program.parseAsync(spellOut(args, isThere, bare), { from: "user" });
    return code;
  } catch (error) {
    return explain(error, args, program);
  }
}

/** Whether there is something of this name; false where that may not be known. */
function isThere(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== null;
  } catch {
    return false;
  }
}

/** Says what went wrong, in one sentence. @returns the exit code */
function explain(error: unknown, args: readonly string[], program: Command): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0; // help and version
    const named = (commands: readonly Command[], word: string): Command | undefined =>
      commands.find((command) => command.name() === word);
    const outer = named(program.commands, args[0]), verb = outer?.name();
    const second = outer && named(outer.commands, args[1])?.name(), inner = second ? `${verb} ${second}` : verb;
    if (error.code === "commander.help") { // help for a verb that there is none of, or a verb without its second word
      if (verb !== undefined) printError(`'${verb}' needs a second word: see '${verb} --help'`);
      else printError(`unknown command '${args[1] ?? ""}': see '--help'`);
      return 2;
    }
    const text = error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ").replace(/\.$/, "")
      .replace(". Expected", ", expected");
    const [, dashed] = /unknown option '(-[^']*\.[^']*)'/.exec(text) ?? [];
    const file = dashed === undefined ? "" : ` (a file of that name is written './${dashed}')`;
    printError(`${text}${file}: see '${inner ? `${inner} ` : ""}--help'`);
    return 2;
  }
  if (args.includes("--debug")) printStack(error);
  if (error instanceof UsageError || error instanceof FailureError) {
    printError(errorText(error));
    return error.exitCode;
  }
  if (error instanceof Deno.errors.NotCapable) {
    const [, access = "that", name] = /^Requires (\w+) access(?: to "([^"]*)")?/.exec(error.message) ?? [];
    const flag = name && (access === "read" || access === "write")
      ? allowFlag(access, name)
      : `--allow-${access}${name ? `=${name}` : ""}`;
    printError(`Cannot go on as Deno was not given permission: add ${shellQuote(flag)}`);
    return 1;
  }
  const message = error instanceof Error ? error.message : String(error);
  printError(`${message.split("\n")[0]}: this is a defect of idarts, so please report it with what --debug prints`);
  return 1;
}
