/**
 * The second-order architecture gradient of DARTS (arXiv 1806.09055, equations 6 to 8): the alphas are judged by the
 * weights that one training step would give, w' = w - xi (mu m + grad_w L_train + wd w), the step without clipping:
 *
 *     grad_alpha L_val(w', alpha) - xi [grad_alpha L_train(w+, alpha) - grad_alpha L_train(w-, alpha)] / (2 eps)
 *     w+- = w +- eps v,   v = grad_w' L_val(w', alpha),   eps = 0.01 / ||v||
 *
 * The difference quotient stands for the mixed second derivative of L_train times v. Four programs, each one pass
 * over a batch; the norm of v stays on the device, and the weights are only read: w', w+ and w- lie one after the other
 * in an arena of their own. Not responsible for what the losses are nor for how the alphas are updated.
 * @module
 */
import { gradients } from "../graph/autodiff.ts";
import type { Graph, Tensor } from "../graph/graph.ts";
import { dense } from "../graph/tensor_type.ts";
import { Arena } from "../graph/variables.ts";
import { sum } from "../ops/add_n.ts";
import { combine, type Term } from "../ops/combine.ts";
import { squareSum } from "../ops/square_sum.ts";
import { hyperInput } from "./hyper.ts";

/** Length of the step to w+ and w-, as in DARTS' code. */
const REACH = 0.01;

/** Name of one of the programs. */
export type SecondOrderProgram = "unroll" | "look_ahead" | "alpha_plus" | "alpha_minus";

/** Names of the programs in order, each with the batch that it runs on. */
export const SECOND_ORDER_PROGRAMS: readonly (readonly [SecondOrderProgram, "train" | "val"])[] = [
  ["unroll", "train"],
  ["look_ahead", "val"],
  ["alpha_plus", "train"],
  ["alpha_minus", "train"],
];

/** A loss in a new graph. */
export interface BuiltLoss {
  /** The graph; the learning rate xi is `weightLr` of its {@linkcode hyperInput}. */
  readonly graph: Graph;
  /** What is differentiated. */
  readonly loss: Tensor;
  /** Weight of each element of the loss; null: 1, for a loss of one element. */
  readonly seed: Tensor | null;
}

/** A bilevel problem. */
export interface Bilevel {
  /** The weights w. */
  readonly weights: Arena;
  /** SGD's momenta, at the same offsets. */
  readonly momentum: Arena;
  /** Scratch for gradients of the weights, at the same offsets. */
  readonly gradients: Arena;
  /** The architecture. */
  readonly alphas: Arena;
  /** Where its gradient goes, at the same offsets. */
  readonly alphaGradients: Arena;
  /** SGD's constants. */
  readonly optimizer: { readonly momentum: number; readonly weightDecay: number };
  /** Builds L_train or L_val with its weights in the arena `weights`, which is like the real one. */
  readonly loss: (split: "train" | "val", weights: Arena) => BuiltLoss;
  /** Finishes a program; the last one still has to update the alphas by `alphaGradients`. */
  readonly finish: (name: SecondOrderProgram, built: BuiltLoss) => void;
}

/** Builds the four programs. @returns the arenas that they have for themselves. */
export function addSecondOrder(problem: Bilevel): readonly Arena[] {
  const { weights, momentum, gradients: grads, alphas, alphaGradients, optimizer, finish } = problem;
  const unrolled = weights.like("unrolled"), norms = new Arena("ahead_norm"), norm = norms.add("square", dense([1]));
  const [ahead, plus, minus] = ["alpha_ahead", "alpha_plus", "alpha_minus"].map((name) => alphas.like(name));

  /** Writes the gradients of a loss into arenas: [what to differentiate by, where its gradients go]. */
  const differentiate = ({ graph, loss, seed }: BuiltLoss, ...wrt: readonly (readonly [Arena, Arena])[]): void => {
    const all = wrt.flatMap(([of, into]) => of.units.map((v) => [v, into.get(v.name)] as const));
    gradients(graph, [loss], [seed], all.map(([v]) => graph.variable(v)), (ts, label) => sum(graph, ts, label))
      .forEach((g, i) => g && graph.place(g, all[i][1]));
  };
  /** Writes a combination of whole arenas into another one. */
  const write = (graph: Graph, into: Arena, parts: readonly (readonly [Arena, Term])[], label: string): void => {
    const terms = parts.map(([, term]) => term), inputs = parts.map(([arena]) => graph.variable(arena.whole()));
    if (terms.some((t) => t.rate)) inputs.push(hyperInput(graph));
    if (terms.some((t) => t.norm)) inputs.push(graph.variable(norm));
    graph.place(graph.apply1(combine, inputs, { terms }, label), into.whole());
  };
  const build = (index: number, weightsOf: Arena, body: (built: BuiltLoss) => void): void => {
    const [name, split] = SECOND_ORDER_PROGRAMS[index], built = problem.loss(split, weightsOf);
    body(built);
    finish(name, built);
  };

  build(0, weights, (built) => {
    differentiate(built, [weights, grads]);
    write(built.graph, unrolled, [
      [weights, { factor: 1 }],
      [weights, { factor: -optimizer.weightDecay, rate: true }],
      [grads, { factor: -1, rate: true }],
      [momentum, { factor: -optimizer.momentum, rate: true }],
    ], "unrolled");
  });
  build(1, unrolled, (built) => {
    const { graph } = built;
    differentiate(built, [unrolled, grads], [alphas, ahead]);
    graph.place(graph.apply1(squareSum, [graph.variable(grads.whole())], null, "norm"), norm);
    write(graph, unrolled, [[weights, { factor: 1 }], [grads, { factor: REACH, norm: -1 }]], "plus");
  });
  build(2, unrolled, (built) => {
    differentiate(built, [alphas, plus]);
    write(built.graph, unrolled, [[weights, { factor: 1 }], [grads, { factor: -REACH, norm: -1 }]], "minus");
  });
  build(3, unrolled, (built) => {
    differentiate(built, [alphas, minus]);
    const quotient = 1 / (2 * REACH); // times the norm: 1 / (2 eps)
    write(built.graph, alphaGradients, [
      [ahead, { factor: 1 }],
      [plus, { factor: -quotient, rate: true, norm: 1 }],
      [minus, { factor: quotient, rate: true, norm: 1 }],
    ], "second_order");
  });
  return [unrolled, ahead, plus, minus, norms];
}
