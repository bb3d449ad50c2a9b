/**
 * Gradients of the depthwise convolution, one for the input alone and one for the weights as well.
 * @module
 */
import lanesSource from "../../shaders/depthwise_grad_lanes.wgsl" with { type: "text" };
import source from "../../shaders/depthwise_grad.wgsl" with { type: "text" };
import { type Binding, type Dispatch, input, type KernelPlan, type OpSpec, output, scratch } from "../graph/op.ts";
import { inputGradient } from "./bn_grad.ts";
import { type DepthwiseAttributes, edgesAtOnce, geometry, isNorm, laneVariants, variants } from "./depthwise_cut.ts";
import { reducePartials } from "./reduce_partials.ts";
import { withRowEnds } from "./shader_parts.ts";

const shader = { name: "depthwise_grad", source },
  lanesShader = { name: "depthwise_grad_lanes", source: withRowEnds(lanesSource) };

/** What kernels of different kinds say of themselves. */
type Kernel = Pick<Dispatch, "shader" | "constants" | "params" | "workgroups">;

function gradOp(name: string, weights: boolean): OpSpec<DepthwiseAttributes> {
  /** Batch norm's own gradient begins with two sums for every channel, which the kernel has at hand. */
  const hasSums = ({ prologue }: DepthwiseAttributes) => prologue === "batch-norm-relu";
  return {
    name,
    testedBy: "depthwise",
    infer: ([, w, x]) => [x, ...(weights ? [w] : [])],
    kernels({ inputs: [, w, x], attrs, limits }) {
      const sizes = geometry(x, w, attrs), { CI, CO, K, D, S, PAD, ...g } = sizes;
      const norm = isNorm(attrs.prologue), sums = hasSums(attrs), MASK = attrs.prologue !== "none";
      const weightsEach = weights ? K ** 2 : 0, V = weightsEach + (sums ? 2 : 0);
      const results = weights ? [output(1)] : [];
      const common = { MASK, WEIGHTS: weights, NORM: norm, ...(norm ? { EPS: attrs.eps } : {}), SUMS: sums, V };
      /** Kernels that leave sums in `parts`, and what joins and uses these; 0: that do so themselves. */
      const plan = (parts: number, ...kernels: Kernel[]): KernelPlan => {
        const bindings = [
          ...[input(0), input(1), output(0)],
          ...(MASK || weights ? [input(2)] : []),
          ...(norm ? [input(3)] : []),
          ...(parts === 0 ? results : V > 0 ? [scratch(0)] : []),
        ];
        const reduce = (blockColumns: number, from: number, to: Binding) =>
          reducePartials(
            { count: CO * blockColumns, parts, blockRows: 1, blockColumns, columns: 1, stride: V, from },
            to,
          );
        const more = { ...common, BINDINGS: bindings.length }, joins = parts > 0 && sums;
        return {
          scratch: [
            ...(parts * V > 0 ? [CO * parts * V] : []),
            ...(joins ? [1, 2].map(() => Math.ceil(CI / 4) * 4) : []),
          ],
          dispatches: [
            ...kernels.map((kernel) => ({ ...kernel, constants: { ...kernel.constants, ...more }, bindings })),
            ...(parts > 0 ? results.map((result) => reduce(weightsEach, 0, result)) : []),
            ...(joins
              ? [
                ...[1, 2].map((i) => reduce(1, V - 3 + i, scratch(i))),
                inputGradient(x, attrs.eps, [input(2), input(3), scratch(1), scratch(2), output(0)]),
              ]
              : []),
          ],
        };
      };
      // Words that fill up the last vec4 of a result are zero, which only reduce_partials sees to.
      const whole = CO * weightsEach % 4 === 0;
      const windowRows = {
        LOW: Math.floor(PAD / Math.max(S, D)),
        WINDOW: S === 1 ? K : Math.floor((PAD + 1) / 2) + Math.floor(PAD / 2) + 1,
      };
      return [
        ...laneVariants(sizes, limits, [8, 64], ({ parts, constants, params }) => {
          const ALONE = parts === 1 && whole, edges = CO / CI, most = edgesAtOnce(constants);
          /** Edges from `first` to `last`, `E` at a time. */
          const pass = (E: number, first: number, last: number): Kernel => ({
            shader: lanesShader,
            constants: { ...constants, ...windowRows, RU: constants.CLASSES, E, ALONE },
            params: [...params, first, last, 0],
            workgroups: [parts, CI, 1],
          });
          // Two edges at once are much faster than two after each other. Four are a bit faster yet, but long shaders: only
          // for small windows, and not for the sake of alpha steps, which have no gradients of weights.
          const atOnce = [...(weights && most >= 8 ? [4] : []), ...(most >= 2 ? [2] : []), 1], passes: Kernel[] = [];
          let first = 0;
          for (const E of atOnce) {
            const last = edges - (edges - first) % E;
            if (last > first) passes.push(pass(E, first, last));
            first = last;
          }
          return plan(ALONE ? 0 : parts, ...passes);
        }),
        ...variants(
          { rows: g.H, classes: D, columns: g.P4, n: g.N, planes: CI },
          limits.software,
          ({ count, NG, constants }) => {
            const groups = Math.ceil(count / constants.WG), parts = constants.ACROSS ? groups : count;
            return plan(parts, {
              shader,
              constants: { ...g, K, D, S, PAD, ...constants, RU: D, LOADS: constants.TV + 2 },
              params: [CI, CO / CI, NG, parts],
              workgroups: [groups, CI, 1],
            });
          },
        ),
      ];
    },
    macs: ([gy, w]) =>
      (weights ? 2 : 1) * gy.shape[0] * gy.shape[1] * gy.shape[2] *
      gy.shape[3] * w.shape[1] ** 2,
  };
}

/** Gradient of {@linkcode depthwise} for x, through batch norm where that precedes it; inputs gy, w, x, and the statistics. */
export const depthwiseInputGrad: OpSpec<DepthwiseAttributes> = gradOp(
  "depthwise_input_grad",
  false,
);

/** Gradients of {@linkcode depthwise} for x and w in one kernel; inputs as {@linkcode depthwiseInputGrad}. */
export const depthwiseGrad: OpSpec<DepthwiseAttributes> = gradOp(
  "depthwise_grad",
  true,
);
