/**
 * Which files of an image folder are images of which class and part, without decoding any. Layout: one folder per
 * class, its images directly in it or deeper; or `train/`, `val/` and `test/` above, of which only `train/` must be
 * there. Not responsible for pixels.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { baseName, fileError, joinPath } from "../base/files.ts";
import type { SkippedFile } from "./dataset.ts";
import { HEAD_BYTES, isNamedImage, nameContent, sniff } from "./image_format.ts";
import { MAX_IMAGE_BYTES } from "./pixels.ts";

/** An image that looks right from outside. */
export interface ImageFile {
  /** Where it is. */
  readonly path: string;
  /** Its path within the data set. */
  readonly name: string;
  /** Its class. */
  readonly label: number;
  /** Its size in bytes. */
  readonly bytes: number;
}

/** A part of the data set as it lies on the disk. */
export type Part = "train" | "val" | "test";

/** What {@linkcode scanImages} finds. */
export interface ImageList {
  /** Class names, sorted: the folders of the training part. */
  readonly classNames: readonly string[];
  /** The images of each part that is there, by class and name; all are under `train` where nothing is given. */
  readonly parts: ReadonlyMap<Part, readonly ImageFile[]>;
  /** Whether there is a folder for testing or validation. */
  readonly split: boolean;
  /** What cannot be an image though its name says so. */
  readonly skipped: readonly SkippedFile[];
  /** Number of images that lie beside the folders of the classes, in none of them. */
  readonly loose: number;
  /** Number of other files by the ending of their names. */
  readonly others: ReadonlyMap<string, number>;
}

/** Names that the folder of a part goes by. */
const PART_NAMES: Readonly<Record<Part, readonly string[]>> = {
  train: ["train", "training"],
  val: ["val", "valid", "validation"],
  test: ["test", "testing"],
};
const PARTS = ["train", "val", "test"] as const;
const MAX_DEPTH = 16;

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly isFolder: boolean;
  readonly bytes: number;
}

/** What lies in a folder, sorted by name (code units: the same everywhere); hidden entries and `__MACOSX` left out. */
function list(folder: string): Entry[] {
  try {
    const entries: Entry[] = [];
    for (const { name } of Deno.readDirSync(folder)) {
      if (name.startsWith(".") || name === "__MACOSX") continue;
      const path = joinPath(folder, name);
      try {
        const info = Deno.statSync(path); // Follows links.
        if (info.isDirectory || info.isFile) entries.push({ name, path, isFolder: info.isDirectory, bytes: info.size });
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error; // A link to nowhere.
      }
    }
    return entries.sort((a, b) => a.name < b.name ? -1 : 1);
  } catch (error) {
    throw fileError(error, "read", folder);
  }
}

function folders(folder: string): Entry[] {
  return list(folder).filter((entry) => entry.isFolder);
}

/** Why a file cannot be the image that its name says it is; undefined where it looks right. */
function fault({ path, bytes }: Entry): string | undefined {
  if (bytes === 0) return "it is empty";
  if (bytes > MAX_IMAGE_BYTES) return `it is larger than ${MAX_IMAGE_BYTES / 2 ** 20} MiB`;
  const head = new Uint8Array(HEAD_BYTES);
  try {
    using file = Deno.openSync(path, { read: true });
    file.readSync(head);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw fileError(error, "read", path);
    return "the system does not let it be read";
  }
  return sniff(head) === undefined ? nameContent(head) : undefined;
}

/** Whether `path` holds folders, which is all that an image folder can be told by. */
export function looksLikeImages(path: string): boolean {
  return Deno.statSync(path).isDirectory && folders(path).length > 0;
}

/** The folder of a part among those at the top of a data set. */
function partFolder(top: readonly Entry[], part: Part): string | undefined {
  return top.find(({ name, path }) => PART_NAMES[part].includes(name.toLowerCase()) && folders(path).length > 0)?.path;
}

/**
 * The parts that the image folder `root` has: those with a folder of their own; where only the training part has one,
 * or none, test images are shared out of it.
 */
export function partsIn(root: string): Part[] {
  const top = folders(root), found = PARTS.filter((part) => partFolder(top, part) !== undefined);
  return found.includes("train") && found.length > 1 ? found : ["train", "test"];
}

/**
 * Lists the images of the folder `root`. Throws FailureError for no class, one class, a class of the training part
 * without an image, and a class that only another part has.
 */
export function scanImages(root: string): ImageList {
  const top = folders(root);
  const train = partFolder(top, "train"), split = train !== undefined;
  const skipped: SkippedFile[] = [], others = new Map<string, number>();
  const classNames = folders(train ?? root).map(({ name }) => name);
  const loose = list(train ?? root).filter(({ name, isFolder }) => !isFolder && isNamedImage(name)).length;
  if (classNames.length < 2) {
    throw new FailureError(
      `Cannot use '${train ?? root}' as an image folder as it must hold at least 2 folders, one for each class: ` +
        `current number is ${classNames.length}`,
    );
  }

  const collect = (folder: string, name: string, label: number, out: ImageFile[], depth: number): void => {
    if (depth > MAX_DEPTH) throw new FailureError(`Cannot read '${folder}' as folders may lie ${MAX_DEPTH} deep only`);
    for (const entry of list(folder)) {
      const within = `${name}/${entry.name}`;
      if (entry.isFolder) collect(entry.path, within, label, out, depth + 1);
      else if (!isNamedImage(entry.name)) {
        const ending = /\.[^.]{1,8}$/.exec(entry.name.toLowerCase())?.[0] ?? "no ending";
        others.set(ending, (others.get(ending) ?? 0) + 1);
      } else {
        const why = fault(entry);
        if (why === undefined) out.push({ path: entry.path, name: within, label, bytes: entry.bytes });
        else skipped.push({ file: within, why });
      }
    }
  };
  const scan = (folder: string, prefix: string): ImageFile[] => {
    const out: ImageFile[] = [];
    for (const { name, path } of folders(folder)) {
      const label = classNames.indexOf(name);
      if (label < 0) {
        throw new FailureError(
          `Cannot use class '${name}' of '${folder}' as the training part has no such folder: its classes are ` +
            classNames.slice(0, 8).join(", ") + (classNames.length > 8 ? ", ..." : ""),
        );
      }
      collect(path, prefix + name, label, out, 0);
    }
    return out;
  };

  const parts = new Map<Part, readonly ImageFile[]>([["train", scan(train ?? root, split ? "train/" : "")]]);
  for (const part of ["val", "test"] as const) {
    const folder = split ? partFolder(top, part) : undefined;
    if (folder !== undefined) parts.set(part, scan(folder, `${baseName(folder)}/`));
  }
  checkClasses(root, classNames, parts.get("train")!);
  return { classNames, parts, split: parts.size > 1, skipped, loose, others };
}

/** Throws FailureError for a class without a training image. */
export function checkClasses(root: string, classNames: readonly string[], train: readonly { label: number }[]): void {
  const seen = new Set(train.map(({ label }) => label));
  const missing = classNames.find((_, label) => !seen.has(label));
  if (missing === undefined) return;
  throw new FailureError(
    `Cannot use class '${missing}' of '${root}' as it has no training image that can be read (PNG or JPEG): ` +
      `put some there or remove its folder`,
  );
}

/** The classes that a list of images has none of. */
export function absentClasses(classNames: readonly string[], files: readonly { label: number }[]): string[] {
  const seen = new Set(files.map(({ label }) => label));
  return classNames.filter((_, label) => !seen.has(label));
}
