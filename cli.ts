/**
 * The command line of idarts: `deno run cli.ts --help`.
 *
 * Needs `--allow-read` for data and run folders and `--allow-write` for run folders, nothing else, but for `watch`, which
 * serves a page to this machine (`--allow-net=127.0.0.1`), and `data fetch`, which says what it needs.
 * @module
 */
import "./src/platform/deno.ts";
import { main } from "./src/commands/cli.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
