/**
 * Sum of squares of a flat arena: the squared norm of all gradients, for clipping.
 * @module
 */
import { squareSum as source } from "./shader_texts.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { as, dispatch, input, type OpSpec, output, scratch } from "../graph/op.ts";
import { dense, storageLength } from "../graph/tensor_type.ts";
import { manyWorkgroups } from "./channel.ts";

const shader = kernel("square_sum", source, { buffers: { x: read(["vec4f", "f32"]), y: write("f32") } });

/** `x [L] -> [1]`: the sum of its squares, in a fixed order. */
export const squareSum: OpSpec<null> = {
  name: "square_sum",
  infer([x]) {
    if (x?.layout !== "dense" || x.dtype !== "f32") {
      throw new RangeError("x must be a dense f32 tensor");
    }
    return [dense([1])];
  },
  kernels({ inputs: [x] }) {
    const LENGTH = storageLength(x) / 4;
    const { groups, ...strands } = manyWorkgroups(LENGTH);
    const single = groups === 1;
    const first = dispatch(shader, {
      constants: { LENGTH, ...strands, SUM: false, LAST: single },
      buffers: { x: input(0), y: single ? output(0) : scratch(0) },
      workgroups: [groups, 1, 1],
    });
    if (single) return { dispatches: [first] };
    return {
      scratch: [groups],
      dispatches: [
        first,
        dispatch(shader, {
          constants: { LENGTH: groups, SIZE: 64, SUM: true, LAST: true },
          buffers: { x: as("f32", scratch(0)), y: output(0) },
          workgroups: [1, 1, 1],
        }),
      ],
    };
  },
  reference: ([x]) => [Float64Array.of(x.reduce((a, v) => a + v * v, 0))],
  cases: () =>
    [1, 4096, 10_007, 300_001, 2_200_000].map((length) => ({
      name: `${length} elements`,
      inputs: [dense([length])],
      attrs: null,
    })),
};
