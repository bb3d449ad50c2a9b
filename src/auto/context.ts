/**
 * What every part of an `auto` run shares: configuration, images, device, folder, budget and ledger.
 * @module
 */
import { IdartsError } from "../base/errors.ts";
import { ImagesLostError } from "../data/lost_images.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import type { Beginnings } from "../run/phase.ts";
import type { RunFolder } from "../run/run_folder.ts";
import type { TrainData } from "../train/setup.ts";
import { type Budget, clockBudget, stepBudget } from "./budget.ts";
import { amountOf, type AutoConfig } from "./config.ts";
import { type Entry, Ledger, TimeOver } from "./ledger.ts";
import type { AutoEvent } from "./records.ts";

/** Resources and callbacks; all optional. */
export interface AutoRunOptions {
  /** Device to use; one is opened if left out. */
  readonly gpu?: Gpu;
  /**
   * Folder for everything; a run that is there already is gone on with. Without one nothing is written. Where it is
   * given by its path, and another process is at the run, this one helps with its trials and comes to the same result.
   */
  readonly folder?: string | RunFolder;
  /** Stops it; the call rejects with the signal's reason, and the same call goes on. */
  readonly signal?: AbortSignal;
  /** When the time began, by `performance.now()`; now if left out. 0 counts the start of the process. */
  readonly began?: number;
  /** Name of this machine, where it may be known: a process of it that was killed is recognised at once then. */
  readonly host?: string;
  /** Folder of another run that has ended, or its decisions, to be taken again, whatever the clock says. */
  readonly repeat?: string | readonly Entry[];
  /** Told what happens; of what an earlier process was told, not again. */
  readonly onEvent?: (event: AutoEvent) => void;
  /** Told where a phase stands, from 0 to 1. */
  readonly onProgress?: (what: string, share: number) => void;
  /** Told in one sentence what was repaired. */
  readonly warn?: (message: string) => void;
}

/** File names in the folder. */
export const AUTO_MODEL = "model.safetensors", AUTO_ONNX = "model.onnx";

/** Seconds for the end, without the test images: export, report. */
const END_SECONDS = 4;
/** Share of the time that the test images may take at the most: of more than fit a sample is measured. */
const TEST_SHARE = 0.1;

/** Time between two looks at what other processes have done. */
export const PAUSE_SECONDS = 0.25;

/** What the parts of a run share. */
export class Context implements Disposable {
  /** What there is to spend. */
  readonly budget: Budget;
  /** Decisions and what came of them. */
  readonly ledger: Ledger;
  /** Raised by the user, or with {@linkcode TimeOver} when the end has to begin. */
  readonly signal: AbortSignal;
  /** Whether the clock decides. */
  readonly clocked: boolean;
  /** Seconds to measure an image, at the most. */
  secondsPerImage = 0;
  /** Networks that answer together in the end, and whether mirror images are looked at, too, then: 2. */
  members = 1;
  views = 1;
  /** Held-out images of a split. */
  held = 0;
  /** Whether there is a network already, of one epoch at the least: only then the time can be over. */
  hasNetwork = false;
  readonly #deadline = new AbortController();
  readonly #run: AutoRunOptions;
  readonly #seconds: () => number;
  #gpu: Gpu;
  #ownsGpu = false;

  /** Nothing is spent yet, but for what the ledger of the folder says. */
  constructor(
    readonly config: AutoConfig,
    readonly data: TrainData,
    run: AutoRunOptions & { readonly began: number; readonly repeat: readonly Entry[] | undefined },
    readonly folder: RunFolder | undefined,
    gpu: Gpu,
    beginnings: Beginnings,
  ) {
    const seconds = (): number => (performance.now() - run.began) / 1000, amount = amountOf(config);
    this.#run = run;
    this.#gpu = gpu;
    this.ledger = new Ledger(folder, (spent) => spent + seconds(), run.repeat, beginnings);
    this.#seconds = () => this.ledger.spent + seconds();
    this.clocked = "seconds" in amount && !run.repeat;
    this.budget = "steps" in amount ? stepBudget(amount.steps) : clockBudget(amount.seconds, this.#seconds);
    this.signal = AbortSignal.any([this.#deadline.signal, ...(run.signal ? [run.signal] : [])]);
  }

  /** Seconds so far, those of earlier processes included. */
  get seconds(): number {
    return this.#seconds();
  }

  /** The user's own signal: for what has to be done after the time is over, too. */
  get userSignal(): AbortSignal | undefined {
    return this.#run.signal;
  }

  /** Told in one sentence what was repaired. */
  get warn(): ((message: string) => void) | undefined {
    return this.#run.warn;
  }

  /** Name of this machine, where it may be known. */
  get host(): string | undefined {
    return this.#run.host;
  }

  /** What there is to spend, in words: `10m`, `300 steps`. */
  get budgetText(): string {
    return this.config.steps === null ? this.config.time : `${this.config.steps} steps`;
  }

  /** The device; a new one where it was lost. */
  async device(): Promise<Gpu> {
    if (this.#gpu.lost() === undefined) return this.#gpu;
    const { limits } = this.#gpu;
    this[Symbol.dispose]();
    this.#gpu = await openGpu({ limits });
    this.#ownsGpu = true;
    return this.#gpu;
  }

  /** Gives back a device that was opened here. */
  [Symbol.dispose](): void {
    if (this.#ownsGpu) this.#gpu.device.destroy();
    this.#ownsGpu = false;
  }

  /** Whether this is what {@linkcode signal} says when the time is over. */
  isTimeOver(error: unknown): boolean {
    return error instanceof TimeOver && this.userSignal?.reason !== error;
  }

  /** Whether the run cannot do without what failed: the user stopped it, its images went away, or it is a mistake here. */
  isFatal(error: unknown): boolean {
    const stopped = this.userSignal?.aborted === true && error === this.userSignal.reason;
    return stopped || !(error instanceof IdartsError) || error instanceof ImagesLostError;
  }

  /** What the end takes: held-out images once more, test images, export, report. */
  reserve(): number {
    const { data: { test }, views, budget } = this, seconds = 1.3 * this.members * this.secondsPerImage;
    const testing = Math.min((test?.count ?? 0) * views * seconds, TEST_SHARE * budget.total);
    return budget.overhead(END_SECONDS + testing + this.held * seconds);
  }

  /** How many test images there is time for. */
  testImages(): number {
    const count = this.data.test?.count ?? 0;
    if (!this.clocked || this.secondsPerImage === 0) return count;
    const seconds = Math.max(this.budget.left() - END_SECONDS, TEST_SHARE / 2 * this.budget.total);
    const { members, views, secondsPerImage } = this;
    return Math.min(count, Math.max(50, Math.floor(seconds / (members * views * secondsPerImage) / 1.3)));
  }

  /** Lets the time run out when the end has to begin. @returns what stops that */
  startClock(): () => void {
    if (!this.clocked) return () => {};
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = (): void => {
      const left = 1000 * (this.budget.left() - this.reserve()); // it changes as more is known
      if (left <= 0 && this.hasNetwork) this.#deadline.abort(new TimeOver());
      else timer = setTimeout(look, Math.max(100, Math.min(left, 1000)));
    };
    look();
    return () => clearTimeout(timer);
  }

  /**
   * The {@linkcode signal}, or one that is raised after some seconds already, where the clock decides.
   * @param reason what it is raised with then
   */
  within(seconds: number, reason: Error): { readonly signal: AbortSignal } & Disposable {
    const controller = new AbortController();
    const timer = this.clocked ? setTimeout(() => controller.abort(reason), 1000 * Math.min(seconds, 1e6)) : undefined;
    const signal = AbortSignal.any([this.signal, controller.signal]);
    return { signal, [Symbol.dispose]: () => clearTimeout(timer) };
  }

  /** Waits a little for what other processes do. @throws the reason of {@linkcode signal} where that was raised. */
  async pause(): Promise<void> {
    this.tell("waiting for another process");
    await new Promise((resolve) => setTimeout(resolve, 1000 * PAUSE_SECONDS));
    this.signal.throwIfAborted();
  }

  /** Tells where a phase stands. */
  tell(what: string, share = 0): void {
    this.ledger.touch();
    this.#run.onProgress?.(what, share);
  }

  /** Tells what happened. */
  event(event: AutoEvent): void {
    this.#run.onEvent?.(event);
  }
}
