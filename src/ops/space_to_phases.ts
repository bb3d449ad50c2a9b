/**
 * Splits an image into its even and its odd pixels: the front of a FactorizedReduce, whose two 1x1 convolutions
 * with stride 2 become one grouped product over the phases.
 * @module
 */
import { spaceToPhases as source } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpSpec, output } from "../graph/op.ts";
import { image, rowPitch, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectImage, expectInputs, expectShape } from "./expect.ts";
import { grid } from "./launch.ts";
import { onnxRelu } from "./onnx.ts";

const params = { length: "u32", gridX: "u32", planes: "u32" } as const;
const shader = kernel("space_to_phases", source, {
  buffers: { x: read("vec4f", "bf16"), y: write("vec4f", "bf16") },
  params,
});
const gradShader = kernel("space_to_phases", source, {
  buffers: { gy: read("vec4f", "bf16"), x: optional(read("vec4f", "bf16")), gx: write("vec4f", "bf16") },
  params,
});

/** Attributes of {@linkcode spaceToPhases}. */
export interface PhasesAttributes {
  /** Whether ReLU comes first. */
  readonly relu: boolean;
}

/** Attributes of {@linkcode spaceToPhasesGrad}: the forward's and the size of its input. */
export interface PhasesGradAttributes extends PhasesAttributes {
  readonly height: number;
  readonly width: number;
}

const half = (size: number): number => Math.ceil(size / 2);

const planes = ({ shape: [c, n] }: TensorType): number => c * n;

function constants([, , H, W]: readonly number[], GRADIENT: boolean, RELU: boolean) {
  const Q = rowPitch(W) / 4, HO = half(H), QO = rowPitch(half(W)) / 4;
  return { GRADIENT, RELU, H, W, HO, Q, QO };
}

/** Gradient of {@linkcode spaceToPhases}: (gy, x when relu) -> gx. */
export const spaceToPhasesGrad: OpSpec<PhasesGradAttributes> = {
  name: "space_to_phases_grad",
  infer(inputs, { relu, height, width }) {
    expectInputs(inputs, relu ? ["gy", "x"] : ["gy"]);
    const [c2, n] = expectImage(inputs[0], "gy");
    expectShape(inputs[0], "gy", [c2, n, half(height), half(width)]);
    if (c2 % 2 !== 0) {
      throw new RangeError(`gy must have an even number of channels: ${c2}`);
    }
    const big = image(c2 / 2, n, height, width);
    if (relu) expectShape(inputs[1], "x", big.shape);
    return [big];
  },
  kernels({ outputs, attrs }) {
    const COUNT = storageLength(outputs[0]) / 4;
    const { workgroups, GRID_X } = grid(COUNT, 64);
    return {
      dispatches: [dispatch(gradShader, {
        constants: constants(outputs[0].shape, true, attrs.relu),
        buffers: { gy: input(0), ...(attrs.relu && { x: input(1) }), gx: output(0) },
        params: { length: COUNT, gridX: GRID_X, planes: planes(outputs[0]) },
        workgroups,
      })],
    };
  },
  testedBy: "space_to_phases",
};

/**
 * `[C, N, H, W]` -> `[2C, N, ceil(H/2), ceil(W/2)]`: channels below C are `x[2y, 2x]`, the others
 * `x[2y+1, 2x+1]`, zero outside of the image; after ReLU where `relu` is set.
 */
export const spaceToPhases: OpSpec<PhasesAttributes> = {
  name: "space_to_phases",
  infer(inputs) {
    expectInputs(inputs, ["x"]);
    const [c, n, h, w] = expectImage(inputs[0], "x");
    return [image(2 * c, n, half(h), half(w))];
  },
  kernels({ inputs, outputs, attrs }) {
    const COUNT = storageLength(outputs[0]) / 4;
    const { workgroups, GRID_X } = grid(COUNT, 64);
    return {
      dispatches: [dispatch(shader, {
        constants: constants(inputs[0].shape, false, attrs.relu),
        buffers: { x: input(0), y: output(0) },
        params: { length: COUNT, gridX: GRID_X, planes: planes(inputs[0]) },
        workgroups,
      })],
    };
  },
  gradient({ graph, node, grads }) {
    if (!grads[0]) return [null];
    const [x] = node.inputs, [, , height, width] = x.type.shape;
    const inputs = node.attrs.relu ? [grads[0], x] : [grads[0]];
    const attrs = { ...node.attrs, height, width };
    return [graph.apply1(spaceToPhasesGrad, inputs, attrs)];
  },
  reference([x], [{ shape: [c, n, h, w] }], { relu }) {
    const ho = half(h), wo = half(w), y = new Float64Array(2 * c * n * ho * wo);
    y.forEach((_, i) => {
      const plane = Math.floor(i / (ho * wo)), odd = plane >= c * n ? 1 : 0;
      const r = Math.floor(i / wo) % ho * 2 + odd, k = i % wo * 2 + odd;
      if (r >= h || k >= w) return;
      const v = x[((plane - odd * c * n) * h + r) * w + k];
      y[i] = relu ? Math.max(v, 0) : v;
    });
    return [y];
  },
  cases: () =>
    [true, false].flatMap((relu) =>
      [
        image(3, 2, 7, 7),
        image(2, 1, 5, 9),
        image(1, 1, 13, 13),
        image(2, 2, 8, 8),
        image(1, 2, 6, 12),
        image(2, 1, 1, 1),
      ].map((type) => ({
        name: `${type.shape.join(" x ")}${relu ? ", relu" : ""}`,
        inputs: [type],
        attrs: { relu },
      }))
    ),
  onnx(context) {
    const { inputs: [{ type: { shape: [, , h, w] } }], attrs: { relu } } = context.node;
    const int64 = (name: string, values: readonly number[]) =>
      context.constant(`phases.${name}`, [values.length], values, "int64");
    // Odd sizes get a row or a column of zeros, which the odd pixels alone read.
    let x = onnxRelu(context, context.input(0), relu);
    if (h % 2 || w % 2) x = context.emit("Pad", [x, int64("pads", [0, 0, 0, 0, 0, 0, h % 2, w % 2])]);
    const ends = int64("ends", [2 * half(h), 2 * half(w)]),
      axes = int64("axes", [2, 3]),
      steps = int64("steps", [2, 2]);
    const phase = (from: number) => context.emit("Slice", [x, int64(`from${from}`, [from, from]), ends, axes, steps]);
    return [context.emit("Concat", [phase(0), phase(1)], { axis: 1 })];
  },
};
