/**
 * What lies in a folder, and what cannot be used of it and why: nothing that `ls` shows goes unmentioned. Not
 * responsible for what the files are.
 * @module
 */
import { fileError, isForbidden, isMissing, joinPath } from "../base/files.ts";
import { type FolderEntry, platform } from "../platform/platform.ts";
import type { SkippedFile } from "./dataset.ts";

/** A file or a folder. */
export interface Entry {
  /** Its name. */
  readonly name: string;
  /** Where it is. */
  readonly path: string;
  /** Whether it is a folder. */
  readonly isFolder: boolean;
  /** Its size in bytes. */
  readonly bytes: number;
}

/** A folder's content. */
export interface Listing {
  /** Files and folders, links followed, sorted by name (code units: the same everywhere). */
  readonly entries: readonly Entry[];
  /** What cannot be used, by name. */
  readonly left: readonly SkippedFile[];
}

/** What stands in a name for bytes that are no UTF-8: such a file cannot be named, and so not be opened. */
const NO_UTF8 = "\ufffd";
/** Folders that hold no images of the user's, and who made them. */
const SYSTEM_FOLDERS: Readonly<Record<string, string>> = {
  "__MACOSX": "macOS made it",
  "$RECYCLE.BIN": "Windows made it",
  "System Volume Information": "Windows made it",
  "lost+found": "the file system made it",
  "@eaDir": "a Synology disk station made it, for its previews",
};

/** Why an entry cannot be used that the system has no facts about. */
function whyNot({ name, isSymlink }: FolderEntry, error: unknown): string {
  if (platform().files.fault(error)?.code === "ELOOP") return "it is a link that leads in a circle";
  if (!isMissing(error)) return "the system does not let it be read";
  if (name.includes(NO_UTF8)) return "its name is not UTF-8: rename it";
  return isSymlink ? "it is a link to what is not there" : "it went away";
}

/** Lists a folder; hidden entries are left out, as `ls` does. Throws FailureError where it cannot be read. */
export function listFolder(folder: string): Listing {
  const entries: Entry[] = [], left: SkippedFile[] = [];
  try {
    for (const entry of platform().files.list(folder)) {
      const { name } = entry, path = joinPath(folder, name);
      if (name.startsWith(".")) continue;
      if (Object.hasOwn(SYSTEM_FOLDERS, name)) {
        left.push({ file: `${name}/`, why: SYSTEM_FOLDERS[name] });
        continue;
      }
      try {
        const info = platform().files.stat(path); // Follows links.
        if (info.isDirectory || info.isFile) entries.push({ name, path, isFolder: info.isDirectory, bytes: info.size });
        else left.push({ file: name, why: "it is a device or a pipe" });
      } catch (error) {
        if (isForbidden(error)) throw fileError(error, "read", path);
        const file = entry.isDirectory ? `${name}/` : name;
        left.push({ file, why: whyNot(entry, error) });
      }
    }
  } catch (error) {
    throw fileError(error, "read", folder);
  }
  const order = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0;
  return {
    entries: entries.sort((a, b) => order(a.name, b.name)),
    left: left.sort((a, b) => order(a.file, b.file)),
  };
}

/** The folders of a listing. */
export function foldersOf({ entries }: Listing): Entry[] {
  return entries.filter(({ isFolder }) => isFolder);
}
