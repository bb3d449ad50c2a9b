/**
 * Which files of an image folder are images of which class and part, without decoding any; what is left out of it, all
 * of it, and why. Images lie in the folder of their class or deeper. Not responsible for which folder is a part or a
 * class (`folder_layout.ts`), and for pixels.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { fileError, isForbidden, joinPath } from "../base/files.ts";
import { platform } from "../platform/platform.ts";
import type { SkippedFile } from "./dataset.ts";
import { type Entry, foldersOf, listFolder } from "./folder_listing.ts";
import { layoutOf, MAX_DEPTH, type Part, PARTS } from "./folder_layout.ts";
import { FORMAT_NAMES, HEAD_BYTES, isNamedImage, nameContent, sniff } from "./image_format.ts";
import { some } from "./left_out.ts";
import { describeOther } from "./other_data.ts";
import { MAX_IMAGE_BYTES } from "./pixels.ts";

export type { Part } from "./folder_layout.ts";

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

/** What {@linkcode scanImages} finds. */
export interface ImageList {
  /** Class names, sorted: the folders of the training part. */
  readonly classNames: readonly string[];
  /** The images of each part that is there, by class and name; all are under `train` where nothing is given. */
  readonly parts: ReadonlyMap<Part, readonly ImageFile[]>;
  /** Whether there is a folder for testing or validation. */
  readonly split: boolean;
  /** Files and folders that cannot be used though they look as if they should, and why. */
  readonly skipped: readonly SkippedFile[];
  /** Images that lie beside the folders of the classes, in none of them. */
  readonly loose: readonly string[];
  /** Number of other files by the ending of their names. */
  readonly others: ReadonlyMap<string, number>;
  /** Classes whose names look equal and are not, in groups. */
  readonly twins: readonly (readonly string[])[];
  /** How the folder was read where it could be meant otherwise, in sentences. */
  readonly doubts: readonly string[];
}

/** Whether a file is an image by its content, else why it is none. */
function judge({ path, bytes }: Entry): { readonly image: boolean; readonly why?: string } {
  if (bytes === 0) return { image: false, why: "it is empty" };
  const head = new Uint8Array(HEAD_BYTES);
  try {
    using file = platform().files.open(path, { read: true });
    file.readSync(head);
  } catch (error) {
    if (isForbidden(error)) throw fileError(error, "read", path);
    return { image: false, why: "the system does not let it be read" };
  }
  if (sniff(head) === undefined) return { image: false, why: nameContent(head.subarray(0, bytes)) };
  if (bytes > MAX_IMAGE_BYTES) return { image: false, why: `it is larger than ${MAX_IMAGE_BYTES / 2 ** 20} MiB` };
  return { image: true };
}

/** Whether `path` holds folders or images, which is all that an image folder can be told by. */
export function looksLikeImages(path: string): boolean {
  return platform().files.stat(path).isDirectory &&
    listFolder(path).entries.some(({ isFolder, name }) => isFolder || isNamedImage(name));
}

/**
 * The parts that the image folder `root` has: those with a folder of their own; where only the training part has one,
 * or none, test images are shared out of it.
 */
export function partsIn(root: string): Part[] {
  const { parts, split } = layoutOf(root);
  return split ? PARTS.filter((part) => parts.has(part)) : ["train", "test"];
}

/** What is found in the folders of classes. */
interface Found {
  readonly skipped: SkippedFile[];
  readonly others: Map<string, number>;
}

/** Adds the images of a class' folder and of those in it. */
function collect(folder: string, name: string, label: number, out: ImageFile[], found: Found, depth = 0): void {
  if (depth > MAX_DEPTH) {
    throw new FailureError(
      `Cannot read '${folder}' as folders may lie ${MAX_DEPTH} deep only: look for a link that leads back up`,
    );
  }
  const { entries, left } = listFolder(folder);
  found.skipped.push(...left.map(({ file, why }) => ({ file: `${name}/${file}`, why })));
  for (const entry of entries) {
    const within = `${name}/${entry.name}`;
    if (entry.isFolder) {
      collect(entry.path, within, label, out, found, depth + 1);
      continue;
    }
    const { image, why = "" } = judge(entry);
    if (image) out.push({ path: entry.path, name: within, label, bytes: entry.bytes });
    else if (isNamedImage(entry.name)) found.skipped.push({ file: within, why });
    else {
      const ending = /\.[^.]{1,8}$/.exec(entry.name.toLowerCase())?.[0] ?? "no ending";
      found.others.set(ending, (found.others.get(ending) ?? 0) + 1);
    }
  }
}

/** What is left of a name when writing, case and blanks do not count: names with the same rest look equal. */
function looks(name: string): string {
  return name.normalize("NFKC").replace(/\s+/gu, " ").trim().toLowerCase();
}

/** A name in quotes with all that is not ASCII as code points. */
export function spelled(name: string): string {
  return `'${name.replace(/[^\x21-\x7e ]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`)}'`;
}

/** The error for a class that the training part does not have. */
function unknownClass(name: string, folder: string, classNames: readonly string[]): FailureError {
  const twin = classNames.find((known) => looks(known) === looks(name));
  const head = `Cannot use class '${name}' of '${folder}' as the training part has no such folder: `;
  if (twin === undefined) {
    const shown = classNames.slice(0, 8).join(", ") + (classNames.length > 8 ? ", ..." : "");
    return new FailureError(`${head}its classes are ${shown}, so rename it or remove it`);
  }
  return new FailureError(
    `${head}its ${spelled(twin)} looks alike and is written differently from ${spelled(name)}, so rename one of them`,
  );
}

/** Classes that look equal and are not. */
function twins(classNames: readonly string[]): string[][] {
  return [...Map.groupBy(classNames, looks).values()].filter((group) => group.length > 1);
}

/**
 * Lists the images of the folder `root`. Throws FailureError for no class, one class, a class of the training part
 * without an image, a class that only another part has, and a layout that can be read in two ways.
 */
export function scanImages(root: string): ImageList {
  const { parts: places, split, left, loose, doubts } = layoutOf(root), train = places.get("train")!;
  const classNames = foldersOf(listFolder(train)).map(({ name }) => name);
  if (classNames.length < 2) throw tooFew(train, classNames, loose.length, left);
  const found: Found = { skipped: [...left], others: new Map() };
  const parts = new Map<Part, readonly ImageFile[]>();
  for (const part of PARTS) {
    const folder = places.get(part), out: ImageFile[] = [];
    if (folder === undefined) continue;
    const prefix = folder === root ? "" : `${folder.slice(joinPath(root, "").length)}/`;
    for (const { name, path } of foldersOf(listFolder(folder))) {
      const label = classNames.indexOf(name);
      if (label < 0) throw unknownClass(name, folder, classNames);
      collect(path, prefix + name, label, out, found);
    }
    parts.set(part, out);
  }
  checkClasses(root, classNames, parts.get("train")!, found.skipped, found.others);
  return { classNames, parts, split, loose, doubts, twins: twins(classNames), ...found };
}

/** The error for a folder with fewer than two classes. */
function tooFew(folder: string, classNames: readonly string[], loose: number, left: readonly SkippedFile[]): Error {
  let deeper = folder, inner = classNames;
  for (let depth = 0; inner.length === 1 && depth < MAX_DEPTH; depth++) {
    deeper = joinPath(deeper, inner[0]);
    inner = foldersOf(listFolder(deeper)).map(({ name }) => name);
  }
  const why = inner.length > 1
    ? `: '${deeper.slice(joinPath(folder, "").length)}' holds ${inner.length} folders, so name '${deeper}' if that ` +
      "is the data set"
    : loose > 0
    ? `, and ${loose} images lie beside them: put the images of each class into a folder of its own`
    : left.length > 0
    ? `, and left out are ${some(left.map(({ file, why }) => `'${file}' (${why})`))}`
    : `: ${describeOther(deeper) ?? describeOther(folder) ?? "put the images of each class into a folder of its own"}`;
  return new FailureError(
    `Cannot use '${folder}' as an image folder as it must hold at least 2 folders, one for each class: ` +
      `current number is ${classNames.length}${why}`,
  );
}

/**
 * Throws FailureError for a class without a training image.
 * @param skipped what was left out, to say why
 * @param others files that are no images, by ending
 */
export function checkClasses(
  root: string,
  classNames: readonly string[],
  train: readonly { label: number }[],
  skipped: readonly SkippedFile[],
  others: ReadonlyMap<string, number>,
): void {
  const seen = new Set(train.map(({ label }) => label)), missing = classNames.find((_, label) => !seen.has(label));
  if (missing === undefined) return;
  const mine = skipped.filter(({ file }) => file.split("/").includes(missing));
  const kinds = [...others].map(([ending, n]) => `${n} ${ending}`).join(", ");
  const why = mine.length > 0
    ? some(mine.map(({ file, why }) => `'${file}' (${why})`))
    : others.size > 0
    ? `the data set has ${kinds} that are none of these kinds`
    : "its folder holds none";
  throw new FailureError(
    `Cannot use class '${missing}' of '${root}' as it has no training image that can be read: ${why}; put some there ` +
      `(${FORMAT_NAMES}) or remove its folder`,
  );
}

/** The classes that a list of images has none of. */
export function absentClasses(classNames: readonly string[], files: readonly { label: number }[]): string[] {
  const seen = new Set(files.map(({ label }) => label));
  return classNames.filter((_, label) => !seen.has(label));
}
