/**
 * The programs of a search, planned together on one pool of buffers: the alpha step, the weight step, evaluation, and
 * the statistics for the discretisers. Planning needs no device, so what a search will cost is known before it starts.
 * @module
 */
import type { GpuLimits } from "../gpu/device.ts";
import { gradients } from "../graph/autodiff.ts";
import { Graph, type Tensor } from "../graph/graph.ts";
import { type Plan, Pool } from "../graph/plan.ts";
import { plannedBytes } from "../graph/buffers.ts";
import { dense } from "../graph/tensor_type.ts";
import { Arena } from "../graph/variables.ts";
import { BN_EPS, Builder } from "../nn/layers.ts";
import { tallyArena } from "../nn/state.ts";
import { NetworkVariables } from "../nn/variables.ts";
import { addSecondOrder, SECOND_ORDER_PROGRAMS, type SecondOrderProgram } from "../nn/second_order.ts";
import { addWeightStep, finishProgram } from "../nn/weight_step.ts";
import { accumulateTally } from "../ops/accumulate_tally.ts";
import { adam } from "../ops/adam.ts";
import { sum } from "../ops/add_n.ts";
import { crossEntropy } from "../ops/cross_entropy.ts";
import { gram } from "../ops/gram.ts";
import { meanSquare } from "../ops/mean_square.ts";
import { type CellKind, skeletonOf } from "../space/space.ts";
import {
  alphaArena,
  buildSupernet,
  type BuiltNode,
  type BuiltSupernet,
  type CellWeights,
  checkSupernet,
  mixtureOf,
  type SupernetConfig,
  supernetInputs,
} from "../space/supernet.ts";

/** Constants of the two optimisers and of the loss. Learning rates change from step to step and are inputs. */
export interface OptimizerConfig {
  /** Momentum of SGD. */
  readonly momentum: number;
  /** Weight decay of the weights. */
  readonly weightDecay: number;
  /** Largest global norm of the weights' gradient; 0 = no clipping. */
  readonly clip: number;
  /** Adam's beta 1. */
  readonly alphaBeta1: number;
  /** Adam's beta 2. */
  readonly alphaBeta2: number;
  /** Weight decay of the architecture. */
  readonly alphaWeightDecay: number;
  /** Label smoothing of the training loss. */
  readonly labelSmoothing: number;
  /** 2: architecture gradients look one weight step ahead (see `addSecondOrder`); 1 or left out: they do not. */
  readonly order?: number;
}

/** Epsilon of Adam, PyTorch's default. */
const ADAM_EPS = 1e-8;

/** Everything that outlives a step, by purpose. */
export interface SearchArenas {
  /** Weights of the operations. */
  readonly weights: Arena;
  /** Their gradients. */
  readonly gradients: Arena;
  /** Their momenta. */
  readonly momentum: Arena;
  /** Statistics of the batch norms in the last step. */
  readonly statistics: Arena;
  /** Running statistics. */
  readonly running: Arena;
  /** Factors that make batch variances unbiased. */
  readonly factors: Arena;
  /** Architecture parameters: alphas, and betas where edges have weights. */
  readonly alphas: Arena;
  /** Their gradients. */
  readonly alphaGradients: Arena;
  /** Adam's first moments. */
  readonly alphaM: Arena;
  /** Adam's second moments. */
  readonly alphaV: Arena;
  /** Weights of the mixed operations that `evaluate` runs with; `soften` makes them from the architecture. */
  readonly mixture: Arena;
  /** Tallies `train`, `val`, `eval` (see `accumulate_tally`). */
  readonly metrics: Arena;
  /** Gram matrix of every node, named `cell.node`. */
  readonly grams: Arena;
  /** Mean square of every node's output, named `cell.node`. */
  readonly norms: Arena;
}

/** Name of a program; `alpha_step` is of first-order searches. */
export type ProgramName = "weight_step" | "alpha_step" | "soften" | "evaluate" | "statistics" | SecondOrderProgram;

/** Names of all programs. */
export const PROGRAM_NAMES: readonly ProgramName[] = [
  "weight_step",
  "alpha_step",
  "soften",
  "evaluate",
  "statistics",
  ...SECOND_ORDER_PROGRAMS.map(([name]) => name),
];

/** The planned programs of a search. */
export interface SearchPlan {
  /** The supernet. */
  readonly config: SupernetConfig;
  /** Weights and statistics by name. */
  readonly variables: NetworkVariables;
  /** Everything that outlives a step. */
  readonly arenas: SearchArenas;
  /** Further ones, of second-order gradients. */
  readonly ahead: readonly Arena[];
  /** The programs. */
  readonly plans: readonly Plan[];
  /** Programs that make an alpha step, in order, each with the batch that it runs on. */
  readonly alphaStep: readonly (readonly [program: ProgramName, batch: "train" | "val"])[];
  /** Buffers that the programs share. */
  readonly pool: Pool;
  /** Intermediate nodes in the order of the statistics. */
  readonly nodes: readonly BuiltNode[];
  /** GPU bytes, all programs and optimiser state included. */
  readonly bytes: number;
  /** Nodes removed by the shared-subexpression pass, per program. */
  readonly shared: Readonly<Partial<Record<ProgramName, number>>>;
}

/** Name of a node's variables in the arenas of statistics. */
export function nodeName(node: { cell: number; node: number }): string {
  return `${node.cell}.${node.node}`;
}

/**
 * Builds, differentiates and plans the programs.
 * @throws {UsageError} when the supernet cannot be built; {FailureError} when the adapter cannot bind a tensor.
 */
export function planSearch(config: SupernetConfig, optimizer: OptimizerConfig, limits: GpuLimits): SearchPlan {
  checkSupernet(config);
  const variables = new NetworkVariables(), alphas = alphaArena(config);
  const metrics = tallyArena(["train", "val", "eval"]);
  const pool = new Pool(), plans: Plan[] = [], shared: Partial<Record<ProgramName, number>> = {};

  const { kinds } = skeletonOf(config.space);
  const perKind = (of: (kind: CellKind) => Tensor): CellWeights =>
    Object.fromEntries(kinds.map((kind) => [kind, of(kind)]));
  const soften = (graph: Graph) => perKind((kind) => mixtureOf(graph, config, alphas, kind));
  const start = (training: boolean, network = variables, weights = soften) => {
    const graph = new Graph(config.precision),
      builder = new Builder(graph, network, training),
      inputs = supernetInputs(graph, config);
    return { graph, inputs, net: buildSupernet(builder, config, inputs.images, weights(graph)) };
  };
  const lossOf = (
    graph: Graph,
    net: BuiltSupernet,
    labels: Tensor,
    metric: string,
  ): { loss: Tensor; tally: Tensor } => {
    const attrs = { labelSmoothing: metric === "train" ? optimizer.labelSmoothing : 0 };
    const [loss, tally] = graph.apply(crossEntropy, [net.logits, labels], attrs, "loss");
    return { loss, tally: graph.apply1(accumulateTally, [tally, graph.variable(metrics.get(metric))], null, metric) };
  };
  const finish = (name: ProgramName, graph: Graph, roots: Tensor[], results: Record<string, Tensor> = {}) => {
    const finished = finishProgram(name, graph, roots, results, limits, pool);
    shared[name] = finished.shared;
    plans.push(finished.plan);
  };
  const add = (ts: readonly Tensor[], label: string, graph: Graph) => sum(graph, ts, label);

  // The first build declares every weight and statistic, so that their twins can be laid out.
  const weightStep = start(true);
  const { loss, tally: trained } = lossOf(weightStep.graph, weightStep.net, weightStep.inputs.labels, "train");
  const update = addWeightStep(weightStep.graph, variables, [loss], [null], optimizer);
  finish("weight_step", weightStep.graph, [trained, ...update.roots], { logits: weightStep.net.logits });

  const alphaGrads = alphas.like("alpha_gradients"), alphaM = alphas.like("alpha_m"), alphaV = alphas.like("alpha_v");
  const updateAlphas = (graph: Graph): Tensor[] => {
    const whole = (arena: Arena) => graph.variable(arena.whole()), hyper = graph.input("hyper", dense([8]));
    const { alphaBeta1: beta1, alphaBeta2: beta2, alphaWeightDecay: weightDecay } = optimizer;
    return graph.apply(
      adam,
      [whole(alphas), whole(alphaGrads), whole(alphaM), whole(alphaV), hyper],
      { beta1, beta2, eps: ADAM_EPS, weightDecay },
      "adam",
    );
  };
  let ahead: readonly Arena[] = [];
  const second = optimizer.order === 2;
  if (second) {
    let kept: Tensor[] = [];
    ahead = addSecondOrder({
      weights: variables.weights,
      momentum: update.momentum,
      gradients: update.gradients,
      alphas,
      alphaGradients: alphaGrads,
      optimizer,
      loss(split, weights) {
        const network = weights === variables.weights ? variables : new NetworkVariables(variables, weights);
        const { graph, inputs, net } = start(true, network), { loss, tally } = lossOf(graph, net, inputs.labels, split);
        kept = split === "val" ? [tally] : []; // training losses are counted by the weight step
        return { graph, loss, seed: null };
      },
      finish: (name, { graph }) => finish(name, graph, [...kept, ...name === "alpha_minus" ? updateAlphas(graph) : []]),
    });
  } else {
    const { graph, inputs, net } = start(true), { loss, tally } = lossOf(graph, net, inputs.labels, "val");
    const leaves = alphas.units.map((v) => graph.variable(v));
    const grads = gradients(graph, [loss], [null], leaves, (ts, label) => add(ts, label, graph));
    grads.forEach((g, i) => g && graph.place(g, alphaGrads.get(alphas.units[i].name)));
    finish("alpha_step", graph, [tally, ...updateAlphas(graph)]);
  }
  const mixture = new Arena("mixture");
  {
    const graph = new Graph(), softened = soften(graph);
    for (const kind of kinds) graph.place(softened[kind]!, mixture.add(kind, softened[kind]!.type));
    finish("soften", graph, []);
  }
  {
    const given = (graph: Graph) => perKind((kind) => graph.variable(mixture.get(kind)));
    const { graph, inputs, net } = start(false, variables, given),
      { tally } = lossOf(graph, net, inputs.labels, "eval");
    finish("evaluate", graph, [tally], { logits: net.logits });
  }
  const grams = new Arena("grams"), norms = new Arena("norms"), { graph, net: { nodes } } = start(true);
  for (const node of nodes) {
    const name = nodeName(node), inputs = node.candidates.flatMap((c) => c.stats ? [c.z, c.stats] : [c.z]);
    const matrix = graph.apply1(gram, [...inputs, node.sum], {
      candidates: node.candidates.map((c) => ({ stats: c.stats !== null, group: c.group })),
      channels: node.sum.type.shape[0],
      eps: BN_EPS,
    }, `cells.${name}/gram`);
    graph.place(matrix, grams.add(name, matrix.type));
    graph.place(graph.apply1(meanSquare, [node.output], null, `cells.${name}/norm`), norms.add(name, dense([1])));
  }
  finish("statistics", graph, []);

  const arenas: SearchArenas = {
    weights: variables.weights,
    gradients: update.gradients,
    momentum: update.momentum,
    statistics: variables.statistics,
    running: variables.running,
    factors: update.factors,
    alphas,
    alphaGradients: alphaGrads,
    alphaM,
    alphaV,
    mixture,
    metrics,
    grams,
    norms,
  };
  const bytes = plannedBytes(plans, pool);
  const alphaStep = second ? SECOND_ORDER_PROGRAMS : [["alpha_step", "val"]] as const;
  return { config, variables, arenas, ahead, plans, alphaStep, pool, nodes, bytes, shared };
}
