/**
 * Discretises the supernet of a checkpoint again: with other options, or by its statistics on other images.
 * @module
 */
import { FailureError, text, UsageError } from "../base/errors.ts";
import type { Dataset } from "../data/dataset.ts";
import { datasetOf, type LabelledImages } from "../data/labelled_images.ts";
import { CERTAINTY_PARTS } from "../discretize/certainty.ts";
import { checkKeep } from "../discretize/choice.ts";
import { type DiscretizationReport, discretize } from "../discretize/discretize.ts";
import { needsRemovals, rulesOf } from "../discretize/registry.ts";
import type { Rule } from "../discretize/rule.ts";
import type { DecorrelationOptions } from "../discretize/scope.ts";
import { SMALLER_STEPS } from "../discretize/statistics.ts";
import type { Gpu } from "../gpu/device.ts";
import { tuned } from "../graph/tuning.ts";
import type { Checkpoint } from "../run/checkpoint_file.ts";
import type { HostBatch } from "../run/engine.ts";
import { isLost, lostText } from "../run/learnt.ts";
import { planWithin } from "../run/memory.ts";
import { onDevice } from "../run/step_loop.ts";
import { resolveSpace } from "../space/definition.ts";
import type { Keep } from "../space/space.ts";
import type { SearchConfig } from "./config.ts";
import { SearchEngine } from "./engine.ts";
import { planSearch } from "./programs.ts";
import { searchHalves, supernetConfig, wholeBatches } from "./search.ts";

/** What a checkpoint is discretised with. */
export interface RediscretizeOptions extends Partial<DecorrelationOptions> {
  /** Images of the architecture half for the statistics; those of the configuration if left out. */
  readonly images?: number;
  /** What a node keeps; as the configuration says if left out. */
  readonly keep?: Keep;
  /**
   * Rules that decide: names of built-in ones, or rules of one's own. If left out, all built-in ones that need no
   * measurements of their own.
   */
  readonly methods?: readonly (string | Rule)[];
  /** Images of the architecture half for rules that need removals; those of the configuration if left out. */
  readonly perturbationImages?: number;
  /** Told how far the measurements without each operation are. */
  readonly onMeasured?: (done: number, all: number) => void;
  /** Number of classes that the supernet was built for; that of the data if left out. */
  readonly classes?: number;
  /** Device to use; it is opened if left out. */
  readonly gpu?: Gpu;
  /** Names the checkpoint in messages. */
  readonly source?: string;
  /** Stops after the current batch; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told in one sentence what was repaired. */
  readonly warn?: (message: string) => void;
}

/**
 * Discretises a checkpoint.
 * @param config the configuration of its search
 * @param images of the shape that it was searched on; the architecture half of them is used
 * @throws {UsageError} for unknown rules, a way to keep that the space has no room for, and data whose fields do not fit
 * together.
 * @throws {FailureError} when the checkpoint does not belong to the configuration or is of a search that has lost what it
 * learnt, or memory does not suffice.
 * @throws the reason of `options.signal` when that was raised.
 */
export async function rediscretize(
  config: SearchConfig,
  images: Dataset | LabelledImages,
  checkpoint: Pick<Checkpoint, "tensors">,
  options: RediscretizeOptions = {},
): Promise<DiscretizationReport> {
  options.signal?.throwIfAborted();
  const data = await datasetOf(images);
  const space = resolveSpace(config.space), rules = rulesOf(options.methods, undefined, space);
  const { val } = searchHalves(config, data);
  checkKeep(space, options.keep ?? config.keep);
  if (val.length < config.batchSize) {
    throw new UsageError(
      `Cannot take statistics of '${data.name}' as half of its images must fill a batch of ${config.batchSize}: ` +
        `current number is ${val.length}, so take more images`,
    );
  }
  return await onDevice(
    options.gpu,
    options.warn,
    (gpu) => decide(tuned(gpu, config.tuning, options.warn), config, data, val, checkpoint, rules, options),
  );
}

/** Discretises on a device. @param val the architecture half of the images */
async function decide(
  gpu: Gpu,
  config: SearchConfig,
  data: Dataset,
  val: Uint32Array,
  checkpoint: Pick<Checkpoint, "tensors">,
  methods: readonly Rule[],
  options: RediscretizeOptions,
): Promise<DiscretizationReport> {
  const { signal, onMeasured } = options, { batchSize, seed } = config;
  const net = supernetConfig(config, data), classes = options.classes ?? net.classes;
  const plan = planWithin(gpu, config, (batch) => planSearch({ ...net, classes, batch }, config, gpu.limits));
  const engine = await SearchEngine.create(gpu, plan, seed);
  try {
    engine.load(checkpoint.tensors, options.source ?? "checkpoint");
    const { train: { loss } } = await engine.tallies();
    if (isLost(loss, classes)) {
      const problem = text`Cannot decide by ${options.source ?? "the checkpoint"} as its ${lostText(loss, classes)}`;
      throw new FailureError(problem, { remedies: [SMALLER_STEPS] });
    }
    const batches = async function* (images: number): AsyncGenerator<HostBatch> {
      for await (const batch of wholeBatches(data, val, images, batchSize, seed)) {
        signal?.throwIfAborted();
        yield batch;
      }
    };
    const images = options.images ?? config.statisticsImages;
    const { statistics } = await engine.statistics(batches(images), CERTAINTY_PARTS);
    const measured = options.perturbationImages ?? config.perturbationImages;
    const removals = methods.some(needsRemovals)
      ? await engine.removals(() => batches(measured), onMeasured)
      : undefined;
    const decorrelation = {
      scope: options.scope ?? config.scope as DecorrelationOptions["scope"],
      shrinkage: options.shrinkage ?? config.shrinkage,
    };
    const evidence = { ...await engine.architecture(), statistics, removals };
    const keep = options.keep ?? config.keep;
    return discretize({ space: net.space, ...evidence, methods, options: decorrelation, keep, seed });
  } finally {
    engine.destroy();
  }
}
