/**
 * How the program was started and where, for the command lines that it prints: from a clone, or from a registry.
 * @module
 */

/**
 * What stands after `deno run` and its flags: `cli.ts` in a clone, `jsr:@scope/name@version/cli` for what a registry of
 * JSR's kind served, else the address of `cli.ts`.
 * @param module address of this module
 */
export function programName(module: string): string {
  if (module.startsWith("file:")) return "cli.ts";
  const { pathname } = new URL(module), [, name, version] = /^\/(@[^/]+\/[^/]+)\/([^/]+)\/src\//.exec(pathname) ?? [];
  return name === undefined ? new URL("../../cli.ts", module).href : `jsr:${name}@${version}/cli`;
}

/** {@linkcode programName} of this program. */
export const PROGRAM: string = programName(import.meta.url);

/** Whether the program lies in a clone of its repository, where there are tasks too. */
export const CLONED: boolean = PROGRAM === "cli.ts";

/**
 * What has to be readable for threads that decode images: Deno lets a program that lies on the disk start a thread only
 * if it may read its own modules; those of a registry need nothing.
 */
export const THREAD_PLACES: readonly string[] = CLONED ? ["src"] : [];

/** The name of this machine, where it may be known without asking. */
export function hostName(): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "hostname" });
  return state === "granted" ? Deno.hostname() : undefined;
}
