/**
 * The only list of operations. Tests, the plan printer and `doctor` iterate it.
 * @module
 */
import type { OpSpec } from "../graph/op.ts";
import { addN } from "./add_n.ts";
import { depthwise, depthwiseGrad, depthwiseInputGrad } from "./depthwise.ts";
import {
  mixed,
  mixedGradSums,
  mixedInputGrad,
  mixedWeightGrad,
} from "./mixed.ts";
import {
  pointwise,
  pointwiseInputGrad,
  pointwiseWeightGrad,
} from "./pointwise.ts";

/** Every operation of the graph runtime. */
export const OPERATIONS: readonly OpSpec[] = [
  addN,
  pointwise,
  pointwiseInputGrad,
  pointwiseWeightGrad,
  depthwise,
  depthwiseGrad,
  depthwiseInputGrad,
  mixed,
  mixedGradSums,
  mixedInputGrad,
  mixedWeightGrad,
];
