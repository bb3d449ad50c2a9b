/**
 * The graph input `hyper` of the optimisers (`ops/hyper.ts`) and its values: learning rates are written before each step,
 * everything that stays the same is baked into the programs.
 * @module
 */
import type { Graph, Tensor } from "../graph/graph.ts";
import { dense } from "../graph/tensor_type.ts";
import { HYPER_LENGTH, HYPER_NAMES } from "../ops/hyper.ts";

/** Numbers of a step by name. */
export type Hyper = Readonly<Record<typeof HYPER_NAMES[number], number>>;

/** The input of a graph. */
export function hyperInput(graph: Graph): Tensor {
  return graph.input("hyper", dense([HYPER_LENGTH]));
}

/** Values for the input; numbers that are left out are 0. */
export function hyperValues(hyper: Partial<Hyper>): Float32Array<ArrayBuffer> {
  const values = new Float32Array(HYPER_LENGTH);
  HYPER_NAMES.forEach((name, i) => values[i] = hyper[name] ?? 0);
  return values;
}
