/**
 * The command line of idarts: `deno run cli.ts --help`.
 *
 * Needs `--allow-read` for data and run folders and `--allow-write` for run folders, nothing else.
 * @module
 */
import "./src/platform/deno.ts";
import { main } from "./src/commands/cli.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
