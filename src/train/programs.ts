/**
 * The programs that train a derived network, planned together on one pool of buffers: the step and the evaluation with
 * running statistics. Planning needs no device, so what a training will cost is known before it starts.
 * @module
 */
import { Graph, type Tensor } from "../graph/graph.ts";
import { type PlanTarget, Pool } from "../graph/plan.ts";
import { plannedBytes } from "../graph/buffers.ts";
import { dense } from "../graph/tensor_type.ts";
import { Builder } from "../nn/layers.ts";
import { tallyArena } from "../nn/state.ts";
import { NetworkVariables } from "../nn/variables.ts";
import { addWeightStep, finishProgram } from "../nn/weight_step.ts";
import { accumulateTally } from "../ops/accumulate_tally.ts";
import { crossEntropy } from "../ops/cross_entropy.ts";
import type { EnginePlan } from "../run/engine.ts";
import {
  buildNetwork,
  checkNetwork,
  dropPathRows,
  type NetworkConfig,
  networkImages,
  networkLabels,
} from "../space/derived.ts";
import type { TrainConfig } from "./config.ts";

/** The planned programs of a training: `train_step` and `evaluate`. */
export interface TrainPlan extends EnginePlan {
  /** The network. */
  readonly network: NetworkConfig;
  /** Images per step. */
  readonly batch: number;
  /** Weight of the auxiliary loss. */
  readonly auxiliaryWeight: number;
  /** Paths that may be dropped, rows of the graph input `drop_mask`; 0: there is no such input. */
  readonly paths: number;
  /** Weights without the auxiliary classifier: what the finished network has. */
  readonly parameters: number;
}

/** True for the variables of the auxiliary classifier, which exist in training only. */
export function isAuxiliary(name: string): boolean {
  return name.startsWith("auxiliary.");
}

/**
 * Builds, differentiates and plans the programs.
 * @throws {UsageError} when the network cannot be built; {FailureError} when the adapter cannot bind a tensor.
 */
export function planTraining(
  network: NetworkConfig,
  batch: number,
  config: TrainConfig,
  limits: PlanTarget,
): TrainPlan {
  const { labelSmoothing, auxiliaryWeight, cutmix } = config, auxiliary = auxiliaryWeight > 0;
  checkNetwork(network, auxiliary);
  const variables = new NetworkVariables(), metrics = tallyArena(["train", "auxiliary", "eval"]), pool = new Pool();
  const paths = config.dropPath > 0 ? dropPathRows(network) : 0;
  const lossOf = (graph: Graph, logits: Tensor, targets: Tensor[], metric: string, labelSmoothing: number) => {
    const [loss, tally] = graph.apply(crossEntropy, [logits, ...targets], { labelSmoothing }, `${metric}.loss`);
    return { loss, tally: graph.apply1(accumulateTally, [tally, graph.variable(metrics.get(metric))], null, metric) };
  };

  const graph = new Graph(config.precision), targets = [networkLabels(graph, batch)];
  if (cutmix > 0) targets.push(graph.input("others", dense([batch], "i32")), graph.input("shares", dense([batch])));
  const dropMask = paths > 0 ? graph.input("drop_mask", dense([paths, batch])) : null;
  const images = networkImages(graph, network, batch), builder = new Builder(graph, variables, true);
  const net = buildNetwork(builder, network, images, { auxiliary, dropMask });
  const main = lossOf(graph, net.logits, targets, "train", labelSmoothing);
  const losses = [main.loss], seeds: (Tensor | null)[] = [null], roots = [main.tally];
  if (net.auxiliary) {
    const side = lossOf(graph, net.auxiliary, targets, "auxiliary", labelSmoothing);
    losses.push(side.loss);
    seeds.push(graph.input("auxiliary_weight", dense([1])));
    roots.push(side.tally);
  }
  const { gradients, momentum, factors, roots: updates } = addWeightStep(graph, variables, losses, seeds, config);
  const results: Record<string, Tensor> = { logits: net.logits };
  if (net.auxiliary) results.auxiliary = net.auxiliary;
  const step = finishProgram("train_step", graph, [...roots, ...updates], results, limits, pool);

  const frozen = new Graph(config.precision), inference = new Builder(frozen, variables, false);
  const { logits } = buildNetwork(inference, network, networkImages(frozen, network, batch));
  const { tally } = lossOf(frozen, logits, [networkLabels(frozen, batch)], "eval", 0);
  const evaluate = finishProgram("evaluate", frozen, [tally], { logits }, limits, pool);

  const plans = [step.plan, evaluate.plan], { weights, statistics, running } = variables;
  const spare = weights.variables.filter((v) => isAuxiliary(v.name));
  return {
    network,
    batch,
    auxiliaryWeight,
    paths,
    variables,
    parameters: weights.elements - spare.reduce((n, v) => n + v.type.shape.reduce((a, b) => a * b, 1), 0),
    arenas: { weights, gradients, momentum, statistics, running, factors, metrics },
    state: [weights, momentum, running, metrics],
    trains: "network",
    plans,
    pool,
    bytes: plannedBytes(plans, pool),
  };
}
