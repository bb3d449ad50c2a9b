/**
 * Downloads data sets from the addresses of their authors: what was fetched before a break is kept, the whole is
 * checked by size and SHA-256, and the file has its name only when it is right. Not responsible for reading it.
 * @module
 */
import { createHash } from "node:crypto";
import { FailureError, UsageError } from "../base/errors.ts";
import { exists, fileError, joinPath, writeFully } from "../base/files.ts";

/** A file on the network. */
export interface Remote {
  /** Where it is. */
  readonly url: string;
  /** Its name on the disk. */
  readonly file: string;
  /** Its size. */
  readonly bytes: number;
  /** Its SHA-256, in hex. */
  readonly sha256: string;
}

/** What can be fetched, by the name that `openData` knows it by. */
export const REMOTES: Readonly<Record<"cifar10" | "cifar100", Remote>> = {
  cifar10: {
    url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    file: "cifar-10-binary.tar.gz",
    bytes: 170052171,
    sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
  },
  cifar100: {
    url: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    file: "cifar-100-binary.tar.gz",
    bytes: 168513733,
    sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
  },
};

/** What {@linkcode fetchCifar} can be told. */
export interface FetchOptions {
  /** Told how many bytes are there, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops it; what is there is kept for the next time. */
  readonly signal?: AbortSignal;
  /** Take the file from elsewhere (a mirror, a test). */
  readonly remote?: Remote;
  /** Milliseconds without a byte after which it gives up; 30 seconds if left out. */
  readonly stallMs?: number;
}

/** SHA-256 (hex) of a file. */
function sha256(path: string): string {
  const hash = createHash("sha256"), buffer = new Uint8Array(1 << 20);
  using file = Deno.openSync(path, { read: true });
  for (let n = file.readSync(buffer); n !== null; n = file.readSync(buffer)) hash.update(buffer.subarray(0, n));
  return hash.digest("hex");
}

function sizeOf(path: string): number {
  return exists(path) ? Deno.statSync(path).size : 0;
}

/** What went wrong on the way, in one sentence. */
function networkError(error: unknown, { url }: Remote, signal: AbortSignal | undefined): Error {
  if (error instanceof FailureError) return error;
  if (error instanceof Deno.errors.NotCapable) {
    return new FailureError(
      `Cannot download '${url}' as Deno was not given permission: add --allow-net=${new URL(url).host}`,
      { cause: error },
    );
  }
  if (signal?.aborted) {
    return new FailureError(`Cannot download '${url}' as it was stopped: run it again to go on`, { cause: error });
  }
  const why = error instanceof Error && error.name === "TimeoutError"
    ? "nothing came for a while"
    : (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").slice(0, 160);
  return new FailureError(
    `Cannot download '${url}' (${why}): connect to the network and run it again, it goes on where it stopped`,
    { cause: error },
  );
}

/** Adds what is missing of the remote file to `part`. */
async function download(remote: Remote, part: string, options: FetchOptions): Promise<void> {
  const { url, bytes } = remote, { signal, onProgress, stallMs = 30_000 } = options;
  let done = sizeOf(part);
  if (done > bytes) done = 0;
  if (done === bytes) return;
  const stalled = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => stalled.abort(new DOMException("stalled", "TimeoutError")), stallMs);
  };
  try {
    wait();
    const response = await fetch(url, {
      headers: done > 0 ? { range: `bytes=${done}-` } : {},
      signal: signal === undefined ? stalled.signal : AbortSignal.any([signal, stalled.signal]),
    });
    const goesOn = response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${done}-`);
    if (!goesOn) {
      if (response.status !== 200) {
        await response.body?.cancel();
        throw new FailureError(
          `Cannot download '${url}' as the server answers ${response.status}: try again later, or put the file there ` +
            `yourself as '${part.replace(/\.part$/, "")}'`,
        );
      }
      done = 0; // The server sends the whole file.
    }
    using file = openPart(part, done);
    for await (const chunk of response.body ?? []) {
      wait();
      if (done + chunk.length > bytes) {
        throw new FailureError(`Cannot download '${url}' as it must be ${bytes} bytes long: the server sends more`);
      }
      writePart(file, part, chunk);
      done += chunk.length;
      onProgress?.(done, bytes);
    }
    if (done < bytes) throw new Error(`the connection ended after ${done} of ${bytes} bytes`);
  } catch (error) {
    throw networkError(error, remote, signal);
  } finally {
    clearTimeout(timer);
  }
}

function openPart(part: string, done: number): Deno.FsFile {
  try {
    const file = Deno.openSync(part, { write: true, create: true });
    file.truncateSync(done);
    file.seekSync(done, Deno.SeekMode.Start);
    return file;
  } catch (error) {
    throw fileError(error, "write", part);
  }
}

function writePart(file: Deno.FsFile, part: string, chunk: Uint8Array): void {
  try {
    writeFully(file, chunk);
  } catch (error) {
    throw fileError(error, "write", part);
  }
}

/**
 * Puts CIFAR-10 or CIFAR-100 (binary version, about 170 MB) into `folder`, which is made if need be; nothing is fetched
 * that is there. Needs `--allow-net=www.cs.toronto.edu` and reading and writing of the folder.
 *
 * @returns the path of the archive, for `openData`
 * @throws {FailureError} offline, where the server fails, or for a file that is not the published one
 */
export async function fetchCifar(name: string, folder: string, options: FetchOptions = {}): Promise<string> {
  const known = Object.hasOwn(REMOTES, name) ? REMOTES[name as keyof typeof REMOTES] : undefined;
  const remote = options.remote ?? known;
  if (remote === undefined) {
    throw new UsageError(`Cannot fetch '${name}' as it must be one of ${Object.keys(REMOTES).join(", ")}`);
  }
  const target = joinPath(folder, remote.file), part = `${target}.part`;
  if (sizeOf(target) === remote.bytes && sha256(target) === remote.sha256) return target;
  try {
    Deno.mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw fileError(error, "write", folder);
  }
  await download(remote, part, options);
  const sum = sha256(part);
  try {
    if (sum === remote.sha256) Deno.renameSync(part, target);
    else Deno.removeSync(part);
  } catch (error) {
    throw fileError(error, "write", part);
  }
  if (sum === remote.sha256) return target;
  throw new FailureError(
    `Cannot use what '${remote.url}' sent as its SHA-256 must be ${remote.sha256}: current value is ${sum}, ` +
      `so it was removed: try again`,
  );
}
