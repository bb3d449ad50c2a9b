/**
 * `idarts watch <run>`: a page that shows a run while another process is at it. Also the flag `--watch` of a search or a training.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { UsageError } from "../base/errors.ts";
import { joinPath } from "../base/files.ts";
import { RunFolder } from "../run/run_folder.ts";
import { runKind } from "../run/run_record.ts";
import { OUTPUT_GROUP, type Parsed } from "./flags.ts";
import { LIVE_HOST, LiveServer } from "./live_server.ts";
import { listenForStop } from "./stop.ts";
import { commandLine, Terminal } from "./terminal.ts";

/** Which port, for help texts. */
const PORT_HELP = "port on 127.0.0.1 (0: any that is free)";

/** Declares the verb. */
export function watchCommand(program: Command): Command {
  const command = program.command("watch <run>")
    .summary("show a run that is going on in a browser")
    .description(
      "Serves a page that shows a search or a training while it runs: curves, cells, where it is. Browsers on this machine " +
        "alone can open it, and nothing can be changed by it. Ctrl-C ends it; the run does not notice.",
    );
  command.addOption(new Flag("--port <number>", PORT_HELP).default("8765").helpGroup(OUTPUT_GROUP));
  command.addOption(new Flag("--json", "the address as one JSON line").helpGroup(OUTPUT_GROUP));
  command.addHelpText(
    "after",
    `
Example:
  ${commandLine(["watch", "runs/mnist-demo"], { read: ["runs"], write: [], net: [LIVE_HOST] })}

Exit codes: 0 ended by Ctrl-C, 1 it could not be done, 2 wrong use.`,
  );
  return command;
}

/** Adds `--watch` to the verb of a run. */
export function addWatchFlag(command: Command): void {
  command.addOption(
    new Flag("--watch [port]", `serve a page that shows the run to browsers on this machine: ${PORT_HELP}`)
      .preset("8765").helpGroup(OUTPUT_GROUP),
  );
}

/** Begins to serve a run's page where that was asked for, and says where. */
export function openLive(
  folder: RunFolder,
  port: unknown,
  terminal: Terminal,
  flag = "--watch",
): LiveServer | undefined {
  if (port === undefined) return undefined;
  if (!/^\d{1,5}$/.test(String(port)) || Number(port) > 65535) {
    throw new UsageError(`Cannot use ${flag} as it must be a port from 0 to 65535: current value is '${port}'`);
  }
  try {
    const server = new LiveServer(folder, Number(port));
    terminal.event({ event: "watch", address: server.address });
    terminal.line(`Watch it at ${server.address}`);
    return server;
  } catch (error) {
    const refused = error instanceof Deno.errors.PermissionDenied;
    if (!refused && !(error instanceof Deno.errors.AddrInUse)) throw error;
    const why = refused ? "the system lets no program of yours listen there" : "another program listens there";
    throw new UsageError(`Cannot use ${flag} ${port} as ${why}: take another port, or 0`);
  }
}

/** Runs the verb until it is told to stop. @returns the exit code */
export async function runWatch(parsed: Parsed, [path]: readonly string[]): Promise<number> {
  const terminal = new Terminal(parsed.json === true);
  const folder = RunFolder.view(path, { warn: (message) => terminal.warn(message) });
  if (folder.begun && runKind(folder) === "auto") {
    throw new UsageError(
      `Cannot watch '${path}' as it must be a search or a training: it is a run of auto, so name one of its trials, a ` +
        `folder in '${joinPath(path, "trials")}'`,
    );
  }
  const ended = Promise.withResolvers<void>();
  using _stop = listenForStop(ended.resolve, "stops");
  await using _server = openLive(folder, parsed.port, terminal, "--port");
  await ended.promise;
  return 0;
}
