/**
 * What the program asks of the runtime that it is in, beyond what the web's standards give: files, free memory, threads
 * of its own, a few functions over bytes. There are two of them, `deno.ts` and `browser.ts`; an entry of the package
 * imports the one that it is for, which puts itself here, so that a browser never sees the other one. Not responsible for
 * messages about what failed (`src/base/files.ts`).
 * @module
 */

/** What is known of a file or a folder. */
export interface FileFacts {
  /** A regular file. */
  readonly isFile: boolean;
  /** A folder. */
  readonly isDirectory: boolean;
  /** A symbolic link. */
  readonly isSymlink: boolean;
  /** Its bytes. */
  readonly size: number;
  /** How many names it has; null where that is not known. */
  readonly nlink: number | null;
}

/** A name in a folder. */
export type FolderEntry = Pick<FileFacts, "isFile" | "isDirectory" | "isSymlink"> & { readonly name: string };

/** How a file is opened. */
export interface OpenOptions {
  /** To read from it. */
  readonly read?: boolean;
  /** To write to it. */
  readonly write?: boolean;
  /** To write at its end, wherever it is. */
  readonly append?: boolean;
  /** It is made where there is none. */
  readonly create?: boolean;
  /** It is made; that fails where there is something. */
  readonly createNew?: boolean;
}

/** An open file. */
export interface OpenFile extends Disposable {
  /** Reads into `bytes`. @returns how many; null at the end */
  readSync(bytes: Uint8Array): number | null;
  /** Writes some of `bytes`. @returns how many */
  writeSync(bytes: Uint8Array): number;
  /** Makes it so many bytes long; 0 if left out. */
  truncateSync(size?: number): void;
  /** Goes to a place, so many bytes from its start (`whence` 0). */
  seekSync(offset: number, whence: 0): number;
  /** Waits until what was written would survive a power cut. */
  syncSync(): void;
  /** {@linkcode syncSync} without what is known of the file. */
  syncDataSync(): void;
  /** Locks it for this process. @returns whether nobody else has */
  tryLockSync(exclusive: boolean): boolean;
  /** Closes it, and drops its lock. */
  close(): void;
}

/** Why a file operation failed. */
export interface FileFault {
  /** The system's code: `ENOENT`, `EACCES`, `ENOSPC`, ... */
  readonly code?: string;
  /** The access that the runtime was not told to give; `"all"` for special files of the system. */
  readonly forbidden?: "read" | "write" | "all";
}

/** Files: operations throw what {@linkcode Files.fault} explains. */
export interface Files {
  /** Facts of a file or folder, links followed. */
  stat(path: string): FileFacts;
  /** Facts of what lies there, which may be a link. */
  lstat(path: string): FileFacts;
  /** What is in a folder. */
  list(folder: string): Iterable<FolderEntry>;
  /** All of a file. */
  read(path: string): Uint8Array<ArrayBuffer>;
  /** Opens a file. */
  open(path: string, options: OpenOptions): OpenFile;
  /** Gives a file or folder another name; a file of that name is replaced. */
  rename(from: string, to: string): void;
  /** Removes a file or an empty folder. */
  remove(path: string): void;
  /** Makes a folder and those above it. */
  makeFolder(path: string): void;
  /** Makes the names in a folder survive a power cut, where that can be done. Never throws. */
  syncFolder(folder: string): void;
  /** Why an operation failed; undefined for errors of others. */
  fault(error: unknown): FileFault | undefined;
}

/** How {@linkcode Platform.gunzip} goes about it. */
export interface GunzipOptions {
  /** The most bytes that may come out: more are an error. */
  readonly most: number;
  /** Whether the bytes may end early: what can be had of them is the result. */
  readonly partial?: boolean;
}

/** A runtime. */
export interface Platform {
  /** Its name and version. */
  readonly name: string;
  /** Number of this process. */
  readonly process: number;
  /** Its files. */
  readonly files: Files;
  /** Free memory of the machine in bytes; undefined where that is not known or may not be asked. */
  freeMemory(): number | undefined;
  /** CPU time of all threads of the process; undefined where that is not known. */
  cpuSeconds(): number | undefined;
  /** Called before a graphics driver is loaded: sets what makes it quiet and quick, within the permissions. */
  prepareDriver(): void;
  /**
   * Whether the program may start threads of its modules: those below the folder above that of `module`, an address.
   * @returns true, false where there are none, or the folder that would have to be readable
   */
  threadsOf(module: string): boolean | string;
  /** Whether shaders that one thread has compiled are there for others: graphics drivers keep them on the disk. */
  readonly sharesShaders: boolean;
  /** The bytes that gzip made smaller. Throws for what is no gzip. */
  gunzip(bytes: Uint8Array, options: GunzipOptions): Uint8Array<ArrayBuffer>;
  /** The decoder of image files (`@imagemagick/magick-wasm`): compiled, or the bytes of its module. */
  codecModule(): Promise<WebAssembly.Module | Uint8Array<ArrayBuffer>>;
  /** The check sum of ZIP and PNG of `bytes` after those of `before`. */
  crc32(bytes: Uint8Array | string, before?: number): number;
}

function unknown(): never {
  throw new Error(
    "No runtime was chosen: import 'src/platform/deno.ts' besides this module, or an entry instead of it",
  );
}

/** None of them: modules below the entries that are imported alone, as tests do, get on as far as this goes. */
const NONE: Platform = {
  name: "an unknown runtime",
  process: 0,
  get files() {
    return unknown();
  },
  freeMemory: () => undefined,
  cpuSeconds: () => undefined,
  prepareDriver() {},
  threadsOf: () => false,
  sharesShaders: true,
  gunzip: unknown,
  codecModule: unknown,
  crc32: unknown,
};

/** Variable of the environment with the number of threads of Mesa's software driver. */
export const THREADS_VARIABLE = "LP_NUM_THREADS";

let chosen = NONE;

/** Says which runtime the program is in: the modules of the runtimes do. */
export function usePlatform(platform: Platform): void {
  chosen = platform;
}

/** The runtime that the program is in. */
export function platform(): Platform {
  return chosen;
}
