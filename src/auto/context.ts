/**
 * What every part of an `auto` run shares: configuration, images, device, folder, budget and ledger.
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import type { RunFolder } from "../run/run_folder.ts";
import type { TrainData } from "../train/setup.ts";
import { type Budget, clockBudget, stepBudget } from "./budget.ts";
import { amountOf, type AutoConfig } from "./config.ts";
import { type Entry, Ledger } from "./ledger.ts";
import type { AutoEvent } from "./records.ts";

/** Resources and callbacks; all optional. */
export interface AutoRunOptions {
  /** Device to use; one is opened if left out. */
  readonly gpu?: Gpu;
  /** Folder for everything; a run that is there already is gone on with. Without one nothing is written. */
  readonly folder?: string | RunFolder;
  /** Stops it; the call rejects with the signal's reason, and the same call goes on. */
  readonly signal?: AbortSignal;
  /** When the time began, by `performance.now()`; now if left out. 0 counts the start of the process. */
  readonly began?: number;
  /** Decisions of another run, to be taken again. */
  readonly repeat?: readonly Entry[];
  /** Told what happens. */
  readonly onEvent?: (event: AutoEvent) => void;
  /** Told where a phase stands, from 0 to 1. */
  readonly onProgress?: (what: string, share: number) => void;
  /** Told in one sentence what was repaired. */
  readonly warn?: (message: string) => void;
}

/** File names in the folder. */
export const AUTO_MODEL = "model.safetensors", AUTO_ONNX = "model.onnx", AUTO_RESULT = "result.json";

/** The time is over. */
export class TimeOver extends Error {}

/** Seconds for the end, without the test images: export, report. */
const END_SECONDS = 4;

/** What the parts of a run share. */
export class Context {
  /** What there is to spend. */
  readonly budget: Budget;
  /** Decisions and what came of them. */
  readonly ledger: Ledger;
  /** What went otherwise than planned, in sentences. */
  readonly notes: string[] = [];
  /** Raised by the user, or with {@linkcode TimeOver} when the end has to begin. */
  readonly signal: AbortSignal;
  /** Seconds to measure an image. */
  secondsPerImage = 0.004;
  readonly #deadline = new AbortController();
  readonly #run: AutoRunOptions;
  readonly #seconds: () => number;

  /** Nothing is spent yet, but for what the ledger of the folder says. */
  constructor(
    readonly config: AutoConfig,
    readonly data: TrainData,
    run: AutoRunOptions & { readonly began: number },
    readonly folder: RunFolder | undefined,
    readonly gpu: Gpu,
  ) {
    const seconds = (): number => (performance.now() - run.began) / 1000, amount = amountOf(config);
    this.#run = run;
    this.ledger = new Ledger(folder, (spent) => spent + seconds(), run.repeat);
    this.#seconds = () => this.ledger.spent + seconds();
    this.budget = "steps" in amount ? stepBudget(amount.steps) : clockBudget(amount.seconds, this.#seconds);
    this.signal = AbortSignal.any([this.#deadline.signal, ...(run.signal ? [run.signal] : [])]);
  }

  /** Whether the clock decides. */
  get clocked(): boolean {
    return this.config.steps === null;
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

  /** Whether this is what {@linkcode signal} says when the time is over. */
  isTimeOver(error: unknown): boolean {
    return error instanceof TimeOver;
  }

  /** What the end takes: test images, export, report. */
  reserve(): number {
    return this.budget.overhead(END_SECONDS + 1.3 * (this.data.test?.count ?? 0) * this.secondsPerImage);
  }

  /** Lets the time run out when the end has to begin. @returns what stops that */
  startClock(): () => void {
    if (!this.clocked) return () => {};
    const left = Math.max(0, 1000 * (this.budget.left() - this.reserve()));
    const timer = setTimeout(() => this.#deadline.abort(new TimeOver()), left);
    return () => clearTimeout(timer);
  }

  /** Tells where a phase stands. */
  tell(what: string, share = 0): void {
    this.#run.onProgress?.(what, share);
  }

  /** Tells what happened. */
  event(event: AutoEvent): void {
    this.#run.onEvent?.(event);
  }
}
