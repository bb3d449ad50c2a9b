/**
 * What every training loop has in common: steps are submitted without waiting, the device is waited for now and then
 * to look at the loss, checkpoints are due every so often, a signal stops the loop after the current step, and a
 * device that was lost is replaced. Not responsible for what a step is.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import { ImagesLostError } from "../data/lost_images.ts";
import { DeviceLostError } from "../graph/buffers.ts";

/** A run of steps. */
export interface StepLoop {
  /** Steps done before. */
  readonly start: number;
  /** Steps done at the end. */
  readonly end: number;
  /** A checkpoint is due every so many steps; the one at the end is the caller's. */
  readonly checkpointSteps: number;
  /** Stops the loop after the current step. */
  readonly signal?: AbortSignal;
  /** Seconds that compilation took so far; they do not count as time of steps. */
  compileSeconds(): number;
  /**
   * Submits the step after `step` steps; may wait for its images and for compilation, not for the device. Images that
   * went away ({@linkcode ImagesLostError}) must be found out before anything is submitted.
   */
  submit(step: number): Promise<void>;
  /** Waits for the device and returns what to do with what came out, told the seconds per step, lately. */
  look(step: number): Promise<(secondsPerStep: number) => void>;
  /** Saves the state after `step` steps. */
  checkpoint(step: number): Promise<void>;
}

/** Longest time without looking at the loss, in seconds; steps are not waited for in between. */
const SYNC_SECONDS = 0.5;

/**
 * Runs a loop to its end.
 * @returns seconds per step, compilation and checkpoints not counted.
 * @throws the reason of the signal, and {@linkcode ImagesLostError}, both with the steps so far saved.
 */
export async function runSteps(loop: StepLoop): Promise<number> {
  const { start, end, checkpointSteps, signal } = loop;
  /** A clock that stands still during compilation. */
  const clock = () => performance.now() / 1000 - loop.compileSeconds();
  let step = start, synced = start, saved = start, began = clock(), secondsPerStep = 0, busy = 0;
  const look = async (): Promise<void> => {
    const report = await loop.look(step), seconds = clock() - began;
    busy += seconds;
    secondsPerStep = seconds / (step - synced);
    synced = step;
    report(secondsPerStep);
  };
  const save = async (): Promise<void> => {
    if (saved === step) return;
    await loop.checkpoint(step);
    saved = step;
  };
  while (step < end) {
    try {
      await loop.submit(step);
    } catch (error) {
      if (error instanceof ImagesLostError) {
        if (synced < step) await look();
        await save();
      }
      throw error;
    }
    const last = ++step === end, due = step % checkpointSteps === 0 || signal?.aborted === true;
    if (last || due || (step - synced) * secondsPerStep >= SYNC_SECONDS || secondsPerStep === 0) {
      await look();
      if (due && !last) await save();
      // Lets signals and timers in; the device is idle anyway.
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (signal?.aborted && !last) {
        await save();
        signal.throwIfAborted();
      }
      began = clock();
    }
  }
  return busy / (end - start);
}

/** Times that a lost device is replaced before a run gives up. */
const MAX_DEVICES = 3;

/**
 * Runs `body` on a device, and again on a new one where it was lost. A device that is opened here is given back.
 * @throws {FailureError} when it was lost too often.
 */
export async function onDevice<T>(
  first: Gpu | undefined,
  warn: ((message: string) => void) | undefined,
  body: (gpu: Gpu) => Promise<T>,
): Promise<T> {
  let gpu = first ?? await openGpu();
  try {
    for (let devices = 1;; devices++) {
      try {
        return await body(gpu);
      } catch (error) {
        const lost = gpu.lost();
        if (lost === undefined && !(error instanceof DeviceLostError)) throw error;
        if (devices === MAX_DEVICES) {
          throw new FailureError(
            `The GPU device was lost ${devices} times (${lost})`,
            { remedies: ["update the driver", { kind: "lower", options: ["batch-size"] }] },
          );
        }
        warn?.(`The GPU device was lost (${lost}); going on from the last checkpoint on a new one`);
        gpu = await openGpu({ limits: gpu.limits });
      }
    }
  } finally {
    if (gpu !== first) gpu.device.destroy();
  }
}
