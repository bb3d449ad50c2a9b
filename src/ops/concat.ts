/**
 * Concatenation of images along their channels, and its inverse. Channels come first in storage, so both are copies
 * of whole ranges; of single channels where they are shuffled.
 * @module
 */
import { concat as source, zeros as zerosSource } from "./shader_texts.ts";
import type { GpuLimits } from "../gpu/device.ts";
import { kernel, list, read, write } from "../gpu/kernel.ts";
import { type Dispatch, dispatch, input, type KernelPlan, type OpSpec, output } from "../graph/op.ts";
import { elementCount, image, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { channelVec4s } from "./channel.ts";
import { expectImage, expectInputs, expectInteger } from "./expect.ts";
import { grid } from "./launch.ts";

const shader = kernel("concat", source, {
  buffers: { s: list(read("vec4f", "bf16")), large: write("vec4f", "bf16") },
});
const splitShader = kernel("concat", source, {
  buffers: { large: read("vec4f", "bf16"), s: list(write("vec4f", "bf16")) },
});
const zerosShader = kernel("zeros", zerosSource, { buffers: { y: write("vec4f", "bf16") } });

/** Attributes of {@linkcode split}. */
export interface SplitAttributes {
  /** Channels of each output; they add up to the input's. */
  readonly sizes: readonly number[];
  /** The input is what {@linkcode concat} makes with so many groups; 1 if left out. */
  readonly groups?: number;
}

/** Attributes of {@linkcode concat}. */
export interface ConcatAttributes {
  /**
   * Cuts all channels into so many groups of equal size and orders them anew: the first of each group, then the second of
   * each, and so on (ShuffleNet, arXiv 1707.01083).
   */
  readonly groups: number;
}

/** Attributes of {@linkcode zeros}: the shape of an image. */
export interface ZerosAttributes {
  readonly shape: readonly [number, number, number, number];
}

/** As many parts per dispatch as the adapter binds besides the large image. */
function copies(parts: readonly TensorType[], SPLIT: boolean, GROUPS: number, limits: GpuLimits): KernelPlan {
  const dispatches: Dispatch[] = [], most = limits.maxStorageBuffersPerShaderStage - 1;
  const SIZE = parts.reduce((sum, { shape }) => sum + shape[0], 0) / GROUPS, CHANNEL = channelVec4s(parts[0]);
  let OFFSET = 0;
  for (let from = 0; from < parts.length; from += most) {
    const chunk = parts.slice(from, from + most), ends: [string, number][] = [];
    let end = 0;
    chunk.forEach((t, i) => ends.push([`END${i}`, end += storageLength(t) / 4]));
    const { workgroups, GRID_X } = grid(end, 64);
    const constants = {
      SPLIT,
      PARTS: chunk.length,
      OFFSET,
      GROUPS,
      SIZE,
      CHANNEL,
      GRID_X,
      ...Object.fromEntries(ends),
    };
    const s = chunk.map((_, i) => SPLIT ? output(from + i) : input(from + i));
    dispatches.push(
      SPLIT
        ? dispatch(splitShader, { constants, buffers: { large: input(0), s }, workgroups })
        : dispatch(shader, { constants, buffers: { s, large: output(0) }, workgroups }),
    );
    OFFSET += end;
  }
  return { dispatches };
}

/** An image of zeros: the gradient of a part that nothing depends on, and a node that all edges are cut from. */
export const zeros: OpSpec<ZerosAttributes> = {
  name: "zeros",
  infer(inputs, { shape }) {
    expectInputs(inputs, []);
    return [image(...shape)];
  },
  kernels({ outputs }) {
    const LENGTH = storageLength(outputs[0]) / 4;
    const { workgroups, GRID_X } = grid(LENGTH, 64);
    return {
      dispatches: [dispatch(zerosShader, { constants: { LENGTH, GRID_X }, buffers: { y: output(0) }, workgroups })],
    };
  },
  // As many images as are fed: the N of the graph is that of one batch.
  onnx(context) {
    const { shape: [c, , h, w] } = context.node.attrs,
      integers = (name: string, values: readonly number[]): string =>
        context.constant(name, [values.length], values, "int64");
    const all = context.emit("Shape", [context.fed()]),
      n = context.emit("Gather", [all, integers("first", [0])], { axis: 0 });
    const shape = context.emit("Concat", [n, integers(`zeros_${c}_${h}_${w}`, [c, h, w])], { axis: 0 });
    return [context.emit("ConstantOfShape", [shape])];
  },
  reference: (_, __, { shape }) => [new Float64Array(elementCount(image(...shape)))],
  cases: () => [{
    name: "3 x 2 x 5 x 7",
    inputs: [],
    attrs: { shape: [3, 2, 5, 7] },
  }],
};

function checkGroups(groups: number | undefined, channels: number): void {
  if (groups === undefined) return;
  expectInteger(groups, "groups", 1);
  if (channels % groups !== 0) {
    throw new RangeError(`attribute groups must divide ${channels} channels: it is ${groups}`);
  }
}

/** `[C, N, H, W]` -> images of `sizes` channels; inverse of {@linkcode concat}. */
export const split: OpSpec<SplitAttributes> = {
  name: "split",
  infer(inputs, { sizes, groups }) {
    expectInputs(inputs, ["x"]);
    const [c, n, h, w] = expectImage(inputs[0], "x");
    sizes.forEach((size, i) => expectInteger(size, `sizes[${i}]`, 1));
    if (sizes.reduce((a, b) => a + b, 0) !== c) {
      throw new RangeError(`attribute sizes must add up to ${c} channels: it is [${sizes}]`);
    }
    checkGroups(groups, c);
    return sizes.map((size) => image(size, n, h, w));
  },
  copies: ({ groups = 1 }) => groups === 1 ? "cut" : null,
  kernels: ({ outputs, attrs: { groups = 1 }, limits }) => copies(outputs, true, groups, limits),
  gradient({ graph, node, grads }) {
    const parts = grads.map((g, i) =>
      g ?? graph.apply1(zeros, [], {
        shape: node.outputs[i].type.shape as ZerosAttributes["shape"],
      })
    );
    const { groups } = node.attrs;
    return [graph.apply1(concat, parts, groups === undefined ? null : { groups })];
  },
  reference([x], [{ shape }], { sizes, groups = 1 }) {
    const plane = x.length / shape[0], ordered = new Float64Array(x.length);
    shuffled(shape[0], groups).forEach((to, from) =>
      ordered.set(x.subarray(to * plane, (to + 1) * plane), from * plane)
    );
    let from = 0;
    return sizes.map((size) => ordered.slice(from, from += size * plane));
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
    { name: "sizes 2 and 6, shuffled in 4 groups", inputs: [image(8, 2, 3, 5)], attrs: { sizes: [2, 6], groups: 4 } },
  ],
};

/** Images of equal N, H and W -> one image with all their channels, in order (null) or shuffled. */
export const concat: OpSpec<ConcatAttributes | null> = {
  name: "concat",
  infer(inputs, attrs) {
    if (inputs.length === 0) {
      throw new RangeError("it needs at least one image");
    }
    const [, n, h, w] = expectImage(inputs[0], "input 0");
    let channels = 0;
    inputs.forEach((t, i) => {
      const [ci, ni, hi, wi] = expectImage(t, `input ${i}`);
      if (ni !== n || hi !== h || wi !== w) {
        throw new RangeError(`input ${i} must agree with input 0 in batch, height and width`);
      }
      channels += ci;
    });
    checkGroups(attrs?.groups, channels);
    return [image(channels, n, h, w)];
  },
  copies: (attrs) => (attrs?.groups ?? 1) === 1 ? "join" : null,
  kernels: ({ inputs, attrs, limits }) => copies(inputs, false, attrs?.groups ?? 1, limits),
  gradient({ graph, node, grads }) {
    if (!grads[0]) return node.inputs.map(() => null);
    const sizes = node.inputs.map((t) => t.type.shape[0]);
    return graph.apply(split, [grads[0]], { sizes, ...node.attrs });
  },
  onnx(context) {
    const { node } = context, groups = node.attrs?.groups ?? 1, [channels, , h, w] = node.outputs[0].type.shape;
    const joined = context.emit("Concat", node.inputs.map((_, i) => context.input(i)), { axis: 1 });
    if (groups === 1) return [joined];
    const reshape = (x: string, shape: number[]) =>
      context.emit("Reshape", [x, context.constant(`shape_${shape.join("_")}`, [shape.length], shape, "int64")]);
    const grouped = reshape(joined, [0, groups, channels / groups, h, w]);
    return [reshape(context.emit("Transpose", [grouped], { perm: [0, 2, 1, 3, 4] }), [0, channels, h, w])];
  },
  reference(inputs, types, attrs) {
    const planes = inputs.flatMap((x, i) => {
      const channels = types[i].shape[0], plane = x.length / channels;
      return Array.from({ length: channels }, (_, c) => x.subarray(c * plane, (c + 1) * plane));
    });
    const plane = planes[0].length, y = new Float64Array(planes.length * plane);
    shuffled(planes.length, attrs?.groups ?? 1).forEach((to, from) => y.set(planes[from], to * plane));
    return [y];
  },
  cases: () => [
    {
      name: "3, 1 and 2 channels",
      inputs: [image(3, 2, 5, 7), image(1, 2, 5, 7), image(2, 2, 5, 7)],
      attrs: null,
    },
    {
      name: "2 and 6 channels, shuffled in 4 groups",
      inputs: [image(2, 2, 5, 7), image(6, 2, 5, 7)],
      attrs: { groups: 4 },
    },
    {
      name: "5 and 10 channels, shuffled in 3 groups",
      inputs: [image(5, 1, 4, 4), image(10, 1, 4, 4)],
      attrs: { groups: 3 },
    },
    {
      name: "shuffled, with more than the portable number of bindings",
      inputs: Array.from({ length: 18 }, () => image(1, 1, 2, 3)),
      attrs: { groups: 6 },
    },
    { name: "one input", inputs: [image(1, 1, 3, 4)], attrs: null },
    {
      name: "more than the portable number of bindings",
      inputs: Array.from({ length: 17 }, (_, i) => image(1 + i % 2, 1, 2, 3)),
      attrs: null,
    },
  ],
};

/** For each channel its place after a shuffle in `groups` groups. */
function shuffled(channels: number, groups: number): number[] {
  const size = channels / groups;
  return Array.from({ length: channels }, (_, c) => c % size * groups + Math.floor(c / size));
}
