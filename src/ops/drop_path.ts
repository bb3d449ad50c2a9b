/**
 * Drop path (Larsson et al. 2016, FractalNet): a node of a cell adds up its two inputs, each of which is left out for
 * some of the samples. Not responsible for drawing: the factors, 0 or 1 / keep, come in as a tensor.
 * @module
 */
import { dropPath as source } from "./shader_texts.ts";
import { kernel, list, read, table, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpCase, type OpSpec, output } from "../graph/op.ts";
import { dense, image, rowPitch, sameType, storageLength } from "../graph/tensor_type.ts";
import { manyWorkgroups } from "./channel.ts";
import { expectDense, expectImage, expectInteger } from "./expect.ts";
import { grid } from "./launch.ts";

const shader = kernel("drop_path", source, {
  buffers: { x: list(read("vec4f", "bf16")), mask: read("f32"), y: write("vec4f", "bf16") },
  params: { length: "u32", share: "u32", plane: "u32", batch: "u32", rows: table({ row: "u32" }) },
});

/** Attributes of {@linkcode dropPath}. */
export interface DropPathAttributes {
  /** Per image its row of the mask; null: it always passes. At most 4 images. */
  readonly rows: readonly (number | null)[];
}

/**
 * `(x_0, x_1, ... [C, N, H, W], mask [R, N]) -> y`: `y[:, n] = sum over k of x_k[:, n] * mask[rows[k], n]`. The mask
 * gets no gradient.
 */
export const dropPath: OpSpec<DropPathAttributes> = {
  name: "drop_path",
  infer(inputs, { rows }) {
    const images = inputs.slice(0, -1), mask = inputs[inputs.length - 1];
    if (images.length === 0 || images.length !== rows.length || images.length > 4) {
      throw new RangeError(`it needs 1 to 4 images, one for each of ${rows.length} rows, and a mask`);
    }
    if (rows.every((row) => row === null)) throw new RangeError("at least one image must have a row");
    const [, n] = expectImage(images[0], "image 0");
    if (!images.every((t) => sameType(t, images[0]))) throw new RangeError("all images must have the same type");
    const [count, columns] = expectDense(mask, "mask", 2);
    if (columns !== n) throw new RangeError(`mask must have one column for each of ${n} samples: it has ${columns}`);
    rows.forEach((row, k) => row === null || expectInteger(row, `rows[${k}]`, 0, count - 1));
    return [images[0]];
  },
  kernels({ inputs, attrs: { rows } }) {
    const [, n, h, w] = inputs[0].shape, length = storageLength(inputs[0]) / 4;
    const { groups, SHARE, SIZE } = manyWorkgroups(length);
    const free = Object.fromEntries(rows.map((row, k) => [`FREE${k}`, row === null]));
    return {
      dispatches: [dispatch(shader, {
        constants: { COUNT: rows.length, SIZE, ...free },
        buffers: { x: rows.map((_, i) => input(i)), mask: input(rows.length), y: output(0) },
        params: {
          ...{ length, share: SHARE, plane: h * rowPitch(w) / 4, batch: n },
          rows: rows.map((row) => ({ row: row ?? 0 })),
        },
        workgroups: grid(groups * SIZE, SIZE).workgroups,
      })],
    };
  },
  gradient({ graph, node, grads: [gy], needs }) {
    const mask = node.inputs[node.inputs.length - 1], { rows } = node.attrs;
    if (!gy) return node.inputs.map(() => null);
    return [
      ...rows.map((row, k) => {
        if (!needs[k] || row === null) return needs[k] ? gy : null;
        return graph.apply1(dropPath, [gy, mask], { rows: [row] }, `${k}`);
      }),
      null,
    ];
  },
  reference(inputs, [{ shape: [, n, h, w] }], { rows }) {
    const mask = inputs[inputs.length - 1];
    return [
      inputs[0].map((_, i) =>
        rows.reduce<number>(
          (sum, row, k) => sum + inputs[k][i] * (row === null ? 1 : mask[row * n + Math.floor(i / (h * w)) % n]),
          0,
        )
      ),
    ];
  },
  cases: () =>
    ([
      ["two dropped, 5 x 7", image(3, 4, 5, 7), [1, 0]],
      ["the second always passes", image(2, 3, 8, 8), [2, null]],
      ["the first always passes, one pixel", image(5, 2, 1, 1), [null, 0]],
      ["one image", image(4, 5, 3, 9), [1]],
      ["four, several workgroups", image(16, 8, 12, 1), [0, 2, null, 1]],
    ] as const).map(([name, x, rows]): OpCase<DropPathAttributes> => ({
      name,
      inputs: [...rows.map(() => x), dense([3, x.shape[1]])],
      attrs: { rows },
      wrt: x.shape[0] === 16 ? [1] : rows.map((_, k) => k),
      fill: (index, _e, normal, u) => index < rows.length ? normal : u < 0.4 ? 0 : 1 / 0.6,
    })),
};
