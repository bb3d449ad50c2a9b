/**
 * The programs of a search, planned together on one pool of buffers: the alpha step, the weight step, evaluation, and
 * the statistics for the discretisers. Planning needs no device, so what a search will cost is known before it starts.
 * @module
 */
import { gradients } from "../graph/autodiff.ts";
import { Graph, type Tensor } from "../graph/graph.ts";
import { type Plan, type PlanTarget, Pool } from "../graph/plan.ts";
import { plannedBytes } from "../graph/buffers.ts";
import { dense } from "../graph/tensor_type.ts";
import { Arena } from "../graph/variables.ts";
import { BN_EPS, Builder } from "../nn/layers.ts";
import { hyperInput } from "../nn/hyper.ts";
import { tallyArena } from "../nn/state.ts";
import { NetworkVariables } from "../nn/variables.ts";
import { addSecondOrder, SECOND_ORDER_PROGRAMS, type SecondOrderProgram } from "../nn/second_order.ts";
import { addWeightStep, finishProgram, type WeightStep } from "../nn/weight_step.ts";
import { accumulateTally } from "../ops/accumulate_tally.ts";
import { adam } from "../ops/adam.ts";
import { sum } from "../ops/add_n.ts";
import { crossEntropy } from "../ops/cross_entropy.ts";
import { gram } from "../ops/gram.ts";
import { meanSquare } from "../ops/mean_square.ts";
import type { EngineArenas, EnginePlan } from "../run/engine.ts";
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
import type { SearchConfig } from "./config.ts";

/** Epsilon of Adam, PyTorch's default. */
const ADAM_EPS = 1e-8;

/** Everything that outlives a step, by purpose. */
export interface SearchArenas extends EngineArenas {
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
export interface SearchPlan extends EnginePlan {
  /** The supernet. */
  readonly config: SupernetConfig;
  /** Everything that outlives a step. */
  readonly arenas: SearchArenas;
  /** Further ones, of second-order gradients. */
  readonly ahead: readonly Arena[];
  /** Programs that make an alpha step, in order, each with the batch that it runs on. */
  readonly alphaStep: readonly (readonly [program: ProgramName, batch: "train" | "val"])[];
  /** Intermediate nodes in the order of the statistics. */
  readonly nodes: readonly BuiltNode[];
  /** Nodes removed by the shared-subexpression pass, per program. */
  readonly shared: Readonly<Partial<Record<ProgramName, number>>>;
}

/** Name of a node's variables in the arenas of statistics. */
export function nodeName(node: { cell: number; node: number }): string {
  return `${node.cell}.${node.node}`;
}

/** What the builders of the programs share while a search is planned. */
class SearchPlanner {
  readonly variables = new NetworkVariables();
  readonly metrics = tallyArena(["train", "val", "eval"]);
  readonly alphas: Arena;
  readonly alphaGradients: Arena;
  readonly alphaM: Arena;
  readonly alphaV: Arena;
  readonly mixture = new Arena("mixture");
  readonly grams = new Arena("grams");
  readonly norms = new Arena("norms");
  readonly pool = new Pool();
  readonly plans: Plan[] = [];
  readonly shared: Partial<Record<ProgramName, number>> = {};
  readonly #kinds: readonly CellKind[];

  constructor(readonly config: SupernetConfig, readonly optimizer: SearchConfig, readonly limits: PlanTarget) {
    this.alphas = alphaArena(config);
    [this.alphaGradients, this.alphaM, this.alphaV] = ["alpha_gradients", "alpha_m", "alpha_v"]
      .map((name) => this.alphas.like(name));
    this.#kinds = skeletonOf(config.space).kinds;
  }

  /** Something of every kind of cell. */
  #perKind(of: (kind: CellKind) => Tensor): CellWeights {
    return Object.fromEntries(this.#kinds.map((kind) => [kind, of(kind)]));
  }

  /** The weights of the mixed operations, from the architecture. */
  #softened(graph: Graph): CellWeights {
    return this.#perKind((kind) => mixtureOf(graph, this.config, this.alphas, kind));
  }

  /** A supernet in a new graph. @param weights of its mixed operations; those of the architecture if left out. */
  #build(training: boolean, network = this.variables, weights = (graph: Graph) => this.#softened(graph)): Built {
    const { config } = this, graph = new Graph(config.precision), builder = new Builder(graph, network, training);
    const { images, labels } = supernetInputs(graph, config);
    return { graph, labels, net: buildSupernet(builder, config, images, weights(graph)) };
  }

  /** The loss of a supernet, counted in the tally `metric`. */
  #loss({ graph, net, labels }: Built, metric: "train" | "val" | "eval"): { loss: Tensor; tally: Tensor } {
    const attrs = { labelSmoothing: metric === "train" ? this.optimizer.labelSmoothing : 0 };
    const [loss, tally] = graph.apply(crossEntropy, [net.logits, labels], attrs, "loss");
    const variable = graph.variable(this.metrics.get(metric));
    return { loss, tally: graph.apply1(accumulateTally, [tally, variable], null, metric) };
  }

  #finish(name: ProgramName, graph: Graph, roots: Tensor[], results: Record<string, Tensor> = {}): void {
    const finished = finishProgram(name, graph, roots, results, this.limits, this.pool);
    this.shared[name] = finished.shared;
    this.plans.push(finished.plan);
  }

  /** Trains the weights. Must come first: it declares every weight and statistic, so that their twins can be laid out. */
  weightStep(): WeightStep {
    const built = this.#build(true), { loss, tally } = this.#loss(built, "train"), { graph, net } = built;
    const update = addWeightStep(graph, this.variables, [loss], [null], this.optimizer);
    this.#finish("weight_step", graph, [tally, ...update.roots], { logits: net.logits });
    return update;
  }

  /** Adam's update of the architecture by its gradients. */
  #updateAlphas(graph: Graph): Tensor[] {
    const { alphaBeta1: beta1, alphaBeta2: beta2, alphaWeightDecay: weightDecay } = this.optimizer;
    const states = [this.alphas, this.alphaGradients, this.alphaM, this.alphaV];
    const inputs = [...states.map((arena) => graph.variable(arena.whole())), hyperInput(graph)];
    return graph.apply(adam, inputs, { beta1, beta2, eps: ADAM_EPS, weightDecay }, "adam");
  }

  /** Trains the architecture by the loss on validation images. */
  alphaStep(): void {
    const { alphas, alphaGradients } = this, built = this.#build(true), { graph } = built;
    const { loss, tally } = this.#loss(built, "val"), leaves = alphas.units.map((v) => graph.variable(v));
    gradients(graph, [loss], [null], leaves, (ts, label) => sum(graph, ts, label))
      .forEach((g, i) => g && graph.place(g, alphaGradients.get(alphas.units[i].name)));
    this.#finish("alpha_step", graph, [tally, ...this.#updateAlphas(graph)]);
  }

  /** The same with gradients of second order. @returns the arenas that they need. */
  secondOrderAlphaStep({ momentum, gradients }: WeightStep): readonly Arena[] {
    const { variables, alphas, alphaGradients, optimizer } = this, { weights } = variables;
    let kept: Tensor[] = [];
    return addSecondOrder({
      weights,
      momentum,
      gradients,
      alphas,
      alphaGradients,
      optimizer,
      loss: (split, arena) => {
        const built = this.#build(true, arena === weights ? variables : new NetworkVariables(variables, arena));
        const { loss, tally } = this.#loss(built, split);
        kept = split === "val" ? [tally] : []; // training losses are counted by the weight step
        return { graph: built.graph, loss, seed: null };
      },
      finish: (name, { graph }) =>
        this.#finish(name, graph, [...kept, ...name === "alpha_minus" ? this.#updateAlphas(graph) : []]),
    });
  }

  /** Makes the weights that the evaluation mixes with. */
  soften(): void {
    const graph = new Graph(), softened = this.#softened(graph);
    for (const kind of this.#kinds) graph.place(softened[kind]!, this.mixture.add(kind, softened[kind]!.type));
    this.#finish("soften", graph, []);
  }

  /** Evaluates with running statistics. */
  evaluate(): void {
    const given = (graph: Graph) => this.#perKind((kind) => graph.variable(this.mixture.get(kind)));
    const built = this.#build(false, this.variables, given), { tally } = this.#loss(built, "eval");
    this.#finish("evaluate", built.graph, [tally], { logits: built.net.logits });
  }

  /** Measures every node. @returns them. */
  statistics(): readonly BuiltNode[] {
    const { graph, net: { nodes } } = this.#build(true);
    for (const node of nodes) {
      const name = nodeName(node), inputs = node.candidates.flatMap((c) => c.stats ? [c.z, c.stats] : [c.z]);
      const matrix = graph.apply1(gram, [...inputs, node.sum], {
        candidates: node.candidates.map((c) => ({ stats: c.stats !== null, group: c.group })),
        channels: node.sum.type.shape[0],
        eps: BN_EPS,
      }, `cells.${name}/gram`);
      graph.place(matrix, this.grams.add(name, matrix.type));
      const square = graph.apply1(meanSquare, [node.output], null, `cells.${name}/norm`);
      graph.place(square, this.norms.add(name, dense([1])));
    }
    this.#finish("statistics", graph, []);
    return nodes;
  }
}

/** A supernet in a graph of its own. */
interface Built {
  readonly graph: Graph;
  readonly labels: Tensor;
  readonly net: BuiltSupernet;
}

/**
 * Builds, differentiates and plans the programs.
 * @throws {UsageError} when the supernet cannot be built; {FailureError} when the adapter cannot bind a tensor.
 */
export function planSearch(config: SupernetConfig, optimizer: SearchConfig, limits: PlanTarget): SearchPlan {
  checkSupernet(config);
  const planner = new SearchPlanner(config, optimizer, limits), { variables, pool, plans, shared } = planner;
  const update = planner.weightStep(), second = optimizer.order === 2;
  const ahead = second ? planner.secondOrderAlphaStep(update) : [];
  if (!second) planner.alphaStep();
  planner.soften();
  planner.evaluate();
  const nodes = planner.statistics();
  const { weights, running, statistics } = variables, { momentum, gradients, factors } = update;
  const { alphas, alphaGradients, alphaM, alphaV, mixture, metrics, grams, norms } = planner;
  return {
    config,
    variables,
    arenas: {
      weights,
      gradients,
      momentum,
      statistics,
      running,
      factors,
      alphas,
      alphaGradients,
      alphaM,
      alphaV,
      mixture,
      metrics,
      grams,
      norms,
    },
    state: [weights, momentum, running, alphas, alphaM, alphaV, metrics],
    trains: "supernet",
    ahead,
    plans,
    alphaStep: second ? SECOND_ORDER_PROGRAMS : [["alpha_step", "val"]],
    pool,
    nodes,
    bytes: plannedBytes(plans, pool),
    shared,
  };
}
