/**
 * What several operations need to describe themselves in ONNX.
 * @module
 */
import type { OnnxContext } from "../graph/op.ts";

/** ONNX attributes of a square window. */
export function onnxWindow(size: number, stride: number, padding: number): Record<string, readonly number[]> {
  return {
    kernel_shape: [size, size],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
  };
}

/** `x`, or ReLU of it. */
export function onnxRelu(context: OnnxContext, x: string, relu: boolean): string {
  return relu ? context.emit("Relu", [x]) : x;
}

/** The channels of `x`, `times` times in a row: group g of a grouped convolution then reads group g mod groups of x. */
export function onnxRepeat(context: OnnxContext, x: string, times: number): string {
  return times === 1 ? x : context.emit("Concat", Array(times).fill(x), { axis: 1 });
}

/** The elements of a weight (input `index`) under its own name, in the shape that ONNX wants. */
export function onnxWeight(context: OnnxContext, index: number, shape: readonly number[]): string {
  const { variable } = context.node.inputs[index];
  return context.constant(variable?.name ?? "weight", shape, context.elements(index));
}

/**
 * Batch norm of `x` with the statistics `[2, C]` of input `stats`; `gamma` and `beta` are inputs too, 1 and 0 where
 * they are left out.
 */
export function onnxBatchNorm(
  context: OnnxContext,
  x: string,
  eps: number,
  stats: number,
  gamma?: number,
  beta?: number,
): string {
  const values = context.elements(stats), c = values.length / 2;
  const name = context.node.inputs[stats].variable?.name ?? "statistics";
  const scale = gamma === undefined ? context.constant(`${name}.scale`, [c], Array(c).fill(1)) : context.input(gamma);
  const shift = beta === undefined ? context.constant(`${name}.shift`, [c], Array(c).fill(0)) : context.input(beta);
  const mean = context.constant(`${name}.mean`, [c], values.subarray(0, c));
  const variance = context.constant(`${name}.var`, [c], values.subarray(c));
  return context.emit("BatchNormalization", [x, scale, shift, mean, variance], { epsilon: { float: eps } });
}
