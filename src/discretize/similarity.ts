/**
 * Discretiser `similarity`: no decorrelation, the ablation of the method.
 * @module
 */
import type { Correlation } from "./statistics.ts";

/** r itself, the correlation of each candidate with the node's raw sum. */
export function similarity(correlation: Correlation): Float64Array {
  return correlation.withNode;
}
