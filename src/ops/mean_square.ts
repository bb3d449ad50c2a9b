/**
 * Mean of squares, for the norms of nodes.
 * @module
 */
import source from "../../shaders/mean_square.wgsl" with { type: "text" };
import { input, type OpSpec, output, scratch } from "../graph/op.ts";
import { dense, elementCount, image, storageLength } from "../graph/tensor_type.ts";
import { expectImage, expectInputs } from "./expect.ts";

const shader = { name: "mean_square", source };

/** Image `[C, N, H, W]` -> `[1]`, the mean of the squares of its elements. Not differentiable. */
export const meanSquare: OpSpec<null> = {
  name: "mean_square",
  infer(inputs) {
    expectInputs(inputs, ["x"]);
    expectImage(inputs[0], "x");
    return [dense([1])];
  },
  kernels({ inputs: [x] }) {
    const LENGTH = storageLength(x) / 4;
    const CHUNK = Math.max(16, Math.ceil(LENGTH / 16384));
    const PARTIALS = Math.ceil(LENGTH / (64 * CHUNK)) * 64;
    const params = [PARTIALS, CHUNK, LENGTH, elementCount(x)];
    return {
      scratch: [PARTIALS],
      dispatches: [
        {
          shader,
          constants: { LANES: 64, LAST: false },
          bindings: [input(0), scratch(0)],
          params,
          workgroups: [PARTIALS / 64, 1, 1],
        },
        {
          shader,
          constants: { LANES: 64, LAST: true },
          bindings: [scratch(0), output(0)],
          params,
          workgroups: [1, 1, 1],
        },
      ],
    };
  },
  reference: ([x]) => [
    Float64Array.of(x.reduce((sum, v) => sum + v * v, 0) / x.length),
  ],
  cases: () =>
    [image(3, 2, 7, 7), image(1, 1, 5, 9), image(40, 9, 15, 13)].map((
      type,
    ) => ({ name: type.shape.join(" x "), inputs: [type], attrs: null })),
};
