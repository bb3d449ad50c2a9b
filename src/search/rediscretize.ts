/**
 * Discretises the supernet of a checkpoint again: with other options, or by its statistics on other images.
 * @module
 */
import { FailureError, UsageError } from "../base/errors.ts";
import { splitHalves } from "../data/batches.ts";
import { checkDataset, type Dataset } from "../data/dataset.ts";
import { type DiscretizationReport, discretize } from "../discretize/discretize.ts";
import { needsRemovals, rulesOf } from "../discretize/registry.ts";
import type { Rule } from "../discretize/rule.ts";
import type { DecorrelationOptions } from "../discretize/scope.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import { tuned } from "../graph/tuning.ts";
import type { Checkpoint } from "../run/checkpoint_file.ts";
import type { SearchConfig } from "./config.ts";
import { SearchEngine } from "./engine.ts";
import { checkMemory, memoryBudget } from "../run/memory.ts";
import { planSearch } from "./programs.ts";
import { supernetConfig, wholeBatches } from "./search.ts";

/** What a checkpoint is discretised with. */
export interface RediscretizeOptions extends Partial<DecorrelationOptions> {
  /** Images of the architecture half for the statistics; those of the configuration if left out. */
  readonly images?: number;
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
}

/**
 * Discretises a checkpoint.
 * @param config the configuration of its search
 * @param data images of the shape that it was searched on; the architecture half of them is used
 * @throws {UsageError} for unknown rules, and data whose fields do not fit together.
 * @throws {FailureError} when the checkpoint does not belong to the configuration, or memory does not suffice.
 */
export async function rediscretize(
  config: SearchConfig,
  data: Dataset,
  checkpoint: Pick<Checkpoint, "tensors">,
  options: RediscretizeOptions = {},
): Promise<DiscretizationReport> {
  checkDataset(data);
  const methods = rulesOf(options.methods);
  const gpu = tuned(options.gpu ?? await openGpu(), config.tuning), net = supernetConfig(config, data);
  const sized = { ...net, classes: options.classes ?? net.classes };
  const plan = planSearch(sized, config, gpu.limits);
  checkMemory(
    plan.bytes,
    memoryBudget(gpu, config.memoryLimit),
    config.batchSize,
    (batch) => planSearch({ ...sized, batch }, config, gpu.limits).bytes,
  );
  const total = Math.min(config.images ?? data.count, data.count), train = Math.floor(total / 2);
  const { val } = splitHalves(data, config.seed, { train, val: total - train });
  if (val.length < config.batchSize) {
    throw new UsageError(
      `Cannot take statistics of '${data.name}' as half of its images must fill a batch of ${config.batchSize}: ` +
        `current number is ${val.length}, so take more images`,
    );
  }
  const engine = await SearchEngine.create(gpu, plan, config.seed);
  try {
    engine.load(checkpoint.tensors, options.source ?? "checkpoint");
    const images = options.images ?? config.statisticsImages;
    const batches = (count: number) => wholeBatches(data, val, count, config.batchSize, config.seed);
    const { statistics } = await engine.statistics(batches(images));
    const measured = options.perturbationImages ?? config.perturbationImages;
    const removals = methods.some(needsRemovals)
      ? await engine.removals(() => batches(measured), options.onMeasured)
      : undefined;
    const decorrelation = {
      scope: options.scope ?? config.scope as DecorrelationOptions["scope"],
      shrinkage: options.shrinkage ?? config.shrinkage,
    };
    return discretize({
      space: net.space,
      ...await engine.architecture(),
      statistics,
      removals,
      methods,
      options: decorrelation,
      seed: config.seed,
    });
  } catch (error) {
    const lost = gpu.lost();
    if (lost === undefined) throw error;
    throw new FailureError(`The GPU device was lost (${lost}): try again, or update the driver`, { cause: error });
  } finally {
    engine.destroy();
    if (!options.gpu) gpu.device.destroy();
  }
}
