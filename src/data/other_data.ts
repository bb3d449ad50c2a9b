/**
 * What something is that was given as a data set and is of no format that is read, and what to do with it: archives,
 * arrays and tables, and folders that hold only such files. Not responsible for the formats that are read.
 * @module
 */
import { fileError, joinPath } from "../base/files.ts";
import { platform } from "../platform/platform.ts";

/** What to do with a kind of file. */
const UNPACK = "unpack it and name its folder",
  SAVE = "save its images as files, those of each class in a folder of its own";

/** Kinds of files, by bytes (Latin-1) at a place; the first that fits. */
const KINDS: readonly (readonly [bytes: string, at: number, kind: string, advice: string])[] = [
  ["PK\x05\x06", 0, "an empty zip archive", "fetch it again"],
  ["7z\xbc\xaf\x27\x1c", 0, "a 7z archive", UNPACK],
  ["Rar!", 0, "a rar archive", UNPACK],
  ["\xfd7zXZ", 0, "an xz archive", UNPACK],
  ["BZh", 0, "a bzip2 archive", UNPACK],
  ["\x28\xb5\x2f\xfd", 0, "a zstd archive", UNPACK],
  ["\x1f\x8b", 0, "a gzip archive", UNPACK],
  ["ustar", 257, "a tar archive", UNPACK],
  ["PAR1", 0, "a Parquet table", SAVE],
  ["ARROW1", 0, "an Arrow table", SAVE],
  ["\x89HDF\r\n\x1a\n", 0, "an HDF5 file", SAVE],
  ["\x93NUMPY", 0, "a NumPy array", SAVE],
  ["MATLAB ", 0, "a MATLAB file", SAVE],
  ["SQLite format 3\0", 0, "an SQLite database", SAVE],
];

/** Kinds of files by the ends of their names. */
const ENDINGS: Readonly<Record<string, readonly [kind: string, advice: string]>> = {
  npz: ["an archive of NumPy arrays", SAVE],
  pkl: ["a pickle of Python", SAVE],
  pickle: ["a pickle of Python", SAVE],
  pt: ["a file of PyTorch", SAVE],
  tfrecord: ["a TFRecord file", SAVE],
  csv: ["a table of text", SAVE],
};

/** What a file is, and what to do with it; undefined for others. */
function fileKind(path: string): readonly [kind: string, advice: string] | undefined {
  const ending = /\.([a-z]+)$/i.exec(path)?.[1].toLowerCase() ?? "";
  if (Object.hasOwn(ENDINGS, ending)) return ENDINGS[ending];
  const head = new Uint8Array(262);
  try {
    using file = platform().files.open(path, { read: true });
    file.readSync(head);
  } catch (error) {
    throw fileError(error, "read", path);
  }
  const text = String.fromCharCode(...head);
  if (text.startsWith("PK\x03\x04")) return ["a zip archive", UNPACK];
  const kind = KINDS.find(([bytes, at]) => text.startsWith(bytes, at));
  return kind && [kind[2], kind[3]];
}

/** Files of a folder that are looked at. */
const LOOKED = 20;

/**
 * A part of a sentence: what is at `path`, which exists, and what to do with it; undefined where that is not known.
 * @throws {FailureError} where it may not be read
 */
export function describeOther(path: string): string | undefined {
  const { files } = platform();
  if (files.stat(path).isFile) {
    const kind = fileKind(path);
    return kind && `it is ${kind[0]}: ${kind[1]}`;
  }
  if (!files.stat(path).isDirectory) return undefined;
  const entries = [...files.list(path)].toSorted((a, b) => a.name < b.name ? -1 : 1);
  if (entries.length === 0) return "it is empty";
  if (entries.some(({ name }) => /^data_batch_1$|^test_batch$/.test(name))) {
    return "it is CIFAR as Python's pickles: take the binary version";
  }
  for (const { name, isFile } of entries.slice(0, LOOKED)) {
    const kind = isFile ? fileKind(joinPath(path, name)) : undefined;
    if (kind) return `it holds '${name}', ${kind[0]}: ${kind[1]}`;
  }
}
