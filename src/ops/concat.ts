/**
 * Concatenation of images along their channels, and its inverse. Channels come first in storage, so both are copies
 * of whole ranges.
 * @module
 */
import source from "../../shaders/concat.wgsl" with { type: "text" };
import zerosSource from "../../shaders/zeros.wgsl" with { type: "text" };
import { type Dispatch, input, type KernelPlan, type OpSpec, output } from "../graph/op.ts";
import { elementCount, image, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectImage, expectInputs, expectInteger } from "./expect.ts";
import { linear } from "./launch.ts";

const shader = { name: "concat", source };
const zerosShader = { name: "zeros", source: zerosSource };

/** Attributes of {@linkcode split}. */
export interface SplitAttributes {
  /** Channels of each output; they add up to the input's. */
  readonly sizes: readonly number[];
}

/** Attributes of {@linkcode zeros}: the shape of an image. */
export interface ZerosAttributes {
  readonly shape: readonly [number, number, number, number];
}

/** As many parts per dispatch as the adapter binds besides the large image. */
function copies(
  parts: readonly TensorType[],
  SPLIT: boolean,
  most: number,
): KernelPlan {
  const dispatches: Dispatch[] = [];
  let OFFSET = 0;
  for (let from = 0; from < parts.length; from += most) {
    const chunk = parts.slice(from, from + most), ends: [string, number][] = [];
    let end = 0;
    chunk.forEach((t, i) => ends.push([`END${i}`, end += storageLength(t) / 4]));
    const { workgroups, GRID_X } = linear(end, 64);
    const small = chunk.map((_, i) => SPLIT ? output(from + i) : input(from + i));
    dispatches.push({
      shader,
      constants: {
        SPLIT,
        PARTS: chunk.length,
        OFFSET,
        GRID_X,
        ...Object.fromEntries(ends),
      },
      bindings: SPLIT ? [input(0), ...small] : [...small, output(0)],
      workgroups,
    });
    OFFSET += end;
  }
  return { dispatches };
}

/** An image of zeros: the gradient of a part that nothing depends on. */
export const zeros: OpSpec<ZerosAttributes> = {
  name: "zeros",
  infer(inputs, { shape }) {
    expectInputs(inputs, []);
    return [image(...shape)];
  },
  kernels({ outputs }) {
    const LENGTH = storageLength(outputs[0]) / 4;
    const { workgroups, GRID_X } = linear(LENGTH, 64);
    return {
      dispatches: [{
        shader: zerosShader,
        constants: { LENGTH, GRID_X },
        bindings: [output(0)],
        workgroups,
      }],
    };
  },
  reference: (_, __, { shape }) => [
    new Float64Array(elementCount(image(...shape))),
  ],
  cases: () => [{
    name: "3 x 2 x 5 x 7",
    inputs: [],
    attrs: { shape: [3, 2, 5, 7] },
  }],
};

/** `[C, N, H, W]` -> images of `sizes` channels; inverse of {@linkcode concat}. */
export const split: OpSpec<SplitAttributes> = {
  name: "split",
  infer(inputs, { sizes }) {
    expectInputs(inputs, ["x"]);
    const [c, n, h, w] = expectImage(inputs[0], "x");
    sizes.forEach((size, i) => expectInteger(size, `sizes[${i}]`, 1));
    if (sizes.reduce((a, b) => a + b, 0) !== c) {
      throw new RangeError(
        `attribute sizes must add up to ${c} channels: it is [${sizes}]`,
      );
    }
    return sizes.map((size) => image(size, n, h, w));
  },
  kernels: ({ outputs, limits }) => copies(outputs, true, limits.maxStorageBuffersPerShaderStage - 1),
  gradient({ graph, node, grads }) {
    const parts = grads.map((g, i) =>
      g ?? graph.apply1(zeros, [], {
        shape: node.outputs[i].type.shape as ZerosAttributes["shape"],
      })
    );
    return [graph.apply1(concat, parts, null)];
  },
  reference([x], [type], { sizes }) {
    const plane = type.shape[1] * type.shape[2] * type.shape[3];
    let from = 0;
    return sizes.map((size) => x.slice(from, from += size * plane));
  },
  cases: () => [
    {
      name: "sizes 1, 3, 2",
      inputs: [image(6, 2, 3, 5)],
      attrs: { sizes: [1, 3, 2] },
    },
    {
      name: "a part that nothing depends on",
      inputs: [image(4, 1, 2, 8)],
      attrs: { sizes: [2, 1, 1] },
      through: [0, 2],
    },
    {
      name: "more than the portable number of bindings",
      inputs: [image(17, 1, 3, 3)],
      attrs: { sizes: [...Array(15).fill(1), 2] },
    },
  ],
};

/** Images of equal N, H and W -> one image with all their channels, in order. */
export const concat: OpSpec<null> = {
  name: "concat",
  infer(inputs) {
    if (inputs.length === 0) {
      throw new RangeError("it needs at least one image");
    }
    const [, n, h, w] = expectImage(inputs[0], "input 0");
    let channels = 0;
    inputs.forEach((t, i) => {
      const [ci, ni, hi, wi] = expectImage(t, `input ${i}`);
      if (ni !== n || hi !== h || wi !== w) {
        throw new RangeError(
          `input ${i} must agree with input 0 in batch, height and width`,
        );
      }
      channels += ci;
    });
    return [image(channels, n, h, w)];
  },
  kernels: ({ inputs, limits }) => copies(inputs, false, limits.maxStorageBuffersPerShaderStage - 1),
  gradient({ graph, node, grads }) {
    if (!grads[0]) return node.inputs.map(() => null);
    const sizes = node.inputs.map((t) => t.type.shape[0]);
    return graph.apply(split, [grads[0]], { sizes });
  },
  onnx: (context) => [context.emit("Concat", context.node.inputs.map((_, i) => context.input(i)), { axis: 1 })],
  reference(inputs) {
    const y = new Float64Array(inputs.reduce((sum, x) => sum + x.length, 0));
    let at = 0;
    for (const x of inputs) {
      y.set(x, at);
      at += x.length;
    }
    return [y];
  },
  cases: () => [
    {
      name: "3, 1 and 2 channels",
      inputs: [image(3, 2, 5, 7), image(1, 2, 5, 7), image(2, 2, 5, 7)],
      attrs: null,
    },
    { name: "one input", inputs: [image(1, 1, 3, 4)], attrs: null },
    {
      name: "more than the portable number of bindings",
      inputs: Array.from({ length: 17 }, (_, i) => image(1 + i % 2, 1, 2, 3)),
      attrs: null,
    },
  ],
};
