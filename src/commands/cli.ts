/**
 * The command-line interface: verbs, help and exit codes. Each verb is a file of its own.
 * @module
 */
import { Command, CommanderError, Option as Flag } from "commander";
import { FailureError, UsageError } from "../base/errors.ts";
import { discretizeCommand, runDiscretize } from "./discretize.ts";
import { doctorCommand, runDoctor } from "./doctor.ts";
import type { Parsed } from "./flags.ts";
import { inspectCommand, runInspect } from "./inspect.ts";
import { runSearch, searchCommand } from "./search.ts";
import { VERSION } from "./run_files.ts";
import { printError, printText } from "./terminal.ts";

/** Heading of the flags that every verb has; the last one. */
const OTHER_GROUP = "Other:";

/** Adds a verb and what it runs. @param store takes the exit code */
function addVerb(
  command: Command,
  run: (parsed: Parsed, args: readonly string[]) => Promise<number>,
  store: (code: number) => void,
): void {
  command.addOption(new Flag("--debug", "print the stack of an error").helpGroup(OTHER_GROUP));
  command.addHelpOption(new Flag("-h, --help", "print help").helpGroup(OTHER_GROUP));
  command.allowExcessArguments(false);
  command.action(async () => store(await run(command.opts(), command.args)));
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
Begin with 'doctor' to see whether this machine can do it, then 'search --preset demo'.
Each verb explains its options: 'search --help'.
Exit codes: 0 done, 1 it could not be done, 2 wrong use, 130 stopped by Ctrl-C.`,
  );
  addVerb(searchCommand(program), runSearch, store);
  addVerb(discretizeCommand(program), runDiscretize, store);
  addVerb(inspectCommand(program), runInspect, store);
  addVerb(doctorCommand(program), runDoctor, store);
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
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    return explain(error, args);
  }
}

/** Says what went wrong, in one sentence. @returns the exit code */
function explain(error: unknown, args: readonly string[]): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0; // help and version
    if (error.code === "commander.help") { // help for a verb that there is none of
      printError(`unknown command '${args[1] ?? ""}': see '--help'`);
      return 2;
    }
    const text = error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
    const verb = ["search", "discretize", "inspect", "doctor"].find((name) => name === args[0]);
    printError(`${text}: see '${verb ? `${verb} ` : ""}--help'`);
    return 2;
  }
  if (args.includes("--debug")) printError(error instanceof Error ? error.stack ?? error.message : String(error));
  if (error instanceof UsageError || error instanceof FailureError) {
    printError(error.message);
    return error.exitCode;
  }
  if (error instanceof Deno.errors.NotCapable) {
    const [, access = "that", name] = /^Requires (\w+) access(?: to "([^"]*)")?/.exec(error.message) ?? [];
    const flag = name ? `--allow-${access}=${name}` : `--allow-${access}`;
    printError(`Cannot go on as Deno was not given permission: add ${flag}`);
    return 1;
  }
  const message = error instanceof Error ? error.message : String(error);
  printError(`${message.split("\n")[0]}: this is a defect of idarts, so please report it with what --debug prints`);
  return 1;
}
