/**
 * Deno: files of the system, within the permissions that it was given. Importing it chooses it.
 * @module
 */
import process from "node:process";
import { constants, crc32, gunzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { type FileFault, type GunzipOptions, type Platform, THREADS_VARIABLE, usePlatform } from "./platform.ts";

function granted(query: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(query).state === "granted";
}

function fault(error: unknown): FileFault | undefined {
  if (error instanceof Deno.errors.NotCapable) {
    // Deno names the access it missed; special files (devices, /proc) need all of it, which nobody should give.
    if (/requires all access/i.test(error.message)) return { forbidden: "all" };
    return { forbidden: error.message.includes("--allow-write") ? "write" : "read" };
  }
  const code = (error as { code?: unknown } | null)?.code;
  if (error instanceof Deno.errors.NotFound) return { code: "ENOENT" };
  if (typeof code === "string") return { code };
  if (error instanceof Deno.errors.FilesystemLoop) return { code: "ELOOP" };
  if (error instanceof Deno.errors.PermissionDenied) return { code: "EACCES" };
  if (error instanceof Deno.errors.NotADirectory) return { code: "ENOTDIR" };
  return undefined;
}

/** What Mesa's drivers are told by the environment, unless it says otherwise; see {@linkcode Platform.prepareDriver}. */
const DRIVER_VARIABLES: readonly (readonly [variable: string, value: string])[] = [
  ["XDG_RUNTIME_DIR", "/tmp"], // silences a harmless line that is printed where it is unset
  // Threads of the software driver, which starts one for each core. In virtual machines idle cores look taken to Linux,
  // and all threads are often woken on the same core: more of them spread (docs/performance.md).
  [THREADS_VARIABLE, String(3 * navigator.hardwareConcurrency)],
];

/** Deno. */
export const DENO: Platform = {
  get name() {
    return `Deno ${Deno.version.deno}`;
  },
  get process() {
    return Deno.pid;
  },
  files: {
    stat: (path) => Deno.statSync(path),
    lstat: (path) => Deno.lstatSync(path),
    list: (folder) => Deno.readDirSync(folder),
    read: (path) => Deno.readFileSync(path),
    open: (path, options) => Deno.openSync(path, options),
    rename: (from, to) => Deno.renameSync(from, to),
    remove: (path) => Deno.removeSync(path),
    makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
    syncFolder(folder) {
      if (!granted({ name: "read", path: folder })) return; // asked without a prompt
      try {
        using handle = Deno.openSync(folder, { read: true });
        handle.syncSync();
      } catch { /* the data itself is synced */ }
    },
    fault,
  },
  freeMemory: () => granted({ name: "sys", kind: "systemMemoryInfo" }) ? Deno.systemMemoryInfo().available : undefined,
  cpuSeconds() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
  prepareDriver() {
    for (const [variable, value] of DRIVER_VARIABLES) {
      if (granted({ name: "env", variable }) && !Deno.env.get(variable)) Deno.env.set(variable, value);
    }
  },
  threadsOf(module) {
    const folder = new URL("../", module);
    if (folder.protocol !== "file:") return true;
    const path = fileURLToPath(folder);
    return granted({ name: "read", path }) || path;
  },
  sharesShaders: true,
  gunzip(bytes, { most, partial = false }: GunzipOptions) {
    // A chunk is taken whole for the smallest output, and is free only when V8 collects: small inputs get small ones.
    const chunkSize = Math.min(Math.max(1024, Math.min(most, 8 * bytes.length)), 1 << 20);
    const finishFlush = partial ? constants.Z_SYNC_FLUSH : constants.Z_FINISH;
    return gunzipSync(bytes, { maxOutputLength: most, chunkSize, finishFlush }) as Uint8Array<ArrayBuffer>;
  },
  crc32,
  // Deno hands the module out without reading a file, so that no permission is needed, and compiles it once for all
  // threads. The specifier is whole, with the version of `deno.json`: publishing does not know this kind of import and
  // leaves it as it is.
  // @ts-expect-error TypeScript does not know this phase of imports: https://github.com/tc39/proposal-source-phase-imports
  // deno-lint-ignore no-import-prefix
  codecModule: async () => await import.source("npm:@imagemagick/magick-wasm@0.0.43/magick.wasm"),
};

usePlatform(DENO);
