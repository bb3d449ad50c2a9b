/**
 * The numbers that change from step to step, by name: the graph input `hyper` of the optimisers. Learning rates are
 * written before each step, everything that stays the same is baked into the programs.
 * @module
 */
import type { Graph, Tensor } from "../graph/graph.ts";
import { dense } from "../graph/tensor_type.ts";

/** The numbers, in the order of the elements of `hyper`; `sgd` reads the first one, `adam` the others. */
const NAMES = ["weightLr", "alphaLr", "alphaCorrection1", "alphaCorrection2"] as const;

/** Elements of the input; those without a name are 0. */
const LENGTH = 8;

/**
 * Numbers of a step by name: learning rate of the weights (SGD); learning rate of the architecture (Adam), and Adam's
 * bias corrections 1 - beta1^t and 1 - beta2^t in its step t = 1, 2, ...
 */
export type Hyper = Readonly<Record<typeof NAMES[number], number>>;

/** The input of a graph. */
export function hyperInput(graph: Graph): Tensor {
  return graph.input("hyper", dense([LENGTH]));
}

/** Values for the input; numbers that are left out are 0. */
export function hyperValues(hyper: Partial<Hyper>): Float32Array<ArrayBuffer> {
  const values = new Float32Array(LENGTH);
  NAMES.forEach((name, i) => values[i] = hyper[name] ?? 0);
  return values;
}
