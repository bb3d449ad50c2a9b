/**
 * The driver of every run: plans within the memory that there is, goes on from a checkpoint, loops over steps and
 * epochs, writes configuration, metrics and checkpoints, stops by a signal, and takes a new device where one was lost.
 * Everything that a run draws at random is a function of the seed and the step, so a run that resumes from a checkpoint
 * has the same bits as one that never stopped. Not responsible for what a step computes: a {@linkcode Phase} says it.
 * @module
 */
import { FailureError, type Text, text, UsageError } from "../base/errors.ts";
import { checkShape, mapping, type Shape, whole } from "../base/shape.ts";
import type { TensorEntry } from "../base/safetensors.ts";
import { checkLearnable } from "../data/dataset.ts";
import type { Gpu } from "../gpu/device.ts";
import { ImagesLostError } from "../data/lost_images.ts";
import { DeviceLostError } from "../graph/buffers.ts";
import { tuned } from "../graph/tuning.ts";
import type { Engine, EnginePlan, Tally } from "./engine.ts";
import { isLost, lostText } from "./learnt.ts";
import { planWithin } from "./memory.ts";
import { METRICS_FILE, readRecords } from "./metrics_file.ts";
import type { EpochBase, Finished, Phase, RunOptions, RunProgress } from "./phase.ts";
import { RunFolder } from "./run_folder.ts";
import { checkMade, checkRecord, MADE_FIELDS, type MadeWith, madeWith, writeRecord } from "./run_record.ts";
import { onDevice, runSteps } from "./step_loop.ts";

/**
 * Runs a phase to its end, or on to its end where the folder holds a part of it.
 * @throws {UsageError} where the folder holds another run.
 * @throws {FailureError} where all images are the same, for what cannot be done on this machine, when a loss stops being
 * finite, and where the last epoch was far worse than guessing.
 * @throws the reason of `options.signal` when that was raised.
 */
export async function runPhase<
  Plan extends EnginePlan,
  Metric extends string,
  E extends Engine<Plan, string, Metric>,
  Progress extends RunProgress,
  Epoch extends EpochBase,
  Result,
>(
  phase: Phase<Plan, Metric, E, Progress, Epoch, Result>,
  options: RunOptions<Plan, Progress, Epoch>,
): Promise<Result> {
  const { signal, warn } = options, { folder: given } = options;
  signal?.throwIfAborted();
  checkLearnable(phase.beginnings.data);
  const folder = typeof given === "string" ? RunFolder.enter(given, { warn }) : given;
  try {
    const run = new Run(phase, folder, options);
    return await onDevice(options.gpu, warn, (gpu) => run.on(tuned(gpu, phase.config.tuning, warn)));
  } finally {
    if (typeof given === "string") {
      folder!.discardIfEmpty();
      folder!.close();
    }
  }
}

/** What every checkpoint holds besides tensors. */
interface State extends MadeWith {
  readonly stepsPerEpoch: number;
  readonly [more: string]: unknown;
}

const STATE_SHAPE: Shape<State> = mapping<Pick<State, keyof MadeWith | "stepsPerEpoch">>({
  ...MADE_FIELDS,
  stepsPerEpoch: whole(1),
}) as Shape<State>;

/** The newest state on the host: what a device starts from. */
interface Snapshot {
  readonly step: number;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

class Run<
  Plan extends EnginePlan,
  Metric extends string,
  E extends Engine<Plan, string, Metric>,
  Progress extends RunProgress,
  Epoch extends EpochBase,
  Result,
> {
  readonly #phase: Phase<Plan, Metric, E, Progress, Epoch, Result>;
  readonly #folder: RunFolder | undefined;
  readonly #options: RunOptions<Plan, Progress, Epoch>;
  /** Adapter that a run which goes on began on. */
  readonly #adapter: string | undefined;
  #snapshot: Snapshot | undefined;
  /** Epochs of earlier processes, and of this one. */
  #earlier: readonly Epoch[] = [];
  #epochs: readonly Epoch[] = [];

  constructor(
    phase: Phase<Plan, Metric, E, Progress, Epoch, Result>,
    folder: RunFolder | undefined,
    options: RunOptions<Plan, Progress, Epoch>,
  ) {
    this.#phase = phase;
    this.#folder = folder;
    this.#options = options;
    if (!folder?.begun) return;
    this.#adapter = checkRecord(folder, phase.beginnings);
    this.#snapshot = this.#readSnapshot(folder);
    this.#earlier = this.#readEpochs(folder, this.#snapshot?.step ?? 0);
  }

  #readSnapshot(folder: RunFolder): Snapshot | undefined {
    const checkpoint = folder.readCheckpoint();
    if (!checkpoint) return undefined;
    const { beginnings, stepsPerEpoch } = this.#phase;
    const state = checkShape(STATE_SHAPE, checkpoint.state, `the checkpoint of '${folder.path}'`);
    checkMade(folder, beginnings, state, `its checkpoint of step ${checkpoint.step}`);
    if (state.stepsPerEpoch !== stepsPerEpoch) {
      throw new UsageError(
        `Cannot resume '${folder.path}' as its epochs had ${state.stepsPerEpoch} steps and would have ${stepsPerEpoch} now`,
      );
    }
    this.#phase.resume?.(state, folder);
    return { step: checkpoint.step, tensors: checkpoint.tensors };
  }

  /** The records of the epochs up to `step`, which must all be there. */
  #readEpochs(folder: RunFolder, step: number): Epoch[] {
    const { stepsPerEpoch } = this.#phase;
    const known = readRecords(folder, this.#phase.epochShape, step);
    const missing = Array.from({ length: Math.floor(step / stepsPerEpoch) }, (_, i) => i + 1)
      .filter((epoch) => !known.some((record) => record.step === epoch * stepsPerEpoch && record.epoch === epoch));
    if (missing.length === 0) return known;
    const list = `${missing.length === 1 ? "epoch" : "epochs"} ${missing.slice(0, 5).join(", ")}` +
      (missing.length > 5 ? ", ..." : "");
    const what = `'${
      folder.file(METRICS_FILE)
    }' has no record of ${list}, which the checkpoint of step ${step} comes after`;
    if (this.#phase.watches) {
      throw new FailureError(
        `Cannot resume '${folder.path}' as ${what} and which decide when the run ends`,
        { remedies: ["put the file back", { kind: "other-folder" }] },
      );
    }
    this.#options.warn?.(`The file ${what}: the run goes on, and its charts will lack them`);
    return known;
  }

  /** Runs to the end on one device, from the newest snapshot or from the start. */
  async on(gpu: Gpu): Promise<Result> {
    const phase = this.#phase, folder = this.#folder, { config, beginnings, stepsPerEpoch } = phase;
    const proceed = (): void => this.#options.signal?.throwIfAborted();
    proceed();
    const plan = planWithin(gpu, config, (batch) => phase.plan(gpu.limits, batch), beginnings.kind);
    if (this.#adapter !== undefined && this.#adapter !== gpu.name) {
      this.#options.warn?.(
        `The run began on adapter '${this.#adapter}' and goes on on '${gpu.name}': the bits may differ`,
      );
    }
    if (folder) writeRecord(folder, beginnings, gpu.name);
    this.#options.onStart?.(plan, gpu, stepsPerEpoch);
    const engine = await phase.create(gpu, plan);
    try {
      let step = this.#begin(engine);
      for (; !this.#ended(step); step = await this.#epoch(engine, step)) proceed();
      const known = [...this.#earlier, ...this.#epochs], epochs = this.#epochs, last = known.at(-1);
      if (last && this.#isLost(last)) throw this.#diverged(this.#lostText(last), step, last.epoch - 1);
      const finished: Finished<E, Epoch> = {
        gpu,
        engine,
        step,
        known,
        epochs,
        tensors: this.#snapshot!.tensors,
        proceed,
      };
      return await phase.finish(finished, folder);
    } catch (error) {
      if (error === this.#options.signal?.reason && this.#snapshot) this.#options.onStopped?.(this.#snapshot.step);
      throw error instanceof ImagesLostError ? this.#imagesLost(error) : error;
    } finally {
      engine.destroy();
    }
  }

  /** Puts the newest state onto the device, and the metrics where they were then. @returns steps done */
  #begin(engine: E): number {
    const { tensors, step = 0 } = this.#snapshot ?? {};
    if (tensors) engine.load(tensors, this.#folder?.path ?? "snapshot");
    else this.#phase.initialise(engine);
    this.#folder?.truncateMetrics(step === 0 ? -1 : step);
    this.#epochs = this.#epochs.filter((record) => record.step <= step);
    return step;
  }

  #ended(step: number): boolean {
    const steps = this.#phase.stepsPerEpoch;
    return step % steps === 0 && step > 0 && this.#phase.ended(step / steps, [...this.#earlier, ...this.#epochs]);
  }

  /** Runs from `start` to the end of its epoch. @returns the steps done then. */
  async #epoch(engine: E, start: number): Promise<number> {
    const phase = this.#phase, { config, stepsPerEpoch } = phase, { signal, onProgress, onEpoch } = this.#options;
    const epoch = Math.floor(start / stepsPerEpoch), end = (epoch + 1) * stepsPerEpoch;
    if (start % stepsPerEpoch === 0) engine.resetTallies(...phase.losses.map(([metric]) => metric));
    const secondsPerStep = await runSteps({
      start,
      end,
      checkpointSteps: config.checkpointSteps,
      signal,
      compileSeconds: () => engine.runtime.compileSeconds,
      submit: (step) => phase.step(engine, epoch, step % stepsPerEpoch),
      look: async (step) => {
        const tallies = await engine.tallies();
        this.#checkLosses(tallies, epoch);
        const at = { epoch, epochs: config.epochs, step: (step - 1) % stepsPerEpoch + 1, stepsPerEpoch };
        return (secondsPerStep) => onProgress?.(phase.progress({ ...at, secondsPerStep }, tallies));
      },
      checkpoint: (step) => this.#checkpoint(engine, step, epoch),
    });
    const record = await phase.measure(engine, epoch, secondsPerStep);
    this.#folder?.appendMetric({ ...record as EpochBase }); // before the checkpoint: a resumed run drops what came after it
    await this.#checkpoint(engine, end, epoch, record);
    if (this.#isLost(record) && ![...this.#earlier, ...this.#epochs].some((before) => this.#isLost(before))) {
      const said = text`${this.#lostText(record)} step ${end} (epoch ${epoch + 1}): if it stays there, the run fails`;
      this.#options.warn?.(said.toString());
    }
    this.#epochs = [...this.#epochs, record];
    onEpoch?.(record);
    return end;
  }

  #checkLosses(tallies: Readonly<Record<Metric, Tally>>, epoch: number): void {
    const bad = this.#phase.losses.map(([metric, name]) => ({ name, at: tallies[metric].firstBadStep || Infinity }));
    const first = bad.reduce((a, b) => b.at < a.at ? b : a);
    if (first.at === Infinity) return;
    const step = epoch * this.#phase.stepsPerEpoch + first.at;
    throw this.#diverged(text`The ${first.name} loss is no longer a finite number at`, step, epoch);
  }

  #isLost({ trainLoss }: EpochBase): boolean {
    return isLost(trainLoss, this.#phase.beginnings.data.classes);
  }

  #lostText({ trainLoss }: EpochBase): Text {
    return text`The ${lostText(trainLoss, this.#phase.beginnings.data.classes)}, at`;
  }

  /** What to say of numbers that grew beyond all bounds. */
  #diverged(what: Text, step: number, epoch: number): FailureError {
    return new FailureError(text`${what} step ${step} (epoch ${epoch + 1})${this.#kept()}`, {
      remedies: [{ kind: "lower", options: this.#phase.remedies, afresh: true }],
    });
  }

  /** What to say of images that went away. */
  #imagesLost(error: ImagesLostError): ImagesLostError {
    const { name } = this.#phase.beginnings.data, step = this.#snapshot?.step;
    return new ImagesLostError(
      text`The run stopped ${
        step === undefined ? "at its start" : `after step ${step}`
      } as images of '${name}' went away (${error})`,
      { cause: error, remedies: [`${this.#folder && step ? "go on" : "start again"} when they can be read`] },
    );
  }

  /** A part of a sentence: which checkpoint is there. */
  #kept(): string {
    if (!this.#folder) return "";
    return this.#snapshot
      ? `: the checkpoint of step ${this.#snapshot.step} is kept in '${this.#folder.path}'`
      : ": there is no checkpoint yet";
  }

  /** Saves the state after `step` steps; after an epoch its `record` is given. */
  async #checkpoint(engine: E, step: number, epoch: number, record?: Epoch): Promise<void> {
    const phase = this.#phase,
      { beginnings, stepsPerEpoch } = phase;
    let list: [string, TensorEntry][];
    try {
      list = await engine.save();
    } catch (error) {
      if (!(error instanceof FailureError) || error instanceof DeviceLostError) throw error;
      throw this.#diverged(text`${error} after`, step, epoch);
    }
    const tensors = new Map(list);
    if (record) phase.keep?.(record, tensors, this.#folder);
    this.#folder?.writeCheckpoint(step, list, {
      ...madeWith(beginnings),
      epoch,
      stepsPerEpoch,
      ...phase.state?.(),
    });
    this.#snapshot = { step, tensors };
  }
}
