/**
 * What every program that trains weights ends with: gradients of all weights, clipping, SGD or Muon, and the running
 * statistics of the batch norms. And the passes that every finished graph goes through.
 * @module
 */
import { gradients } from "../graph/autodiff.ts";
import type { Graph, Tensor } from "../graph/graph.ts";
import type { OpSpec } from "../graph/op.ts";
import { dropUnused, shareSubexpressions, validate } from "../graph/passes.ts";
import { type Plan, planProgram, type PlanTarget, type Pool } from "../graph/plan.ts";
import type { Arena } from "../graph/variables.ts";
import { sum } from "../ops/add_n.ts";
import { muon } from "../ops/muon.ts";
import { runningUpdate } from "../ops/running_update.ts";
import { sgd, type SgdAttributes } from "../ops/sgd.ts";
import { squareSum } from "../ops/square_sum.ts";
import { fuseBatchNorms } from "./fuse_batch_norms.ts";
import { fuseGradientSums } from "./fuse_gradient_sums.ts";
import { fuseNorms } from "./fuse_norms.ts";
import { hyperInput } from "./hyper.ts";
import type { NetworkVariables } from "./variables.ts";

/** Momentum of the running statistics, PyTorch's default. */
const RUNNING_MOMENTUM = 0.1;

/** How weights are updated. */
export const OPTIMIZERS = ["sgd", "muon"] as const;

/** Learning rate of Muon beside that of SGD: an update of a matrix is so long whatever the gradient is. */
const MUON_SCALE = 0.2;

/** What updates weights, and its numbers. */
export interface Optimizer extends Omit<SgdAttributes, "spans"> {
  /** SGD for all weights if left out; with Muon it is for those that are no matrices. */
  readonly optimizer?: typeof OPTIMIZERS[number];
}

/** What a weight step needs besides the weights. */
export interface WeightStep {
  /** Gradients, at the offsets of the weights. */
  readonly gradients: Arena;
  /** The momenta of SGD and Muon. */
  readonly momentum: Arena;
  /** Factors that make batch variances unbiased; write {@linkcode NetworkVariables.runningFactors} into it. */
  readonly factors: Arena;
  /** What the program must keep. */
  readonly roots: readonly Tensor[];
}

/**
 * Differentiates `losses`, weighted by `seeds` (null: 1), by every weight, and updates the weights and the running
 * statistics. The learning rate is `weightLr` of {@linkcode hyperInput}. Call it when all variables are declared.
 */
export function addWeightStep(
  graph: Graph,
  variables: NetworkVariables,
  losses: readonly Tensor[],
  seeds: readonly (Tensor | null)[],
  { optimizer, momentum: rate, weightDecay, clip }: Optimizer,
): WeightStep {
  const { weights, statistics, running } = variables;
  const grads = weights.like("gradients"), momentum = weights.like("momentum"), factors = statistics.like("factors");
  const leaves = weights.units.map((v) => graph.variable(v));
  gradients(graph, losses, seeds, leaves, (ts, label) => sum(graph, ts, label))
    .forEach((g, i) => g && graph.place(g, grads.get(weights.units[i].name)));
  const whole = (arena: Arena): Tensor => graph.variable(arena.whole()), hyper = hyperInput(graph);
  const norm = graph.apply1(squareSum, [whole(grads)], null, "clip");
  let updated: readonly Tensor[] = [whole(weights), whole(momentum)];
  const update = <A>(op: OpSpec<A>, attrs: A): void => {
    const [params, momenta] = updated;
    updated = graph.apply(op, [params, whole(grads), momenta, norm, hyper], attrs, op.name);
  };
  const { matrices, others: spans } = variables, sgdAttrs = { momentum: rate, weightDecay, clip };
  if (optimizer === "muon" && matrices.length > 0) {
    // To what SGD's decay, in the gradients, comes by and by.
    update(muon, { ...sgdAttrs, weightDecay: weightDecay / (1 - rate), scale: MUON_SCALE, matrices });
    if (spans.length > 0) update(sgd, { ...sgdAttrs, spans });
  } else update(sgd, sgdAttrs);
  const moved = graph.apply1(
    runningUpdate,
    [whole(statistics), whole(factors), whole(running)],
    { momentum: RUNNING_MOMENTUM },
    "running",
  );
  return { gradients: grads, momentum, factors, roots: [moved, ...updated] };
}

/**
 * Cleans a finished graph up and plans it.
 * @returns the plan, and how many nodes the shared-subexpression pass removed.
 */
export function finishProgram(
  name: string,
  graph: Graph,
  roots: readonly Tensor[],
  results: Readonly<Record<string, Tensor>>,
  limits: PlanTarget,
  pool: Pool,
): { plan: Plan; shared: number } {
  const shared = shareSubexpressions(graph);
  const all = [...roots, ...Object.values(results)];
  dropUnused(graph, all);
  fuseNorms(graph, all);
  fuseBatchNorms(graph, all);
  fuseGradientSums(graph, all);
  validate(graph);
  return { plan: planProgram(name, graph, results, limits, pool), shared };
}
