/**
 * What is worth a sentence about a list of images before a network sees it: files that were left out, the same file
 * twice, classes of very different size. Also shares images out where no test part is given, so that copies of a file
 * stay on one side. Not responsible for finding the files.
 * @module
 */
import { readBytes } from "../base/files.ts";
import { Random } from "../base/random.ts";
import { absentClasses, type ImageFile, type ImageList, spelled } from "./image_files.ts";
import { some } from "./left_out.ts";

/** Groups of images with the same content. */
type Copies = readonly (readonly ImageFile[])[];

/** Files of equal size beyond which copies are not looked for: each has to be read. */
const MAX_COMPARED = 50_000;
/** Brightest sample up to which an image is nearly black: 14 bits in 16 come to it. */
const DARK = 64;
/** A class this many times larger than another is worth a warning. */
const IMBALANCE = 3;

/** Groups of two or more images with the same content; undefined where there are too many to compare. */
export async function findCopies(files: readonly ImageFile[]): Promise<ImageFile[][] | undefined> {
  const groups = <K>(list: readonly ImageFile[], key: (file: ImageFile) => K): ImageFile[][] =>
    [...Map.groupBy(list, key).values()].filter((group) => group.length > 1);
  const same = groups(files, (file) => file.bytes).flat(), prints = new Map<ImageFile, string>();
  if (same.length > MAX_COMPARED) return undefined;
  for (const file of same) {
    prints.set(file, new Uint8Array(await crypto.subtle.digest("SHA-256", readBytes(file.path))).toHex());
  }
  return groups(same, (file) => prints.get(file));
}

/**
 * Takes `fraction` of each class for testing, at least one image where the class has two and never all of them; copies
 * of a file go where the first of them goes. A function of the list alone.
 */
export function shareOut(
  files: readonly ImageFile[],
  classes: number,
  fraction: number,
  copies: Copies,
): { train: ImageFile[]; test: ImageFile[] } {
  const first = new Map<ImageFile, ImageFile>();
  for (const group of copies) for (const file of group.slice(1)) first.set(file, group[0]);
  const members: ImageFile[][] = Array.from({ length: classes }, () => []);
  for (const file of files) if (!first.has(file)) members[file.label].push(file);
  const tested = new Set<ImageFile>();
  members.forEach((list, label) => {
    const count = Math.min(list.length - 1, Math.max(1, Math.round(list.length * fraction)));
    const order = new Random(0, "split/images", 0, label).permutation(list.length);
    for (let i = 0; i < count; i++) tested.add(list[order[i]]);
  });
  const isTest = (file: ImageFile): boolean => tested.has(first.get(file) ?? file);
  return { train: files.filter((file) => !isTest(file)), test: files.filter(isTest) };
}

/** An image that was decoded, and its name. */
export interface Looked {
  /** Its path within the data set. */
  readonly name: string;
  /** Its samples, 0 to 255. */
  readonly data: Uint8Array;
}

/**
 * Sentences about images whose samples use little of their range.
 * @param name of the data set; null for images that are in none
 */
export function rangeSuspicions(name: string | null, images: readonly Looked[]): string[] {
  const ranges = images.map(({ name, data }) => {
    let least = 255, most = 0;
    for (const v of data) {
      if (v < least) least = v;
      if (v > most) most = v;
    }
    return { name, least, most };
  });
  const sentence = (what: string, list: readonly { readonly name: string }[], advice: string): string[] =>
    list.length === 0 ? [] : [
      `${list.length} of ${images.length} images${name === null ? "" : ` of '${name}'`} that were looked at ${what}: ` +
      `${some(list.map(({ name }) => `'${name}'`))}; ${advice}`,
    ];
  const dark = ranges.filter(({ least, most }) => most > least && most <= DARK);
  return [
    ...sentence(
      `are nearly black, with no sample above ${Math.max(...dark.map(({ most }) => most))} of 255`,
      dark,
      "values of 10, 12 or 14 bits in files of 16 bits look so, and should be scaled to all 16",
    ),
    ...sentence("are of one colour all over", ranges.filter(({ least, most }) => least === most), "look at them"),
  ];
}

/** Classes that have too few different images to have one for testing too. */
function untested({ classNames, parts }: ImageList, copies: Copies | undefined): readonly string[] {
  const again = new Set((copies ?? []).flatMap((group) => group.slice(1)));
  const sizes = classNames.map(() => 0);
  for (const file of parts.get("train") ?? []) if (!again.has(file)) sizes[file.label]++;
  return classNames.filter((_, label) => sizes[label] < 2);
}

/** Sentences about what looks wrong in a list of images. */
export function suspicions(name: string, list: ImageList, copies: Copies | undefined): string[] {
  return [
    ...list.doubts,
    ...leftOut(name, list),
    ...(copies === undefined
      ? [`Copies of images in '${name}' were not looked for: more than ${MAX_COMPARED} files are of equal sizes`]
      : twice(name, list, copies)),
    ...uneven(name, list, copies),
  ];
}

/** About files that no class has, and classes that look alike. */
function leftOut(name: string, { loose, others, twins }: ImageList): string[] {
  const out: string[] = [];
  if (loose.length > 0) {
    out.push(
      `Left out ${loose.length} images of '${name}' that lie in no class: ${some(loose.map((file) => `'${file}'`))}; ` +
        "put each into the folder of its class",
    );
  }
  for (const group of twins) {
    out.push(`Classes of '${name}' look alike and are taken as different ones: ${group.map(spelled).join(", ")}`);
  }
  if (others.size > 0) {
    const count = [...others.values()].reduce((a, b) => a + b, 0);
    const kinds = [...others].sort((a, b) => b[1] - a[1]).map(([ending, n]) => `${n} ${ending}`);
    out.push(`Left out ${count} files of '${name}' that are no images of a kind that is read: ${some(kinds)}`);
  }
  return out;
}

/** About images that stand in two parts or classes, or twice in one. */
function twice(name: string, { parts }: ImageList, copies: Copies): string[] {
  const partOf = new Map([...parts].flatMap(([part, files]) => files.map((file) => [file, part])));
  const apart = (what: string, of: (file: ImageFile) => unknown, harm = ""): string[] => {
    const groups = copies.filter((group) => new Set(group.map(of)).size > 1);
    if (groups.length === 0) return [];
    const pairs = some(groups.map((group) => group.map((file) => `'${file.name}'`).slice(0, 3).join(" = ")));
    return [`Images of '${name}' are in more than one ${what} (${groups.length})${harm}: ${pairs}`];
  };
  const within = copies.filter((group) => new Set(group.map((file) => `${partOf.get(file)} ${file.label}`)).size === 1);
  const again = within.reduce((sum, group) => sum + group.length - 1, 0);
  return [
    ...apart("part", (file) => partOf.get(file), ", which flatters tests"),
    ...apart("class", (file) => file.label),
    ...(again === 0 ? [] : [
      `Images of '${name}' are copies of others in their class (${again}); they stay on one side of every split: ` +
      some(within.map(([first, second]) => `'${first.name}' = '${second.name}'`)),
    ]),
  ];
}

/** About classes that have few images or none. */
function uneven(name: string, list: ImageList, copies: Copies | undefined): string[] {
  const { classNames, parts, split } = list, out: string[] = [], sizes = classNames.map(() => 0);
  for (const { label } of parts.get("train") ?? []) sizes[label]++;
  const most = sizes.indexOf(Math.max(...sizes)), least = sizes.indexOf(Math.min(...sizes));
  if (sizes[most] >= IMBALANCE * sizes[least]) {
    out.push(
      `The classes of '${name}' are unequal: '${classNames[most]}' has ${sizes[most]} ${
        split ? "training images" : "images"
      }, '${classNames[least]}' has ${sizes[least]}, so accuracy says little about the small ones`,
    );
  }
  const single = split ? [] : untested(list, copies);
  if (single.length > 0) {
    out.push(
      `${single.length} classes of '${name}' have no two different images, so none to be tested on: ` +
        `${some(single.map((each) => `'${each}'`))}; add images to them`,
    );
  }
  for (const [part, files] of parts) {
    const absent = absentClasses(classNames, files);
    if (part !== "train" && absent.length > 0) {
      out.push(`The ${part} part of '${name}' has no image of ${absent.length} classes: ${some(absent)}`);
    }
  }
  return out;
}
