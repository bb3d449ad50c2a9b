/**
 * Makes what Deno cannot make with the permissions that tests have, or not at all: names that are not UTF-8, pipes and
 * links. Run in a process of its own, on Linux: `odd_files.ts FOLDER '[["rename", "a", [99, 97, 233]], ...]'`, with paths
 * in the folder.
 * @module
 */

/** What to do: rename to a name of these bytes, make a pipe, make a link to a target. */
export type Oddity =
  | readonly ["rename", from: string, to: readonly number[]]
  | readonly ["pipe", path: string]
  | readonly ["link", path: string, target: string];

if (import.meta.main) {
  const [folder, oddities] = Deno.args;
  const libc = Deno.dlopen("libc.so.6", {
    rename: { parameters: ["buffer", "buffer"], result: "i32" },
    mkfifo: { parameters: ["buffer", "u32"], result: "i32" },
  });
  const bytes = (path: string, rest: readonly number[] = []): Uint8Array<ArrayBuffer> =>
    Uint8Array.from([...new TextEncoder().encode(`${folder}/${path}`), ...rest, 0]);
  for (const [what, path, target] of JSON.parse(oddities) as Oddity[]) {
    let failed = 0;
    if (what === "link") Deno.symlinkSync(target as string, `${folder}/${path}`);
    else if (what === "pipe") failed = libc.symbols.mkfifo(bytes(path), 0o600);
    else failed = libc.symbols.rename(bytes(path), bytes(path.replace(/[^/]*$/, ""), target as readonly number[]));
    if (failed) throw new Error(`Cannot ${what} ${path}`);
  }
}
