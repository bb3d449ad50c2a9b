/// <reference lib="webworker" />
/**
 * Keeps the files of the page in IndexedDB, so that they are there again after a reload. What is kept is always the state
 * of one moment, as a disk has it when a process is killed: a run goes on from it. Not responsible for what is in them.
 * @module
 */
import { PAGE_FILES } from "../platform/browser.ts";

const NAME = "idarts", STORE = "files";

function answered<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function done(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

/** The files as they were kept last. */
export class Keeper {
  /** Versions of the files that were kept, by path. */
  readonly #kept = new Map<string, number>();
  #saving: Promise<void> | undefined;
  #again = false;

  private constructor(readonly database: IDBDatabase) {}

  /** Opens what was kept and puts it into the files of the page. */
  static async open(): Promise<Keeper> {
    const opening = indexedDB.open(NAME);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    const keeper = new Keeper(await answered(opening));
    const store = keeper.database.transaction(STORE).objectStore(STORE);
    const [paths, contents] = await Promise.all([answered(store.getAllKeys()), answered(store.getAll())]);
    paths.forEach((path, i) => PAGE_FILES.put(String(path), contents[i]));
    for (const [path, { version }] of PAGE_FILES.all()) keeper.#kept.set(path, version);
    return keeper;
  }

  /** Keeps the files as they are now, or as they are when what is being kept is written. Rejects where there is no room. */
  async save(): Promise<void> {
    this.#again = true;
    this.#saving ??= this.#work();
    await this.#saving;
  }

  async #work(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        await this.#write();
      }
    } finally {
      this.#saving = undefined;
    }
  }

  async #write(): Promise<void> {
    const files = new Map(PAGE_FILES.all());
    const changed = [...files].filter(([path, { version }]) => this.#kept.get(path) !== version);
    const gone = [...this.#kept.keys()].filter((path) => !files.has(path));
    if (changed.length + gone.length === 0) return;
    const versions = changed.map(([path, { version }]) => [path, version] as const);
    const transaction = this.database.transaction(STORE, "readwrite"), store = transaction.objectStore(STORE);
    for (const [path, { bytes }] of changed) store.put(bytes, path);
    for (const path of gone) store.delete(path);
    await done(transaction);
    for (const path of gone) this.#kept.delete(path);
    for (const [path, version] of versions) this.#kept.set(path, version);
  }
}
