/**
 * Mirror images, left for right.
 * @module
 */
import { mirror as source } from "./shader_texts.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpCase, type OpSpec, output } from "../graph/op.ts";
import { image, rowPitch, storageLength } from "../graph/tensor_type.ts";
import { expectImage, expectInputs } from "./expect.ts";
import { grid } from "./launch.ts";

const shader = kernel("mirror", source, {
  buffers: { x: read("f32", "bf16"), y: write("vec4f", "bf16") },
  params: { length: "u32", columns: "u32", width: "u32", gridX: "u32" },
});

/** The end of an axis that is walked backwards, for ONNX. */
const BEFORE_FIRST = -(2 ** 31);

/** Image `[C, N, H, W]` -> the same size, each row the other way round. It is its own gradient. */
export const mirror: OpSpec<null> = {
  name: "mirror",
  infer(inputs) {
    expectInputs(inputs, ["x"]);
    return [image(...expectImage(inputs[0], "x"))];
  },
  kernels({ outputs: [y] }) {
    const length = storageLength(y) / 4, [, , , width] = y.shape, { workgroups, GRID_X: gridX } = grid(length, 64);
    return {
      dispatches: [dispatch(shader, {
        constants: {},
        buffers: { x: input(0), y: output(0) },
        params: { length, columns: rowPitch(width) / 4, width, gridX },
        workgroups,
      })],
    };
  },
  gradient: ({ graph, grads: [gy] }) => [gy && graph.apply1(mirror, [gy], null)],
  reference: ([x], [{ shape }]) => {
    const width = shape[3];
    return [x.map((_, i) => x[i - i % width + width - 1 - i % width])];
  },
  cases: () =>
    [image(2, 2, 6, 5), image(3, 4, 8, 8), image(1, 1, 1, 1), image(2, 1, 3, 10)].map((type): OpCase<null> => ({
      name: type.shape.join(" x "),
      inputs: [type],
      attrs: null,
    })),
  onnx(context) {
    const at = (name: string, value: number): string => context.constant(`mirror.${name}`, [1], [value], "int64");
    const range = [at("starts", -1), at("ends", BEFORE_FIRST), at("axes", 3), at("steps", -1)];
    return [context.emit("Slice", [context.input(0), ...range])];
  },
};
