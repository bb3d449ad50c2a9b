/**
 * The last step of every weight gradient: partial sums added in a fixed order.
 * @module
 */
import source from "../../shaders/reduce_partials.wgsl" with { type: "text" };
import { type Dispatch, output, scratch } from "../graph/op.ts";
import { linear } from "./launch.ts";

const shader = { name: "reduce_partials", source };

/**
 * Sums `parts` partial blocks of `blockRows` x `blockColumns` weights per block from scratch buffer 0 into
 * `to`; `columns` blocks form a row of weights, `count` weights in all. A partial block lies `from` elements after the
 * beginning of every `stride` (left out: 0, and as long as the block).
 */
export function reducePartials(
  sizes: {
    count: number;
    parts: number;
    blockRows: number;
    blockColumns: number;
    columns: number;
    stride?: number;
    from?: number;
  },
  to = output(0),
): Dispatch {
  const length = Math.ceil(sizes.count / 4) * 4, { workgroups, GRID_X } = linear(length, 64);
  const { count, parts, blockRows, blockColumns, columns, stride = blockRows * blockColumns, from = 0 } = sizes;
  return {
    shader,
    constants: {},
    bindings: [scratch(0), to],
    params: [count, parts, blockRows, blockColumns, columns, GRID_X, length, 0, stride, from, 0, 0],
    workgroups,
  };
}
