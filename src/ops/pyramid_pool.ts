/**
 * Means over the whole image and over parts of it, in front of a classifier that is to see where things are: spatial
 * pyramid pooling (He et al. 2014, arXiv 1406.4729) with means and two levels.
 * @module
 */
import { pyramidPool as source } from "./shader_texts.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpSpec, output } from "../graph/op.ts";
import { dense, image, rowPitch, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectDense, expectImage, expectInputs, expectInteger } from "./expect.ts";
import { grid } from "./launch.ts";

const shader = kernel("pyramid_pool", source, { buffers: { x: read("f32", "bf16"), y: write("f32") } });
const gradShader = kernel("pyramid_pool", source, { buffers: { gy: read("f32"), gx: write("vec4f", "bf16") } });

/** Attributes of {@linkcode pyramidPool}. */
export interface PyramidPoolAttributes {
  /** Parts in a row, and in a column. */
  readonly parts: number;
}

/** Means of a plane: of the whole, and of its parts. */
const meansOf = ({ parts }: PyramidPoolAttributes): number => 1 + parts ** 2;

/** First pixel of a part, and the one after its last: parts of sizes that do not divide overlap. */
const partOf = (part: number, parts: number, size: number): [number, number] => [
  Math.floor(part * size / parts),
  Math.ceil((part + 1) * size / parts),
];

function launch(big: TensorType, COUNT: number, GRADIENT: boolean, attrs: PyramidPoolAttributes) {
  const [C, N, H, W] = big.shape, Q = rowPitch(W) / 4, { workgroups, GRID_X } = grid(COUNT, 64);
  const sizes = { C, N, H, W, Q, PARTS: attrs.parts, MEANS: meansOf(attrs) };
  return { constants: { GRADIENT, ...sizes, COUNT, GRID_X }, workgroups };
}

/** Which pixels each mean is over, and with what weight: `[means, H * W]`. */
function weights(attrs: PyramidPoolAttributes, h: number, w: number): Float32Array {
  const { parts } = attrs, out = new Float32Array(meansOf(attrs) * h * w).fill(1 / (h * w), 0, h * w);
  for (let part = 0; part < parts ** 2; part++) {
    const [top, bottom] = partOf(Math.floor(part / parts), parts, h), [left, right] = partOf(part % parts, parts, w);
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        out[((1 + part) * h + y) * w + x] = 1 / ((bottom - top) * (right - left));
      }
    }
  }
  return out;
}

/** Gradient of {@linkcode pyramidPool}: gy -> gx. */
export const pyramidPoolGrad: OpSpec<PyramidPoolAttributes & { height: number; width: number }> = {
  name: "pyramid_pool_grad",
  infer(inputs, { height, width, ...attrs }) {
    expectInputs(inputs, ["gy"]);
    const [n, features] = expectDense(inputs[0], "gy", 2);
    return [image(features / meansOf(attrs), n, height, width)];
  },
  kernels: ({ outputs: [gx], attrs }) => ({
    dispatches: [
      dispatch(gradShader, {
        ...launch(gx, storageLength(gx) / 4, true, attrs),
        buffers: { gy: input(0), gx: output(0) },
      }),
    ],
  }),
  testedBy: "pyramid_pool",
};

/** Image `[C, N, H, W]` -> dense `[N, C (1 + parts^2)]`: of each channel the mean, then those of its parts by rows. */
export const pyramidPool: OpSpec<PyramidPoolAttributes> = {
  name: "pyramid_pool",
  infer(inputs, attrs) {
    expectInputs(inputs, ["x"]);
    const [c, n] = expectImage(inputs[0], "x");
    expectInteger(attrs.parts, "parts", 1);
    return [dense([n, c * meansOf(attrs)])];
  },
  kernels: ({ inputs: [x], outputs: [y], attrs }) => ({
    dispatches: [
      dispatch(shader, { ...launch(x, storageLength(y), false, attrs), buffers: { x: input(0), y: output(0) } }),
    ],
  }),
  gradient({ graph, node, grads }) {
    const [, , height, width] = node.inputs[0].type.shape;
    return [grads[0] && graph.apply1(pyramidPoolGrad, [grads[0]], { ...node.attrs, height, width })];
  },
  reference([x], [{ shape: [c, n, h, w] }], attrs) {
    const means = meansOf(attrs), share = weights(attrs, h, w), y = new Float64Array(n * c * means);
    x.forEach((v, i) => {
      const plane = Math.floor(i / (h * w)), base = (plane % n * c + Math.floor(plane / n)) * means;
      for (let mean = 0; mean < means; mean++) y[base + mean] += v * share[mean * h * w + i % (h * w)];
    });
    return [y];
  },
  cases: () =>
    ([
      [image(3, 2, 8, 8), 4],
      [image(2, 3, 7, 5), 4],
      [image(2, 1, 5, 9), 2],
      [image(1, 2, 3, 3), 3],
      [image(2, 2, 1, 1), 1],
    ] as const).map(([type, parts]) => ({
      name: `${type.shape.join(" x ")}, ${parts}`,
      inputs: [type],
      attrs: { parts },
    })),
  onnx(context) {
    const { inputs: [{ type: { shape: [c, , h, w] } }], attrs } = context.node, means = meansOf(attrs);
    const flat = context.emit("Reshape", [context.input(0), context.constant("planes", [3], [0, c, h * w], "int64")]);
    const share = weights(attrs, h, w),
      turned = Float32Array.from(share, (_, i) => share[i % means * h * w + Math.floor(i / means)]);
    const pooled = context.emit("MatMul", [flat, context.constant("parts", [h * w, means], turned)]);
    return [context.emit("Flatten", [pooled], { axis: 1 })];
  },
};
