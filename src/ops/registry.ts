/**
 * The only list of operations. Tests, the plan printer and `doctor` iterate it.
 * @module
 */
import type { OpSpec } from "../graph/op.ts";
import { addN } from "./add_n.ts";

/** Every operation of the graph runtime. */
export const OPERATIONS: readonly OpSpec[] = [addN];
