/**
 * The command line with a stdout that never waits, as programs leave it that share one with us: it says "try again"
 * where the pipe is full. For tests on Linux.
 * @module
 */
import { main } from "../src/commands/cli.ts";

const GET_FLAGS = 3, SET_FLAGS = 4, NONBLOCKING = 0o4000;

if (import.meta.main) {
  const { symbols } = Deno.dlopen("libc.so.6", { fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" } });
  if (symbols.fcntl(1, SET_FLAGS, symbols.fcntl(1, GET_FLAGS, 0) | NONBLOCKING) < 0) Deno.exit(99);
  Deno.exit(await main(Deno.args));
}
