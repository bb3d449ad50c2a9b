/**
 * The last step of every weight gradient: partial sums added in a fixed order.
 * @module
 */
import { reducePartials as source } from "./shader_texts.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { type Dispatch, dispatch, output, scratch } from "../graph/op.ts";
import { grid } from "./launch.ts";

const shader = kernel("reduce_partials", source, {
  buffers: { partial: read("f32"), y: write("f32") },
  params: {
    count: "u32",
    parts: "u32",
    blockRows: "u32",
    blockColumns: "u32",
    columns: "u32",
    gridX: "u32",
    length: "u32",
    stride: "u32",
    offset: "u32",
  },
});

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
  const length = Math.ceil(sizes.count / 4) * 4, { workgroups, GRID_X } = grid(length, 64);
  const { count, parts, blockRows, blockColumns, columns, stride = blockRows * blockColumns, from = 0 } = sizes;
  return dispatch(shader, {
    buffers: { partial: scratch(0), y: to },
    params: {
      ...{ count, parts, columns, length, stride },
      ...{ blockRows, blockColumns, gridX: GRID_X, offset: from },
    },
    workgroups,
  });
}
