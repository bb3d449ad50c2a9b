/**
 * How a folder of images is laid out: a folder for each class, or a folder for each part with the classes in it; and
 * which is which, by the spellings that data sets have. What can be read in two ways is refused with both of them. Not
 * responsible for which images are in the classes.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { baseName, joinPath } from "../base/files.ts";
import type { SkippedFile } from "./dataset.ts";
import { type Entry, foldersOf, listFolder, type Listing } from "./folder_listing.ts";
import { isNamedImage } from "./image_format.ts";

/** A part of the data set as it lies on the disk. */
export type Part = "train" | "val" | "test";

/** The parts, in order. */
export const PARTS: readonly Part[] = ["train", "val", "test"];

/** Words by which the folder of a part is known. */
const WORDS: Readonly<Record<Part, readonly string[]>> = {
  train: ["train", "training", "trn"],
  val: ["val", "valid", "validation", "validate", "dev", "development", "eval", "evaluation"],
  test: ["test", "testing", "tst"],
};
/** Words that may stand beside them: `seg_train`, `training_set`, `images-test`, `train2017`. */
const FILLERS =
  /^(sets?|seg|images?|imgs?|pics?|pictures?|photos?|data|dataset|split|part|folder|dir|files?|samples?)$/;
/** Folders of images that have no class: nobody can learn from them or be tested on them. */
const UNLABELLED = /^(pred|predict|prediction|predictions|unlabell?ed|inference|submission)$/;
/** How deep folders are followed. */
export const MAX_DEPTH = 16;
const SHOWN = 5;

/** A folder of images, laid out. */
export interface Layout {
  /** The folder of each part, which holds those of the classes. Without parts there is only `train`, the top. */
  readonly parts: ReadonlyMap<Part, string>;
  /** Whether there is a folder for testing or validation. */
  readonly split: boolean;
  /** Files and folders beside those of the parts or classes that are no part of the data set. */
  readonly left: readonly SkippedFile[];
  /** Images that lie beside the folders of the classes, in none of them. */
  readonly loose: readonly string[];
  /** How it was read where it could be meant otherwise, in sentences. */
  readonly doubts: readonly string[];
}

/** The words of a folder's name that say something. */
function wordsOf(name: string): string[] {
  const words = name.normalize("NFKC").toLowerCase().split(/[^\p{L}]+/u).filter((word) => word !== "");
  return words.map((word) =>
    word.replace(/(?<=^(train|training|test|val|valid|dev))(set|data|images?)$/, "")
      .replace(/^(im(a?)ges?|imgs?|pics?|data)(?=(train|training|test|val|valid)$)/, "")
  ).filter((word) => !FILLERS.test(word));
}

const partOfWord = (word: string): Part | undefined => PARTS.find((part) => WORDS[part].includes(word));

/** The part that a folder's name says it is; undefined for other names. */
export function partOfName(name: string): Part | undefined {
  const words = wordsOf(name);
  return words.length === 1 ? partOfWord(words[0]) : undefined;
}

/** The part that a word of a folder's name says it is, and the other words; undefined where none or several do. */
function partWithin(name: string): { readonly part: Part; readonly rest: string } | undefined {
  const words = wordsOf(name), at = words.findIndex((word) => partOfWord(word) !== undefined);
  if (at < 0 || words.some((word, i) => i !== at && partOfWord(word) !== undefined)) return undefined;
  return { part: partOfWord(words[at])!, rest: words.toSpliced(at, 1).join(" ") };
}

/**
 * Which part a folder's name says it is, among names: where the same other words stand beside several parts
 * (`asl_alphabet_train`, `asl_alphabet_test`) they say nothing.
 */
function partNamer(all: readonly string[]): (name: string) => Part | undefined {
  const found = all.map(partWithin).filter((each) => each !== undefined);
  const title = found.find(({ part, rest }) =>
    part === "train" && rest !== "" && found.some((other) => other.part !== part && other.rest === rest)
  )?.rest;
  return (name) => {
    const within = partWithin(name);
    return partOfName(name) ?? (title !== undefined && within?.rest === title ? within.part : undefined);
  };
}

/** Whether a folder's name says that its images have no classes. */
function isUnlabelled(name: string): boolean {
  const words = wordsOf(name);
  return words.length === 1 && UNLABELLED.test(words[0]);
}

/** Number of files under a folder that are named like images. */
function countImages(folder: string, depth = 0): number {
  if (depth > MAX_DEPTH) return 0;
  return listFolder(folder).entries.reduce(
    (sum, { name, path, isFolder }) => sum + (isFolder ? countImages(path, depth + 1) : isNamedImage(name) ? 1 : 0),
    0,
  );
}

/** A folder of the top and what it is like. */
interface Candidate extends Entry {
  readonly part: Part | undefined;
  /** Where its classes lie: in it, or in a folder of the same part that is all it has (`seg_train/seg_train`). */
  readonly at: string;
  /** Whether folders with images lie there. */
  readonly hasClasses: boolean;
}

function candidate(entry: Entry, partOf: (name: string) => Part | undefined): Candidate {
  const part = partOf(entry.name);
  let at = entry.path, listing = listFolder(at);
  for (let depth = 0; part !== undefined && depth < MAX_DEPTH; depth++) {
    const inner = foldersOf(listing);
    if (inner.length !== 1 || partOf(inner[0].name) !== part) break;
    at = inner[0].path;
    listing = listFolder(at);
  }
  return { ...entry, part, at, hasClasses: foldersOf(listing).length > 0 };
}

function names(list: readonly { readonly name: string }[], word = "and"): string {
  const shown = list.slice(0, SHOWN).map(({ name }) => `'${name}'`), more = list.length - shown.length;
  if (more > 0) return `${shown.join(", ")} ${word} ${more} more`;
  return shown.join(", ").replace(/, ([^,]*)$/, ` ${word} $1`);
}

/** Stops at a layout that can be read in two ways, or in none. */
function refuse(root: string, why: string): never {
  throw new FailureError(`Cannot tell how the images of '${root}' are meant as ${why}`);
}

/** The folders of parts among those at the top; empty where there are classes. Throws where both can be meant. */
function chooseParts(root: string, top: readonly Candidate[]): Candidate[] {
  const named = top.filter(({ part }) => part !== undefined), nested = named.filter(({ hasClasses }) => hasClasses);
  if (named.length === 0) return [];
  const rest = top.filter(({ part, name, path }) => part === undefined && !isUnlabelled(name) && countImages(path) > 0);
  if (rest.length > 0) {
    if (nested.length === 0 && named.length === 1) return []; // A class of trains, say.
    refuse(
      root,
      `it holds ${names(named)}, named like ${named.length === 1 ? "a part" : "parts"}, beside ${
        names(rest)
      }: either ` +
        `${names(rest)} ${rest.length === 1 ? "is" : "are"} no part of the data (then move that out), or all of them ` +
        `are classes (then rename ${names(named)})`,
    );
  }
  if (nested.length === 0) {
    refuse(
      root,
      `the images of ${names(named)} lie in no folder of a class: either these are parts (then put the images of ` +
        `each class into a folder of its own in each), or they are the classes (then rename them)`,
    );
  }
  for (const part of PARTS) {
    const same = named.filter((each) => each.part === part);
    if (same.length > 1) {
      refuse(root, `${names(same)} are all named like the ${part} part: keep one of them there, or put them into one`);
    }
  }
  const train = named.find(({ part }) => part === "train");
  if (train === undefined) {
    refuse(
      root,
      `it holds ${names(named)} and no training part: either the training part is missing (then add a folder ` +
        `'train'), or ${named.length === 1 ? "it is a class (then rename it)" : "they are classes (then rename them)"}`,
    );
  }
  if (!train.hasClasses) {
    refuse(
      root,
      `the images of its training part '${train.name}' lie in no folder of a class and those of ${names(nested)} do: ` +
        `put the images of each class into a folder of its own in '${train.name}'`,
    );
  }
  return named;
}

/** Refuses parts within the classes: `cat/train`, `cat/test`, `dog/train`, ... */
function checkClasses(root: string, classes: readonly Entry[]): void {
  const within = classes.flatMap(({ name, path }) =>
    foldersOf(listFolder(path)).filter((inner) => partOfName(inner.name) !== undefined).map((inner) => ({
      name: `${name}/${inner.name}`,
    }))
  );
  if (within.length < 2) return;
  refuse(
    root,
    `its classes hold ${names(within)}, named like parts: either they are parts (then put them above the classes, as ` +
      `in train/${classes[0].name}), or all of them are training images (then rename them)`,
  );
}

/** Names of the folders in all of some folders, if these hold no images themselves. */
function sharedFolders(folders: readonly Entry[]): string[] {
  const lists = folders.map(({ path }) => listFolder(path));
  if (lists.length < 2 || lists.some((list) => imagesIn(list, "").length > 0)) return [];
  const [first, ...others] = lists.map((list) => foldersOf(list).map(({ name }) => name));
  return first.filter((name) => others.every((list) => list.includes(name)));
}

/** Sentences about classes that may be parts by another name. Throws where their names say so too. */
function doubtsOf(root: string, classes: readonly Candidate[]): string[] {
  const shared = sharedFolders(classes), said = classes.map(({ name }) => partWithin(name)?.part);
  const allSay = said.length > 1 && said.every((part) => part !== undefined) && new Set(said).size > 1;
  const inner = names(shared.map((name) => ({ name }))), outer = names(classes);
  if (allSay || (shared.length > 1 && said.some((part) => part !== undefined))) {
    refuse(
      root,
      `its folders ${outer} are named like parts${shared.length > 1 ? ` and each holds ${inner}` : ""}: either they ` +
        "are parts (then call them 'train', 'val' and 'test'), or they are the classes (then rename them)",
    );
  }
  if (shared.length < 2) return [];
  return [
    `The classes of '${baseName(root)}' are taken to be ${outer}, each of which holds the folders ${inner}: if those ` +
    "are the classes, call the folders above them 'train', 'val' and 'test'",
  ];
}

/** Names of the images that lie in a folder itself. */
function imagesIn({ entries }: Listing, prefix: string): string[] {
  return entries.filter(({ isFolder, name }) => !isFolder && isNamedImage(name)).map(({ name }) => prefix + name);
}

/** How the folder `root` is laid out. Throws FailureError for what can be read in two ways. */
export function layoutOf(root: string): Layout {
  const listing = listFolder(root), folders = foldersOf(listing), partOf = partNamer(folders.map(({ name }) => name));
  const top = folders.map((entry) => candidate(entry, partOf)), chosen = chooseParts(root, top);
  const left: SkippedFile[] = [...listing.left];
  if (chosen.length === 0) {
    if (top.length > 1) checkClasses(root, top); // one alone is no class
    const parts = new Map([["train" as const, root]]);
    return { parts, split: false, left, loose: imagesIn(listing, ""), doubts: doubtsOf(root, top) };
  }
  const parts = new Map<Part, string>(), loose = imagesIn(listing, "");
  for (const entry of top) {
    if (chosen.includes(entry) && entry.hasClasses) {
      const { part, at } = entry, prefix = `${at.slice(joinPath(root, "").length)}/`, inner = listFolder(at);
      parts.set(part!, at);
      loose.push(...imagesIn(inner, prefix));
      left.push(...inner.left.map(({ file, why }) => ({ file: prefix + file, why })));
      if (part === "train") checkClasses(at, foldersOf(inner));
      continue;
    }
    const count = countImages(entry.path), images = count === 1 ? "1 image" : `${count} images`;
    const why = count === 0
      ? `it ${entry.part === undefined ? "is no part and " : ""}holds no image`
      : isUnlabelled(entry.name)
      ? `by its name there are no classes for its ${images}`
      : `no folder of a class holds its ${images}`;
    left.push({ file: `${entry.name}/`, why });
  }
  return { parts, split: parts.size > 1, left, loose, doubts: [] };
}
