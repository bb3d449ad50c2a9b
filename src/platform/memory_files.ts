/**
 * Files in memory, for where there are no others: those that a person chose, and the folders of runs. Paths have parts
 * between slashes, one root, no links. Not responsible for keeping anything beyond the life of the page.
 * @module
 */
import type { FileFacts, FileFault, Files, FolderEntry, OpenFile, OpenOptions } from "./platform.ts";

/** The error of an operation on {@linkcode MemoryFiles}, with the code that a system would give it. */
class MemoryFileError extends Error {
  constructor(readonly code: string, path: string) {
    super(`${code}: '${path}'`);
  }
}

/** A file's content. */
interface Content {
  bytes: Uint8Array<ArrayBuffer>;
  /** Whether somebody has locked it. */
  locked: boolean;
  /** Another number for other bytes. */
  version: number;
}

let versions = 0;

/** A file or a folder with what is in it. */
type Node = Content | Map<string, Node>;

function factsOf(node: Node): FileFacts {
  const folder = node instanceof Map;
  return { isFile: !folder, isDirectory: folder, isSymlink: false, size: folder ? 0 : node.bytes.length, nlink: 1 };
}

class MemoryFile implements OpenFile {
  #at = 0;
  #locks = false;

  constructor(readonly content: Content, readonly append: boolean) {}

  readSync(bytes: Uint8Array): number | null {
    const part = this.content.bytes.subarray(this.#at, this.#at + bytes.length);
    bytes.set(part);
    this.#at += part.length;
    return part.length === 0 && bytes.length > 0 ? null : part.length;
  }

  writeSync(bytes: Uint8Array): number {
    const { content } = this;
    if (this.append) this.#at = content.bytes.length;
    const end = this.#at + bytes.length;
    if (end > content.bytes.length) this.truncateSync(end);
    content.bytes.set(bytes, this.#at);
    content.version = ++versions;
    this.#at = end;
    return bytes.length;
  }

  truncateSync(size = 0): void {
    const grown = new Uint8Array(size);
    grown.set(this.content.bytes.subarray(0, size));
    this.content.bytes = grown;
    this.content.version = ++versions;
  }

  seekSync(offset: number): number {
    return this.#at = offset;
  }

  syncSync(): void {}

  syncDataSync(): void {}

  tryLockSync(): boolean {
    if (this.content.locked) return this.#locks;
    return this.#locks = this.content.locked = true;
  }

  close(): void {
    if (this.#locks) this.content.locked = this.#locks = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Files in memory. */
export class MemoryFiles implements Files {
  readonly #root = new Map<string, Node>();

  #parts(path: string): string[] {
    return path.split("/").filter((part) => part !== "" && part !== ".");
  }

  #find(parts: readonly string[], path: string): Node {
    let node: Node | undefined = this.#root;
    for (const part of parts) {
      if (!(node instanceof Map)) throw new MemoryFileError("ENOTDIR", path);
      node = node.get(part);
      if (node === undefined) throw new MemoryFileError("ENOENT", path);
    }
    return node;
  }

  /** The folder that holds `path`, and its name there. */
  #place(path: string): { readonly folder: Map<string, Node>; readonly name: string } {
    const parts = this.#parts(path), name = parts.pop();
    if (name === undefined) throw new MemoryFileError("EISDIR", path);
    const folder = this.#find(parts, path);
    if (!(folder instanceof Map)) throw new MemoryFileError("ENOTDIR", path);
    return { folder, name };
  }

  /** Puts a file there, with the folders above it. */
  put(path: string, bytes: Uint8Array<ArrayBuffer>): void {
    const parts = this.#parts(path);
    this.makeFolder(parts.slice(0, -1).join("/"));
    const { folder, name } = this.#place(path);
    if (folder.get(name) instanceof Map) throw new MemoryFileError("EISDIR", path);
    folder.set(name, { bytes, locked: false, version: ++versions });
  }

  /** All files by path: their bytes, and a number that is another one for other bytes. */
  *all(
    folder: Node = this.#root,
    path = "",
  ): Generator<readonly [string, Readonly<Pick<Content, "bytes" | "version">>]> {
    if (!(folder instanceof Map)) return yield [path, folder];
    for (const [name, node] of folder) yield* this.all(node, path === "" ? name : `${path}/${name}`);
  }

  stat(path: string): FileFacts {
    return factsOf(this.#find(this.#parts(path), path));
  }

  lstat(path: string): FileFacts {
    return this.stat(path);
  }

  list(folder: string): Iterable<FolderEntry> {
    const node = this.#find(this.#parts(folder), folder);
    if (!(node instanceof Map)) throw new MemoryFileError("ENOTDIR", folder);
    return [...node].map(([name, inner]) => ({ name, ...factsOf(inner) }));
  }

  read(path: string): Uint8Array<ArrayBuffer> {
    const node = this.#find(this.#parts(path), path);
    if (node instanceof Map) throw new MemoryFileError("EISDIR", path);
    return node.bytes.slice();
  }

  open(path: string, { append = false, create = false, createNew = false }: OpenOptions): OpenFile {
    const { folder, name } = this.#place(path), there = folder.get(name);
    if (there instanceof Map) throw new MemoryFileError("EISDIR", path);
    if (there !== undefined && createNew) throw new MemoryFileError("EEXIST", path);
    if (there !== undefined) return new MemoryFile(there, append);
    if (!create && !createNew) throw new MemoryFileError("ENOENT", path);
    const made: Content = { bytes: new Uint8Array(), locked: false, version: ++versions };
    folder.set(name, made);
    return new MemoryFile(made, append);
  }

  rename(from: string, to: string): void {
    const source = this.#place(from), target = this.#place(to), node = source.folder.get(source.name);
    if (node === undefined) throw new MemoryFileError("ENOENT", from);
    const there = target.folder.get(target.name);
    if (there === node) return;
    if (there instanceof Map && (!(node instanceof Map) || there.size > 0)) throw new MemoryFileError("EISDIR", to);
    source.folder.delete(source.name);
    target.folder.set(target.name, node);
  }

  remove(path: string): void {
    const { folder, name } = this.#place(path), node = folder.get(name);
    if (node === undefined) throw new MemoryFileError("ENOENT", path);
    if (node instanceof Map && node.size > 0) throw new MemoryFileError("ENOTEMPTY", path);
    folder.delete(name);
  }

  /** Removes a file, or a folder with all that is in it, if it is there. */
  removeAll(path: string): void {
    const parts = this.#parts(path), name = parts.pop();
    let folder: Node | undefined = this.#root;
    for (const part of parts) folder = folder instanceof Map ? folder.get(part) : undefined;
    if (name !== undefined && folder instanceof Map) folder.delete(name);
  }

  makeFolder(path: string): void {
    let folder = this.#root;
    for (const part of this.#parts(path)) {
      const next = folder.get(part) ?? new Map<string, Node>();
      if (!(next instanceof Map)) throw new MemoryFileError("ENOTDIR", path);
      folder.set(part, next);
      folder = next;
    }
  }

  syncFolder(): void {}

  fault(error: unknown): FileFault | undefined {
    return error instanceof MemoryFileError ? { code: error.code } : undefined;
  }
}
