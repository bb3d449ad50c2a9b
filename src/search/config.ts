/**
 * The options of a search: the one list from which come flags, YAML keys, help, defaults and validation. Defaults are
 * the published recipe (DARTS' public code); where the method leaves a choice, what small studies favoured.
 * @module
 */
import { defineOptions, type Layer, type Option, type OptionSet } from "../base/options.ts";
import { option, optionError, text, UsageError } from "../base/errors.ts";
import { MOST_PAD } from "../data/augment.ts";
import { DATA_OPTION_LIST, FLIP_OPTION } from "../data/config.ts";
import { checkKeep } from "../discretize/choice.ts";
import { RULES } from "../discretize/registry.ts";
import type { Rule } from "../discretize/rule.ts";
import { DEFAULT_DECORRELATION } from "../discretize/scope.ts";
import { TUNING_OPTION } from "../graph/tuning.ts";
import { MEMORY_LIMIT_OPTION } from "../run/memory.ts";
import { checkSpace, resolveSpace } from "../space/definition.ts";
import { KEEPS, SPACES } from "../space/space.ts";
import { NODE_NORMS } from "../space/supernet.ts";
import type { SearchOptions } from "./options.ts";

const SPACE_NAMES: readonly string[] = SPACES.map((s) => s.name);
const RULE_NAMES: readonly string[] = RULES.map(({ name }) => name);

/** What nodes keep, which a discretisation may change. */
export const KEEP_OPTION = {
  key: "keep",
  kind: "choice",
  choices: KEEPS,
  default: KEEPS[0],
  group: "Discretisation",
  help:
    "what a node keeps: its two best edges with one operation each (DARTS), or its two best operations, of one edge too",
} as const satisfies Option;

/** The list behind {@linkcode SEARCH_OPTIONS}. */
export const SEARCH_OPTION_LIST = [
  ...DATA_OPTION_LIST,
  {
    key: "images",
    kind: "int",
    min: 2,
    default: null,
    group: "Data",
    help: "training images to use in all; half of them train the weights, half the architecture (default: all)",
  },
  {
    key: "pad",
    kind: "int",
    min: 0,
    max: MOST_PAD,
    default: 4,
    group: "Data",
    help: "pixels of padding for random crops",
  },
  { ...FLIP_OPTION, default: "auto" },
  {
    key: "space",
    kind: "named",
    choices: SPACE_NAMES,
    check: checkSpace,
    default: "darts",
    group: "Supernet",
    help: "search space, or the definition of one's own",
  },
  {
    key: "init-channels",
    kind: "int",
    min: 2,
    max: 512,
    default: 16,
    group: "Supernet",
    help: "channels of the first cells; even",
  },
  { key: "cells", kind: "int", min: 3, max: 64, default: 8, group: "Supernet", help: "number of cells" },
  {
    key: "node-norm",
    kind: "choice",
    choices: NODE_NORMS,
    default: "rms",
    group: "Supernet",
    help: "normalisation of the nodes ('none' is plain DARTS)",
  },
  {
    key: "partial-channels",
    kind: "int",
    min: 1,
    max: 512,
    default: 1,
    group: "Supernet",
    help: "K: only the first 1/K of the channels go through the operations, the others bypass them (PC-DARTS: 4)",
  },
  {
    key: "edge-weights",
    kind: "boolean",
    default: false,
    group: "Supernet",
    help: "learn how much each of the edges that enter a node weighs (PC-DARTS)",
  },
  {
    key: "precision",
    kind: "choice",
    choices: ["bf16", "f32"],
    default: "bf16",
    group: "Supernet",
    help: "how activations and their gradients are stored; weights, sums and statistics are f32 always",
  },
  { key: "epochs", kind: "int", min: 1, max: 100000, default: 50, group: "Search", help: "passes over the images" },
  { key: "batch-size", kind: "int", min: 2, max: 4096, default: 64, group: "Search", help: "images per step" },
  {
    key: "steps-per-epoch",
    kind: "int",
    min: 1,
    default: null,
    group: "Search",
    help: "steps of an epoch (default: as many as the images give)",
  },
  {
    key: "stop-skips",
    kind: "int",
    min: 1,
    default: null,
    group: "Search",
    help: "end the search once the discretizer would pick so many skip-connections in the normal cell (default: never)",
  },
  {
    key: "stop-stable-epochs",
    kind: "int",
    min: 2,
    default: null,
    group: "Search",
    help: "end the search once the discretizer would have picked the same cells for so many epochs (default: never)",
  },
  {
    key: "seed",
    kind: "int",
    min: 0,
    max: 2 ** 52,
    default: 0,
    group: "Search",
    help: "same seed and adapter: same bits",
  },
  {
    key: "weight-lr",
    kind: "number",
    exclusiveMin: 0,
    default: 0.025,
    group: "Search",
    help: "learning rate of the weights (SGD), at the start",
  },
  {
    key: "weight-lr-min",
    kind: "number",
    min: 0,
    default: 0.001,
    group: "Search",
    help: "the same at the end (cosine schedule)",
  },
  { key: "momentum", kind: "number", min: 0, max: 0.9999, default: 0.9, group: "Search", help: "momentum of SGD" },
  { key: "weight-decay", kind: "number", min: 0, default: 3e-4, group: "Search", help: "weight decay of the weights" },
  {
    key: "clip",
    kind: "number",
    min: 0,
    default: 5,
    group: "Search",
    help: "largest global norm of the weights' gradient; 0 = no clipping",
  },
  {
    key: "label-smoothing",
    kind: "number",
    min: 0,
    max: 0.9,
    default: 0,
    group: "Search",
    help: "label smoothing of the training loss",
  },
  {
    key: "order",
    kind: "int",
    min: 1,
    max: 2,
    default: 1,
    group: "Search",
    help:
      "order of the architecture's gradient: 1, or 2 to look one weight step ahead (a step costs about 2.6 times as much)",
  },
  {
    key: "alpha-lr",
    kind: "number",
    min: 0,
    default: 3e-4,
    group: "Search",
    help: "learning rate of the architecture (Adam)",
  },
  { key: "alpha-beta1", kind: "number", min: 0, max: 0.9999, default: 0.5, group: "Search", help: "Adam's beta 1" },
  { key: "alpha-beta2", kind: "number", min: 0, max: 0.99999, default: 0.999, group: "Search", help: "Adam's beta 2" },
  {
    key: "alpha-weight-decay",
    kind: "number",
    min: 0,
    default: 1e-3,
    group: "Search",
    help: "weight decay of the architecture",
  },
  {
    key: "alpha-warmup-epochs",
    kind: "int",
    min: 0,
    default: 0,
    group: "Search",
    help: "epochs at the start in which only the weights are trained and the architecture stays as it began",
  },
  {
    key: "alpha-init",
    kind: "number",
    min: 0,
    default: 1e-3,
    group: "Search",
    help: "standard deviation of the first alphas",
  },
  {
    key: "discretizer",
    kind: "choice",
    choices: RULE_NAMES,
    open: true,
    default: RULES[0].name,
    group: "Discretisation",
    help: "rule whose cell is the result (the others are written beside it; perturbation only when it is this one)",
  },
  KEEP_OPTION,
  {
    key: "scope",
    kind: "choice",
    choices: ["node", "edge"],
    default: DEFAULT_DECORRELATION.scope,
    group: "Discretisation",
    help: "decorrelate all candidates of a node, or those of one edge",
  },
  {
    key: "shrinkage",
    kind: "number",
    min: 0,
    max: 1,
    default: DEFAULT_DECORRELATION.shrinkage,
    group: "Discretisation",
    help: "weight of the identity in the correlation matrix that is inverted",
  },
  {
    key: "statistics-images",
    kind: "int",
    min: 1,
    default: 512,
    group: "Discretisation",
    help: "images of the architecture half for the final statistics",
  },
  {
    key: "probe-images",
    kind: "int",
    min: 1,
    default: 128,
    group: "Discretisation",
    help: "the same after each epoch, for node norms and what each rule would pick",
  },
  {
    key: "perturbation-images",
    kind: "int",
    min: 1,
    default: 512,
    group: "Discretisation",
    help: "images of the architecture half on which rule perturbation evaluates the supernet, once for each removal",
  },
  {
    key: "eval-images",
    kind: "int",
    min: 1,
    default: 2000,
    group: "Run",
    help: "images of the architecture half that the supernet is evaluated on after each epoch",
  },
  {
    key: "checkpoint-steps",
    kind: "int",
    min: 1,
    default: 100,
    group: "Run",
    help: "write a checkpoint every so many steps, besides after each epoch",
  },
  MEMORY_LIMIT_OPTION,
  TUNING_OPTION,
] as const;

/** Options of `search`. */
export const SEARCH_OPTIONS: OptionSet<typeof SEARCH_OPTION_LIST> = defineOptions(SEARCH_OPTION_LIST);

/** What a search works with: every option, defaults filled in. */
export type SearchConfig = Required<SearchOptions>;

/** Named sets of options, to be spread: `{ ...SEARCH_PRESETS.demo, seed: 1 }`. */
export const SEARCH_PRESETS: Readonly<Record<"demo" | "darts" | "pc-darts", SearchOptions>> = {
  demo: {
    initChannels: 4,
    cells: 3,
    batchSize: 32,
    images: 4000,
    epochs: 4,
    stepsPerEpoch: 32,
    pad: 2,
    weightLr: 0.05,
    alphaLr: 0.15, // so that the mixture decides within its 128 steps (docs/results.md)
    alphaWeightDecay: 0,
    alphaWarmupEpochs: 1,
    statisticsImages: 256,
    probeImages: 64,
    evalImages: 512,
  },
  darts: { nodeNorm: "none", discretizer: "alpha" },
  "pc-darts": {
    nodeNorm: "none",
    discretizer: "alpha",
    partialChannels: 4,
    edgeWeights: true,
    batchSize: 256,
    weightLr: 0.1,
    alphaLr: 6e-4,
    alphaWarmupEpochs: 15,
  },
};

/**
 * The options of a search, defaults filled in.
 * @param rules those that may decide
 * @example PC-DARTS' recipe on fewer channels
 * ```ts
 * import { resolveSearchConfig, SEARCH_PRESETS } from "../../mod.ts";
 * const { initChannels, partialChannels, momentum } = resolveSearchConfig({ ...SEARCH_PRESETS["pc-darts"], initChannels: 8 });
 * console.assert(initChannels === 8 && partialChannels === 4 && momentum === 0.9);
 * ```
 * @throws {UsageError} for an unknown key, naming the nearest one, and for a value that an option does not take.
 */
export function resolveSearchConfig(
  options: SearchOptions = {},
  rules: readonly Pick<Rule, "name" | "needs">[] = RULES,
): SearchConfig {
  return resolveSearchLayers([SEARCH_OPTIONS.objectLayer(options)], rules);
}

/**
 * Defaults, then the layers (preset, file, flags).
 * @param rules those that may decide
 * @throws {UsageError} for an unknown key or value.
 */
export function resolveSearchLayers(
  layers: readonly Layer[],
  rules: readonly Pick<Rule, "name" | "needs">[] = RULES,
): SearchConfig {
  const names = rules.map(({ name }) => name);
  const config = SEARCH_OPTIONS.withChoices("discretizer", names).resolve(layers) as SearchConfig;
  if (config.alphaWarmupEpochs >= config.epochs) {
    throw optionError({
      key: "alpha-warmup-epochs",
      must: text`less than ${option("epochs")} ${config.epochs}, so that the architecture is searched at all`,
      value: config.alphaWarmupEpochs,
    });
  }
  if (config.weightLrMin > config.weightLr) {
    throw optionError({
      key: "weight-lr-min",
      must: text`at most ${option("weight-lr")} ${config.weightLr}`,
      value: config.weightLrMin,
    });
  }
  checkKeep(resolveSpace(config.space), config.keep);
  checkStopping(config, rules);
  return config;
}

/**
 * Checks that a search can be ended by what its rule picks, if it is to be.
 * @param rules those that decide
 * @throws {UsageError} for a rule that does not decide after each epoch
 */
function checkStopping(config: SearchConfig, rules: readonly Pick<Rule, "name" | "needs">[]): void {
  const { stopSkips, stopStableEpochs, discretizer } = config;
  const stop = stopSkips !== null ? "stop-skips" : stopStableEpochs !== null ? "stop-stable-epochs" : null;
  if (stop === null || !rules.find(({ name }) => name === discretizer)?.needs?.includes("removals")) return;
  const rule = option("discretizer");
  throw new UsageError(
    text`Cannot use ${option(stop)} with ${rule} ${discretizer}, which does not decide after each epoch`,
    {
      option: stop,
      remedies: [{ kind: "rediscretize", method: discretizer }],
    },
  );
}
