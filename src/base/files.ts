/**
 * Reading and writing whole files, with errors that say what to do about them. A file that is written here is
 * either the old one or the new one, never a torn one. Not responsible for formats.
 * @module
 */
import { type OpenFile, platform } from "../platform/platform.ts";
import { FailureError } from "./errors.ts";
import { shellQuote } from "./shell.ts";

/** The most bytes that {@linkcode readBytes} takes unless told otherwise: 4 GiB. */
const MAX_FILE_BYTES = 2 ** 32;

/** Folder part of `path` (`"."` where it has none). */
export function folderOf(path: string): string {
  const cut = path.replace(/[/\\]+$/, "").search(/[/\\][^/\\]*$/);
  return cut < 0 ? "." : cut === 0 ? path.slice(0, 1) : path.slice(0, cut);
}

/**
 * The flag that lets Deno read or write some places. It separates paths by commas and knows no way to write one
 * (2.9.6): for a path with a comma stands the first folder above it that has none.
 */
export function allowFlag(access: "read" | "write", ...paths: readonly string[]): string {
  const sayable = (path: string): string => path.includes(",") ? sayable(folderOf(path)) : path;
  return `--allow-${access}=${[...new Set(paths.map(sayable))].join(",")}`;
}

/** Last part of `path`, without trailing separators. */
export function baseName(path: string): string {
  const bare = path.replace(/[/\\]+$/, "");
  return bare.slice(bare.search(/[^/\\]*$/));
}

/** `folder` and `name` joined by one slash. */
export function joinPath(folder: string, name: string): string {
  return /[/\\]$/.test(folder) ? folder + name : `${folder}/${name}`;
}

/** What the system's error codes mean to a user, and the remedy. */
const CAUSES: Record<string, string> = {
  ENOENT: "it does not exist: check the path",
  EACCES: "the system denies access: change the file's mode or take another path",
  EPERM: "the system denies access: change the file's mode or take another path",
  EROFS: "the file system is read-only: take another path",
  ENOSPC: "the disk is full: free some space or take another path",
  EDQUOT: "the disk quota is used up: free some space or take another path",
  EISDIR: "it is a folder: name a file",
  ENOTDIR: "a part of the path is a file, not a folder: check the path",
  ENAMETOOLONG: "the name is too long: take a shorter one",
  EMFILE: "too many files are open: close some or raise the limit (ulimit -n)",
  ELOOP: "the path holds a loop of symbolic links: check the path",
  EIO: "the device reports an error: check the disk",
};

/**
 * Turns what a file operation threw into one clear sentence. `action` is the verb ("read", "write"), `path` what
 * the user named. Errors that are ours already pass unchanged.
 */
export function fileError(error: unknown, action: "read" | "write", path: string): Error {
  if (error instanceof FailureError) return error;
  const head = `Cannot ${action} '${path}' as `;
  const { forbidden, code } = platform().files.fault(error) ?? {};
  if (forbidden === "all") {
    return new FailureError(`${head}it is a special file of the system: take an ordinary file`, { cause: error });
  }
  if (forbidden !== undefined) {
    const flag = forbidden === "write"
      ? allowFlag("write", folderOf(path))
      : allowFlag("read", action === "write" ? folderOf(path) : path);
    return new FailureError(`${head}Deno was not given permission: add ${shellQuote(flag)}`, { cause: error });
  }
  const cause = action === "write" && code === "ENOENT"
    ? `the folder '${folderOf(path)}' does not exist: create it first`
    : Object.hasOwn(CAUSES, String(code))
    ? CAUSES[String(code)]
    : `the system says: ${error instanceof Error ? error.message : String(error)}`;
  return new FailureError(head + cause, { cause: error });
}

/** The system's code behind an error, or behind what caused it: `ENOSPC`; undefined where the system is not to blame. */
export function systemCode(error: unknown): string | undefined {
  for (let each = error, depth = 0; each instanceof Error && depth < 8; each = each.cause, depth++) {
    const { code } = each as { code?: unknown };
    if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return undefined;
}

/** Whether an error comes from a full disk or a used up quota. */
export function lacksSpace(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(systemCode(error) ?? "");
}

/** Whether an operation failed because there is nothing at the path. */
export function isMissing(error: unknown): boolean {
  return platform().files.fault(error)?.code === "ENOENT";
}

/** Whether an operation failed because the runtime was not told to allow it. */
export function isForbidden(error: unknown): boolean {
  return platform().files.fault(error)?.forbidden !== undefined;
}

/** True where `path` exists (a file or a folder); throws FailureError where that cannot be told. */
export function exists(path: string): boolean {
  try {
    platform().files.stat(path);
    return true;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(platform().files.fault(error)?.code ?? "")) return false;
    throw fileError(error, "read", path);
  }
}

/** Writes all of `bytes` at the file's position: `writeSync` alone may write a part. */
export function writeFully(file: Pick<OpenFile, "writeSync">, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += file.writeSync(bytes.subarray(done));
  }
}

/** Removes `path` if it is there; never throws. */
function removeQuietly(path: string): void {
  try {
    platform().files.remove(path);
  } catch { /* nothing more can be done */ }
}

/** Tells the temporary files of this process from those of any other, on other machines that share the folder too. */
const PROCESS: number = crypto.getRandomValues(new Uint32Array(1))[0];

/** Makes a folder and those above it. Throws FailureError. */
export function makeFolder(path: string): void {
  try {
    platform().files.makeFolder(path);
  } catch (error) {
    throw fileError(error, "write", path);
  }
}

/** Matches the temporary files of {@linkcode writeAtomic} that a killed process left behind, and nobody else's. */
export const TEMPORARY_NAME = /\.idarts-tmp-\d+$/;

/**
 * Writes `path` so that a reader, or a run resumed after a kill, finds the old content or the new one and nothing
 * in between: a temporary file in the same folder, fsync, rename. With `backup`, an older `path` is kept under
 * that name. A symbolic link at `path` is replaced, not followed. Throws FailureError; then `path` is as before.
 */
export function writeAtomic(path: string, data: Uint8Array | string, options: { backup?: string } = {}): void {
  const temporary = `${path}.idarts-tmp-${platform().process}${PROCESS}`;
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  let created = false;
  let moved = false;
  try {
    {
      using file = platform().files.open(temporary, { write: true, createNew: true }); // never through a link
      created = true;
      writeFully(file, bytes);
      file.syncSync();
    }
    if (options.backup !== undefined) {
      try {
        platform().files.rename(path, options.backup);
        moved = true;
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    }
    platform().files.rename(temporary, path);
    created = false;
    moved = false;
    platform().files.syncFolder(folderOf(path));
  } catch (error) {
    if (created) removeQuietly(temporary);
    if (moved && options.backup !== undefined) {
      try {
        platform().files.rename(options.backup, path);
      } catch { /* the backup still holds the content */ }
    }
    throw fileError(error, "write", path);
  }
}

/**
 * The bytes of the regular file `path`. Throws FailureError where it is missing, not a regular file (a device or
 * a pipe could never end), larger than `maxBytes`, or not permitted.
 */
export function readBytes(path: string, options: { maxBytes?: number } = {}): Uint8Array<ArrayBuffer> {
  const max = options.maxBytes ?? MAX_FILE_BYTES;
  try {
    const info = platform().files.stat(path);
    if (!info.isFile) {
      throw new FailureError(
        `Cannot read '${path}' as it must be a file: it is a ${info.isDirectory ? "folder" : "device or a pipe"}`,
      );
    }
    if (info.size > max) {
      throw new FailureError(
        `Cannot read '${path}' as it must be at most ${max} bytes long: current size is ${info.size}`,
      );
    }
    return platform().files.read(path);
  } catch (error) {
    throw fileError(error, "read", path);
  }
}

/** The text of the UTF-8 file `path`; throws FailureError like {@linkcode readBytes}, and for other encodings. */
export function readText(path: string, options: { maxBytes?: number } = {}): string {
  const bytes = readBytes(path, options);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new FailureError(`Cannot read '${path}' as it must be UTF-8 text: save it in that encoding`, {
      cause: error,
    });
  }
}

/** Parses a JSON file. Throws FailureError where it cannot be read, or is damaged. */
export function readJson(path: string): unknown {
  const text = readText(path);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FailureError(`Cannot read '${path}' as it must be JSON: the file is damaged`, { cause: error });
  }
}
