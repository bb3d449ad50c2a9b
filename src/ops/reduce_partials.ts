/**
 * The last step of every weight gradient: partial sums added in a fixed order.
 * @module
 */
import source from "../../shaders/reduce_partials.wgsl" with { type: "text" };
import { type Dispatch, output, scratch } from "../graph/op.ts";
import { linear } from "./launch.ts";

const shader = { name: "reduce_partials", source };

/**
 * Sums `parts` partial blocks of `blockRows` x `blockColumns` weights per block from scratch buffer 0 into output
 * `out`; `columns` blocks form a row of weights, `count` weights in all.
 */
export function reducePartials(
  sizes: {
    count: number;
    parts: number;
    blockRows: number;
    blockColumns: number;
    columns: number;
  },
  out = 0,
): Dispatch {
  const { workgroups, GRID_X } = linear(sizes.count, 64);
  return {
    shader,
    constants: {
      COUNT: sizes.count,
      T: sizes.parts,
      BO: sizes.blockRows,
      BI: sizes.blockColumns,
      COLUMNS: sizes.columns,
      GRID_X,
    },
    bindings: [scratch(0), output(out)],
    workgroups,
  };
}
