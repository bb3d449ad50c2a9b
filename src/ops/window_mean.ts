/**
 * Average pooling without padding, with an optional ReLU on load, for auxiliary heads and the networks of
 * NAS-Bench-201. The pools of cells are in `pool.ts`.
 * @module
 */
import { halfMean as halfSource, windowMean as source } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpCase, type OpSpec, output } from "../graph/op.ts";
import { image, rowPitch, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectImage, expectInputs, expectInteger, expectShape } from "./expect.ts";
import { grid } from "./launch.ts";
import { onnxRelu, onnxWindow } from "./onnx.ts";

const shader = kernel("window_mean", source, { buffers: { x: read("f32", "bf16"), y: write("vec4f", "bf16") } });
const gradShader = kernel("window_mean", source, {
  buffers: { gy: read("f32", "bf16"), x: optional(read("vec4f", "bf16")), gx: write("vec4f", "bf16") },
});

const big = { height: "u32", width: "u32", planes: "u32", gridX: "u32" } as const;
const halfShader = kernel("half_mean", halfSource, {
  buffers: { x: read("vec4f", "bf16"), y: write("vec4f", "bf16") },
  params: { ...big, relu: "u32" },
});
const halfGradShader = kernel("half_mean", halfSource, {
  buffers: { gy: read("vec4f", "bf16"), x: optional(read("vec4f", "bf16")), gx: write("vec4f", "bf16") },
  params: big,
});

/** Attributes of {@linkcode windowMean}. */
export interface WindowMeanAttributes {
  /** Rows and columns of a window. */
  readonly size: number;
  /** Pixels from one window to the next. */
  readonly stride: number;
  /** Whether ReLU comes first. */
  readonly relu: boolean;
}

/** Attributes of {@linkcode windowMeanGrad}: the forward's and the size of its input. */
export interface WindowMeanGradAttributes extends WindowMeanAttributes {
  readonly height: number;
  readonly width: number;
}

function infer(x: TensorType, { size, stride }: WindowMeanAttributes): TensorType {
  const [c, n, h, w] = expectImage(x, "x");
  expectInteger(size, "size", 1);
  expectInteger(stride, "stride", 1);
  if (Math.min(h, w) < size) {
    throw new RangeError(`the image of ${h} x ${w} must be at least as large as the window of ${size} x ${size}`);
  }
  return image(c, n, Math.floor((h - size) / stride) + 1, Math.floor((w - size) / stride) + 1);
}

function launch(x: TensorType, y: TensorType, { size, stride, relu }: WindowMeanAttributes, GRADIENT: boolean) {
  const [, , H, W] = x.shape, [, , HO, WO] = y.shape, COUNT = storageLength(GRADIENT ? x : y) / 4;
  const { workgroups, GRID_X } = grid(COUNT, 64), sizes = { H, W, HO, WO, P: rowPitch(W), PO: rowPitch(WO) };
  return { constants: { ...sizes, K: size, S: stride, RELU: relu, GRADIENT, COUNT, GRID_X }, workgroups };
}

/** Whether windows of 2x2 pixels lie side by side, as in the residual blocks of NAS-Bench-201's networks. */
const halves = ({ size, stride }: WindowMeanAttributes): boolean => size === 2 && stride === 2;

/** Launch of the kernel for {@linkcode halves} over pairs of rows of `x`. */
function halvesOf({ shape: [c, n, height, width] }: TensorType, pairs: number) {
  const planes = c * n, { workgroups, GRID_X } = grid(planes * pairs, 64);
  return { params: { height, width, planes, gridX: GRID_X }, workgroups };
}

/** Gradient of {@linkcode windowMean}: (gy, x when relu) -> gx. */
export const windowMeanGrad: OpSpec<WindowMeanGradAttributes> = {
  name: "window_mean_grad",
  infer(inputs, attrs) {
    expectInputs(inputs, attrs.relu ? ["gy", "x"] : ["gy"]);
    const [c, n] = expectImage(inputs[0], "gy"), x = image(c, n, attrs.height, attrs.width);
    expectShape(inputs[0], "gy", infer(x, attrs).shape);
    if (attrs.relu) expectShape(inputs[1], "x", x.shape);
    return [x];
  },
  kernels({ inputs, outputs: [gx], attrs }) {
    const buffers = { gy: input(0), ...(attrs.relu && { x: input(1) }), gx: output(0) };
    if (halves(attrs)) {
      const constants = { GRADIENT: true, MASKED: attrs.relu };
      return {
        dispatches: [dispatch(halfGradShader, { constants, ...halvesOf(gx, Math.ceil(gx.shape[2] / 2)), buffers })],
      };
    }
    return { dispatches: [dispatch(gradShader, { ...launch(gx, inputs[0], attrs, true), buffers })] };
  },
  testedBy: "window_mean",
};

/**
 * `[C, N, H, W] -> [C, N, floor((H - size) / stride) + 1, ...]`: means over windows inside the image, of ReLU(x) where
 * `relu` is set.
 */
export const windowMean: OpSpec<WindowMeanAttributes> = {
  name: "window_mean",
  infer(inputs, attrs) {
    expectInputs(inputs, ["x"]);
    return [infer(inputs[0], attrs)];
  },
  kernels({ inputs: [x], outputs: [y], attrs }) {
    const buffers = { x: input(0), y: output(0) };
    if (!halves(attrs)) return { dispatches: [dispatch(shader, { ...launch(x, y, attrs, false), buffers })] };
    const { params, workgroups } = halvesOf(x, y.shape[2]), constants = { GRADIENT: false };
    return {
      dispatches: [
        dispatch(halfShader, { constants, buffers, params: { ...params, relu: Number(attrs.relu) }, workgroups }),
      ],
    };
  },
  gradient({ graph, node, grads: [gy] }) {
    const [x] = node.inputs, [, , height, width] = x.type.shape, { attrs } = node;
    return [gy && graph.apply1(windowMeanGrad, attrs.relu ? [gy, x] : [gy], { ...attrs, height, width })];
  },
  onnx(context) {
    const { size, stride, relu } = context.node.attrs, x = onnxRelu(context, context.input(0), relu);
    return [context.emit("AveragePool", [x], onnxWindow(size, stride, 0))];
  },
  reference([x], [type], attrs) {
    const [c, n, h, w] = type.shape, [, , ho, wo] = infer(type, attrs).shape, { size, stride, relu } = attrs;
    const y = new Float64Array(c * n * ho * wo);
    y.forEach((_, i) => {
      const plane = Math.floor(i / (ho * wo)), top = Math.floor(i / wo) % ho * stride, left = i % wo * stride;
      for (let k = 0; k < size * size; k++) {
        const v = x[(plane * h + top + Math.floor(k / size)) * w + left + k % size];
        y[i] += (relu ? Math.max(v, 0) : v) / size ** 2;
      }
    });
    return [y];
  },
  cases: () =>
    ([
      ["5 x 5, stride 3, relu", image(3, 2, 8, 8), 5, 3, true],
      ["5 x 5, stride 2, relu", image(2, 3, 7, 7), 5, 2, true],
      ["5 x 5, stride 2", image(2, 1, 9, 14), 5, 2, false],
      ["gaps between the windows", image(1, 2, 7, 11), 2, 4, false],
      ["one window", image(2, 1, 3, 3), 3, 1, true],
      ["halves, relu", image(3, 2, 8, 16), 2, 2, true],
      ["halves, fewer columns than two vec4s", image(2, 3, 6, 4), 2, 2, false],
      ["halves of odd sizes", image(2, 2, 5, 9), 2, 2, false],
      ["halves of odd sizes, relu", image(1, 3, 7, 33), 2, 2, true],
    ] as const).map(([name, x, size, stride, relu]): OpCase<WindowMeanAttributes> => ({
      name,
      inputs: [x],
      attrs: { size, stride, relu },
      fill: (_i, _e, normal) => normal + 0.02 * Math.sign(normal),
    })),
};
