/**
 * Who does what of the tasks that several processes, on one machine or many, work at through one folder:
 *
 * - `claims/<task>.<n>`: the n-th claim to a task, made once by exclusive creation, never changed, never removed. The
 *   claim with the largest n is the one that counts. To take over a dead worker's claim n is to create n + 1: of
 *   several who try, the file system lets one succeed, whatever they knew when they began.
 * - `claims/<task>.<n>.over`: claim n was given up, and why
 * - `workers/<owner>`: sign of life of a worker; see heartbeat.ts
 * - `work/<task>.<n>/`: the run folder of claim n. Who takes over renames it to its own number, so that a worker that
 *   was taken for dead and wakes up finds its folder gone: it can no longer write into the run.
 * - `runs/<task>/` (a name that the folder's owner chooses): the finished run, put there by one rename of its work
 *   folder. It is there, whole, or it is not.
 *
 * Not responsible for what a task is.
 * @module
 */
import { exists, fileError, joinPath, lacksSpace, readText, writeAtomic } from "../base/files.ts";
import {
  DEFAULT_EVERY,
  Heartbeat,
  LONGEST_EVERY,
  MISSED,
  readSmall,
  readWorker,
  Watch,
  type WorkerInfo,
} from "./heartbeat.ts";
import { METRICS_FILE } from "./metrics_file.ts";

/** Why a claim was given up: the run failed, or it could not be begun or was stopped. */
export interface Over {
  readonly why: "failed" | "released";
  readonly message: string;
}

/** What is known of a task. */
export type TaskState =
  | { readonly state: "done" | "open" }
  | { readonly state: "failed"; readonly message: string }
  /** Claimed by `owner`; whether that one is alive takes a while to tell. */
  | { readonly state: "claimed"; readonly owner: string; readonly worker: WorkerInfo | undefined };

/** Names of workers. */
const OWNER = /^[0-9a-f]{8}-[0-9a-f]{4}$/;

/** Seconds without a beat after which the file of a worker is removed whose death nobody watched. */
const LONG_DEAD = 600;

/** Longest message of an {@linkcode Over}, in characters. */
const MOST_MESSAGE = 1000;

/** A folder of tasks that processes share. */
export class SharedFolder {
  /**
   * @param path the folder
   * @param runs name of the folder of finished runs in it
   * @param more names of further ones
   */
  constructor(readonly path: string, readonly runs: string = "runs", readonly more: readonly string[] = []) {}

  /** Makes the folder and its parts. Throws FailureError. */
  make(): void {
    for (const name of ["claims", "workers", "work", this.runs, ...this.more]) {
      try {
        Deno.mkdirSync(this.file(name), { recursive: true });
      } catch (error) {
        throw fileError(error, "write", this.file(name));
      }
    }
  }

  /** A path in the folder. */
  file(name: string): string {
    return joinPath(this.path, name);
  }

  /** The folder of a finished run. */
  run(task: string): string {
    return this.file(`${this.runs}/${task}`);
  }

  /** Whether the task is done. */
  done(task: string): boolean {
    return exists(this.run(task));
  }

  /** The run folder of a claim. */
  work(task: string, claim: number): string {
    return this.file(`work/${task}.${claim}`);
  }

  /** The file of a claim. */
  claim(task: string, claim: number): string {
    return this.file(`claims/${task}.${claim}`);
  }

  /** The number of the claim that counts, -1 for none. */
  lastClaim(task: string): number {
    let claim = -1;
    while (exists(this.claim(task, claim + 1))) claim++;
    return claim;
  }

  /** Why a claim was given up; undefined for one that was not, and for what was never finished writing. */
  over(task: string, claim: number): Over | undefined {
    try {
      const { why, message } = JSON.parse(readSmall(`${this.claim(task, claim)}.over`) ?? "") as Record<
        string,
        unknown
      >;
      const known = (why === "failed" || why === "released") && typeof message === "string";
      return known ? { why, message } as Over : undefined;
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
      throw error;
    }
  }

  /** The worker that made a claim; `""` for one that is just being made, or whose maker died over it. */
  owner(task: string, claim: number): string {
    const text = (readSmall(this.claim(task, claim)) ?? "").trim();
    return OWNER.test(text) ? text : "";
  }

  /** The sign of life of a worker. */
  worker(owner: string): string {
    return this.file(`workers/${owner}`);
  }

  /** The file that changes, or is there, as long as a claim holds; the claim itself where its owner is not known yet. */
  signOfLife(task: string, claim: number): string {
    const owner = this.owner(task, claim);
    return owner === "" ? this.claim(task, claim) : this.worker(owner);
  }

  /** How a task stands, as far as files say it. */
  state(task: string): TaskState {
    if (this.done(task)) return { state: "done" };
    const claim = this.lastClaim(task);
    if (claim < 0) return { state: "open" };
    const over = this.over(task, claim);
    if (over?.why === "failed") return { state: "failed", message: over.message };
    if (over) return { state: "open" };
    const sign = this.signOfLife(task, claim), alive = exists(sign);
    if (this.done(task)) return { state: "done" }; // it may have ended meanwhile
    return alive ? { state: "claimed", owner: this.owner(task, claim), worker: readWorker(sign) } : { state: "open" };
  }
}

/** Settings of {@linkcode Claims}. */
export interface ClaimOptions {
  /** Seconds between two signs of life. */
  readonly every?: number;
  /** This worker's shard, for people. */
  readonly shard?: string;
  /** Name of this machine, where it may be known. */
  readonly host?: string;
  /** Told when this worker's sign of life cannot be written any more. */
  readonly onFailure?: (error: Error) => void;
}

/** The claims of this process. */
export class Claims implements Disposable {
  readonly #watch: Watch;

  private constructor(
    readonly folder: SharedFolder,
    /** This worker's name. */
    readonly owner: string,
    /** Seconds between two signs of life. */
    readonly every: number,
    readonly heartbeat: Heartbeat,
    host: string | null,
  ) {
    this.#watch = new Watch(host);
  }

  /** Makes this process a worker. Throws FailureError where the folder cannot be written. */
  static async join(folder: SharedFolder, options: ClaimOptions = {}): Promise<Claims> {
    const { every = DEFAULT_EVERY, shard = null, host = null, onFailure = () => {} } = options;
    const owner = crypto.randomUUID().slice(0, 13), info = { every, pid: Deno.pid, shard, host };
    const heartbeat = await Heartbeat.start(folder.worker(owner), info, onFailure);
    return new Claims(folder, owner, every, heartbeat, host);
  }

  /**
   * Claims a task that is neither done nor somebody else's.
   * @param retry also one that failed
   * @returns undefined where it cannot be had: now, or any more
   */
  take(task: string, retry = false): Claim | undefined {
    const { folder } = this;
    if (folder.done(task)) return undefined;
    const last = folder.lastClaim(task);
    if (last >= 0) {
      const over = folder.over(task, last);
      if (over?.why === "failed" && !retry) return undefined;
      if (!over && !this.#watch.gone(folder.signOfLife(task, last))) return undefined;
    }
    const mine = last + 1, made = createNew(folder.claim(task, mine), `${this.owner}\n`);
    // A network drive may lose its answer and then say that the file, made by this very call, is there already.
    if (!made && folder.owner(task, mine) !== this.owner) return undefined;
    return Claim.begin(folder, task, mine);
  }

  /**
   * Removes the files of workers that have gone: of those whose silence this one has watched, and of those whose last
   * beat is long past. The times are those that the file system gives to files, this worker's own among them: whichever
   * clock that is, it is one.
   */
  tidy(): void {
    const { folder } = this;
    try {
      const now = Deno.statSync(folder.worker(this.owner)).mtime?.getTime() ?? 0;
      for (const { name } of Deno.readDirSync(folder.file("workers"))) {
        const path = folder.worker(name);
        if (name === this.owner || !OWNER.test(name)) continue;
        const every = readWorker(path)?.every ?? LONGEST_EVERY, last = Deno.statSync(path).mtime?.getTime() ?? now;
        if (this.#watch.gone(path) || now - last > (MISSED * every + LONG_DEAD) * 1000) Deno.removeSync(path);
      }
    } catch { /* another one was quicker, or it cannot be done: they are in nobody's way */ }
  }

  /** How many other workers are alive, or may be. */
  others(): number {
    this.tidy();
    const workers = [...Deno.readDirSync(this.folder.file("workers"))].map(({ name }) => name);
    return workers.filter((name) => OWNER.test(name) && name !== this.owner).length;
  }

  /** Takes a worker for dead that others know to be: what it claimed is free. */
  bury(owner: string): void {
    if (owner === this.owner || !OWNER.test(owner)) return;
    try {
      Deno.removeSync(this.folder.worker(owner));
    } catch { /* it has left, or its silence will tell */ }
  }

  /** Leaves: what this worker claims is free. */
  [Symbol.dispose](): void {
    this.heartbeat[Symbol.dispose]();
  }
}

/** Creates a file that must not exist yet; false where it does. */
function createNew(path: string, text: string): boolean {
  try {
    Deno.writeTextFileSync(path, text, { createNew: true });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw fileError(error, "write", path);
  }
}

/** Renames a folder; false where it is not there, or something is in its place. */
function move(from: string, to: string): boolean {
  try {
    Deno.renameSync(from, to);
    return true;
  } catch (error) {
    if (!exists(from) || exists(to)) return false;
    throw fileError(error, "write", to);
  }
}

/** A task that is this worker's, until it is finished, given up or taken over. */
export class Claim {
  private constructor(readonly folder: SharedFolder, readonly task: string, readonly number: number) {}

  /** Takes over what an earlier claim left behind. @returns undefined where the task turns out to be done */
  static begin(folder: SharedFolder, task: string, number: number): Claim | undefined {
    const claim = new Claim(folder, task, number);
    for (let n = number - 1; n >= 0; n--) {
      if (!move(folder.work(task, n), claim.path) && !exists(claim.path)) continue;
      claim.#cutLoose();
      return claim;
    }
    // The one before may have finished between the look at the task and the claim. From here on it cannot.
    return folder.done(task) ? undefined : claim;
  }

  /** The run folder, which may not be there yet. */
  get path(): string {
    return this.folder.work(this.task, this.number);
  }

  /** Gives the files that an earlier owner may still hold open to it, and fresh ones to this claim. */
  #cutLoose(): void {
    const metrics = joinPath(this.path, METRICS_FILE), lock = joinPath(this.path, "lock");
    try {
      if (exists(metrics)) writeAtomic(metrics, readText(metrics));
      if (exists(lock)) Deno.removeSync(lock);
    } catch (error) {
      throw fileError(error, "write", this.path);
    }
  }

  /** Looks every few seconds whether another worker has taken the task over, which raises the signal. */
  watch(every: number): { readonly signal: AbortSignal } & Disposable {
    const taken = new AbortController();
    const look = (): void => {
      try {
        if (this.lost()) taken.abort();
      } catch { /* a drive that does not answer at the moment: the next look will tell, or what the run writes */ }
    };
    const looking = setInterval(look, every * 1000);
    return { signal: taken.signal, [Symbol.dispose]: () => clearInterval(looking) };
  }

  /** Whether another worker has taken the task over. */
  lost(): boolean {
    return exists(this.folder.claim(this.task, this.number + 1));
  }

  /** Makes the run folder the task's result. @returns false where the task was taken over meanwhile */
  finish(): boolean {
    return !this.lost() && move(this.path, this.folder.run(this.task));
  }

  /**
   * Gives the task up; `failed` keeps everybody from trying it again unasked. Where the disk is too full to say so, it is
   * free as soon as this worker has left, and another one will find out.
   */
  giveUp(why: Over["why"], message: string): void {
    try {
      createNew(
        `${this.folder.claim(this.task, this.number)}.over`,
        JSON.stringify({ why, message: message.slice(0, MOST_MESSAGE) }) + "\n",
      );
    } catch (error) {
      if (!lacksSpace(error)) throw error;
    }
  }
}
