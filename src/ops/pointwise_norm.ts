/**
 * 1x1 convolution, batch norm with given statistics and a sum in one operation, for networks that only predict: nothing
 * between the three is stored. Not differentiable.
 * @module
 */
import { pointwiseNorm as source } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type KernelContext, type KernelVariant, type OpSpec, output } from "../graph/op.ts";
import { dense, image, sameType } from "../graph/tensor_type.ts";
import { hasLanes } from "./lanes.ts";
import { largestDivisor } from "./launch.ts";
import { normalize } from "./normalize.ts";
import { pointwise } from "./pointwise.ts";
import { anyLanes } from "./pointwise_any.ts";
import { type PointwiseAttributes, sizesOf } from "./pointwise_product.ts";

const pixels = read("vec4f", "bf16"), perChannel = read("f32");
const shader = kernel("pointwise_norm", source, {
  buffers: {
    ...{ x: pixels, w: read("f32"), stats: perChannel, gamma: perChannel, beta: perChannel },
    ...{ more: optional(pixels), y: write("vec4f", "bf16") },
  },
  params: {
    inputGroups: "u32",
    inChannels: "u32",
    outChannels: "u32",
    channels: "u32",
    length: "u32",
    width: "u32",
    relu: "u32",
  },
});
const norm = { stats: input(2), gamma: input(3), beta: input(4) };

/** Attributes of {@linkcode pointwiseNorm}. */
export interface PointwiseNormAttributes extends PointwiseAttributes {
  /** Added to the variance. */
  readonly eps: number;
}

/** Up to `rows` results of `PV` vec4s of pixels for an invocation. */
function block({ inputs, attrs }: KernelContext<PointwiseNormAttributes>, rows: number, PV: number): KernelVariant {
  const [x, w] = inputs, { CI, CO, GI, GROUPS, M4 } = sizesOf(x, w, attrs), width = x.shape[3], ADD = inputs.length > 5;
  const OB = largestDivisor(CO, rows), WG = M4 >= 64 * PV * 8 ? 64 : 16;
  return {
    name: `block ${OB}x${PV}`,
    plan: () => ({
      dispatches: [dispatch(shader, {
        constants: { EPS: attrs.eps, TAIL: width % 4 !== 0, ADD, OB, PV, WG },
        buffers: { ...norm, x: input(0), w: input(1), ...(ADD && { more: input(5) }), y: output(0) },
        params: {
          ...{ inputGroups: GI, inChannels: CI, outChannels: CO, channels: w.shape[0] },
          ...{ length: M4, width, relu: Number(attrs.relu) },
        },
        workgroups: [Math.ceil(M4 / (WG * PV)), GROUPS * CO / OB, 1],
      })],
    }),
  };
}

/** All in one walk of 8 lanes. */
function lanes({ inputs, attrs, limits }: KernelContext<PointwiseNormAttributes>): KernelVariant[] {
  if (!hasLanes(limits)) return [];
  const [x, w] = inputs, more = inputs.length > 5 ? input(5) : undefined, { relu, eps } = attrs;
  return anyLanes({ ...sizesOf(x, w, attrs), x, relu, norm: { eps, ...norm }, more });
}

/** `(x, w, stats [2,C], gamma [C], beta [C][, more]) -> normalize(pointwise(x, w), stats, gamma, beta) [+ more]`. */
export const pointwiseNorm: OpSpec<PointwiseNormAttributes> = {
  name: "pointwise_norm",
  infer([x, w, stats, gamma, beta, more], attrs) {
    const made = pointwise.infer([x, w], attrs),
      [y] = normalize.infer([made[0], stats, gamma, beta], { ...attrs, batch: false });
    if (more && !sameType({ ...more, dtype: y.dtype }, y)) {
      throw new RangeError("what is added must have the result's shape");
    }
    return [y];
  },
  kernels(context) {
    return [...lanes(context), block(context, 8, 2), block(context, 16, 2), block(context, 4, 4)];
  },
  reference(inputs, types, attrs) {
    const [x, w, stats, gamma, beta, more] = inputs, [made] = pointwise.infer(types.slice(0, 2), attrs);
    const [z] = pointwise.reference!([x, w], types, attrs);
    const [y] = normalize.reference!([z, stats, gamma, beta], [made], { eps: attrs.eps, batch: false });
    return [more ? y.map((v, i) => v + more[i]) : y];
  },
  cases() {
    const made = (
      name: string,
      x: ReturnType<typeof image>,
      [outputs, operands]: readonly [number, number],
      attrs: PointwiseAttributes,
      add: boolean,
    ) => {
      const vector = dense([outputs]), [, n, h, w] = x.shape;
      return {
        name,
        inputs: [
          ...[x, dense([outputs, operands]), dense([2, outputs]), vector, vector],
          ...(add ? [image(outputs, n, h, w)] : []),
        ],
        attrs: { ...attrs, eps: 1e-5 },
        fill: (index: number, e: number, normal: number, u: number) => index === 2 && e >= outputs ? 0.5 + u : normal,
      };
    };
    const one = { groups: 1, inputGroups: 1 };
    return [
      made("16 channels, ReLU", image(16, 2, 4, 8), [16, 16], { ...one, relu: true }, false),
      made("12 to 36 channels, added, odd size", image(12, 2, 3, 5), [36, 12], { ...one, relu: true }, true),
      made("7 to 5 channels, added", image(7, 1, 5, 4), [5, 7], { ...one, relu: false }, true),
      made("2 groups of 18", image(36, 1, 3, 7), [36, 18], { groups: 2, inputGroups: 2, relu: false }, false),
      made("2 groups of 1 input group", image(8, 3, 2, 2), [20, 8], { groups: 2, inputGroups: 1, relu: true }, true),
      made("216 to 24 channels, in three walks, added", image(216, 1, 2, 6), [24, 216], { ...one, relu: true }, true),
      made("144 to 40 channels", image(144, 1, 2, 9), [40, 144], { ...one, relu: true }, false),
    ];
  },
  macs: (inputs, outputs, attrs) => pointwise.macs!(inputs, outputs, attrs),
};
