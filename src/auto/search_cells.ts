/**
 * The search of an `auto` run, sized by what it may take. Not responsible for what becomes of its cells.
 * @module
 */
import { joinPath } from "../base/files.ts";
import type { Dataset } from "../data/dataset.ts";
import { search } from "../search/search.ts";
import type { Genotype } from "../space/genotype.ts";
import { halvesTwice } from "./candidates.ts";
import type { Context } from "./context.ts";

/** Fewest steps of a search. */
const LEAST_STEPS = 4;

/**
 * Learning rate of the architecture at which a mixture decides within so many steps, a quarter of them frozen: about as
 * far in all whatever their number (measured with 124 and 2,000 steps, docs/results.md).
 */
export function alphaRate(steps: number): number {
  return Math.max(0.02, Math.min(0.15, 60 / steps));
}

/** What a search found. */
export interface FoundCells {
  /** Cells by the names of their rules. */
  readonly cells: readonly { readonly rule: string; readonly genotype: Genotype }[];
  /** Steps that it took. */
  readonly steps: number;
}

/**
 * Searches cells on some images.
 * @param amount of the budget that it may take
 */
export async function searchCells(
  context: Context,
  amount: number,
  train: Dataset,
  signal: AbortSignal,
): Promise<FoundCells> {
  const { ledger, budget, clocked, config: { seed }, folder, warn } = context;
  const half = Math.floor(train.count / 2), batchSize = Math.max(2, Math.min(32, Math.floor(half / 2)));
  const space = halvesTwice(train) ? "nas-bench-201" as const : "darts" as const;
  const base = {
    space,
    ...{ initChannels: 4, cells: 3, batchSize, weightLr: 0.05, seed },
    ...{ pad: 2, flip: "auto" as const, checkpointSteps: 1_000_000 },
  };
  const seconds = await ledger.measured("speed/search", async () => {
    if (!clocked) return 1;
    context.tell("measuring how fast a search is");
    const quick = { statisticsImages: 64, probeImages: batchSize, evalImages: batchSize };
    const gpu = await context.device(), timed = gpu.software ? 4 : 64; // so few are done by a GPU before one looks
    const options = { ...base, ...quick, epochs: 1, stepsPerEpoch: Math.min(timed, Math.floor(half / batchSize)) };
    const { epochs } = await search(options, train, { gpu, signal });
    return epochs[0].secondsPerStep;
  });
  const options = ledger.plan("search/options", () => {
    const steps = Math.max(LEAST_STEPS, Math.floor(0.8 * amount / budget.stepCost(seconds)));
    const most = Math.floor(half / batchSize), stepsPerEpoch = Math.max(1, Math.min(most, Math.ceil(steps / 4)));
    const images = { statisticsImages: 256, probeImages: 2 * batchSize, evalImages: 256 };
    const epochs = Math.max(1, Math.floor(steps / stepsPerEpoch)), alphaWarmupEpochs = Math.floor(epochs / 4);
    return { ...base, ...images, alphaLr: alphaRate(steps), alphaWarmupEpochs, stepsPerEpoch, epochs };
  });
  const { report } = await search(options, train, {
    ...{ gpu: await context.device(), folder: folder && joinPath(folder.path, "search"), signal, warn },
    onProgress: ({ epoch, epochs, step, stepsPerEpoch }) =>
      context.tell("searching cells", (epoch + step / stepsPerEpoch) / epochs),
  });
  const cells = report.methods.map(({ method, genotype }) => ({ rule: method, genotype }));
  return { cells, steps: options.epochs * options.stepsPerEpoch };
}
