/**
 * Gradients of the depthwise convolution, one for the input alone and one for the weights as well.
 * @module
 */
import source from "../../shaders/depthwise_grad.wgsl" with { type: "text" };
import { type Binding, input, type KernelPlan, type OpSpec, output, scratch } from "../graph/op.ts";
import { dense } from "../graph/tensor_type.ts";
import {
  type Cut,
  type DepthwiseAttributes,
  geometry,
  isNorm,
  STRANDS_BUSY,
  SUBGROUPS_BUSY,
  variants,
  wholeRows,
  WIDEST_TILE,
} from "./depthwise_cut.ts";
import { reducePartials } from "./reduce_partials.ts";

const shader = { name: "depthwise_grad", source };

function gradOp(name: string, weights: boolean): OpSpec<DepthwiseAttributes> {
  /** Batch norm's own gradient begins with two sums for every channel, which this kernel has at hand. */
  const hasSums = ({ prologue }: DepthwiseAttributes) => prologue === "batch-norm-relu";
  return {
    name,
    testedBy: "depthwise",
    infer([, w, x], attrs) {
      const channels = dense([x.shape[0]]);
      return [x, ...(weights ? [w] : []), ...(hasSums(attrs) ? [channels, channels] : [])];
    },
    kernels({ inputs: [, w, x], attrs, limits }) {
      const { CI, CO, ...g } = geometry(x, w, attrs), norm = isNorm(attrs.prologue), sums = hasSums(attrs);
      const PAIRS = g.S === 2 && !norm && limits.software && g.P4 <= WIDEST_TILE;
      const rows = PAIRS ? { rows: Math.ceil(g.H / 2), classes: 1 } : { rows: g.H, classes: g.D };
      const size = { ...rows, columns: g.P4, n: g.N, planes: CI };
      const MASK = attrs.prologue !== "none", readsX = MASK || weights, weightsEach = weights ? g.K ** 2 : 0;
      const V = weightsEach + (sums ? 2 : 0);
      const plan = ({ count, NG, constants }: Cut): KernelPlan => {
        const { WG, ACROSS } = constants, groups = Math.ceil(count / WG), subgroups = Math.ceil(count / 8);
        const SHUFFLED = limits.subgroupSize === 8 && !ACROSS;
        const ALONE = SHUFFLED && subgroups === 1 && CO * weightsEach % 4 === 0 && (!sums || CI % 4 === 0);
        const PARTS = ACROSS ? groups : SHUFFLED ? subgroups : count;
        const results = [
          ...(weights ? [output(1)] : []),
          ...(sums ? [weights ? 2 : 1, weights ? 3 : 2].map(output) : []),
        ];
        const bindings = [
          ...[input(0), input(1), output(0)],
          ...(readsX ? [input(2)] : []),
          ...(norm ? [input(3)] : []),
          ...(ALONE ? results : V > 0 ? [scratch(0)] : []),
        ];
        const reduce = (blockColumns: number, from: number, { index }: Binding) =>
          reducePartials(
            { count: CO * blockColumns, parts: PARTS, blockRows: 1, blockColumns, columns: 1, stride: V, from },
            index,
          );
        return {
          scratch: ALONE || V === 0 ? [] : [CO * PARTS * V],
          dispatches: [
            {
              shader,
              constants: {
                ...g,
                ...constants,
                RU: g.D,
                LOADS: constants.TV + 2,
                MASK,
                WEIGHTS: weights,
                NORM: norm,
                ...(norm ? { EPS: attrs.eps } : {}),
                SUMS: sums,
                PAIRS,
                WINDOW: Math.floor((g.PAD + 1) / 2) + Math.floor(g.PAD / 2) + 1,
                SHUFFLED,
                ALONE,
                V,
                BINDINGS: bindings.length,
              },
              bindings,
              params: [CI, CO / CI, NG, PARTS],
              workgroups: [groups, CI, 1],
            },
            ...(ALONE
              ? []
              : results.map((result, i) =>
                weights && i === 0 ? reduce(weightsEach, 0, result) : reduce(1, V - results.length + i, result)
              )),
          ],
        };
      };
      const busy = limits.subgroupSize === 8 ? SUBGROUPS_BUSY : STRANDS_BUSY;
      return PAIRS ? wholeRows(size, busy, plan) : variants(size, limits.software, plan, busy);
    },
    macs: ([gy, w]) =>
      (weights ? 2 : 1) * gy.shape[0] * gy.shape[1] * gy.shape[2] *
      gy.shape[3] * w.shape[1] ** 2,
  };
}

/**
 * Gradient of {@linkcode depthwise} for x (before batch norm's own gradient); inputs gy, w, x, and the statistics. After
 * a batch norm there are two more outputs `[C]`, the sums of the gradient and of its product with the normalised x.
 */
export const depthwiseInputGrad: OpSpec<DepthwiseAttributes> = gradOp(
  "depthwise_input_grad",
  false,
);

/** Gradients of {@linkcode depthwise} for x and w in one kernel; inputs as {@linkcode depthwiseInputGrad}. */
export const depthwiseGrad: OpSpec<DepthwiseAttributes> = gradOp(
  "depthwise_grad",
  true,
);
