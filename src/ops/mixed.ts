/**
 * The mixed operation of a supernet: softmax-weighted sums of candidate outputs. One node of the graph makes the
 * outputs of all edges that leave one source, side by side in one image, so that a candidate that edges share (a pool)
 * or that was computed for all of them at once (a grouped convolution) is read where it lies. The candidates' last batch
 * norm is folded into the sum, forward and backward: normalised candidates are never stored.
 * @module
 */
import sumSource from "../../shaders/mixed_sum.wgsl" with { type: "text" };
import sumsSource from "../../shaders/mixed_grad_sums.wgsl" with {
  type: "text",
};
import inputSource from "../../shaders/mixed_input_grad.wgsl" with {
  type: "text",
};
import weightSource from "../../shaders/mixed_weight_grad.wgsl" with {
  type: "text",
};
import type { Tensor } from "../graph/graph.ts";
import { type Binding, type Dispatch, input, type OpSpec, output, uniformInput } from "../graph/op.ts";
import { dense, image, sameKind, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { joinedStrands, manyWorkgroups, rowWord } from "./channel.ts";
import { imageVec4s } from "./launch.ts";
import { mixedCases, mixedReference } from "./mixed_reference.ts";
import { withRowEnds } from "./shader_parts.ts";

const sumShader = { name: "mixed_sum", source: withRowEnds(sumSource) };
const sumsShader = { name: "mixed_grad_sums", source: sumsSource };
const inputShader = { name: "mixed_input_grad", source: withRowEnds(inputSource) };
const weightShader = { name: "mixed_weight_grad", source: weightSource };

/** One candidate of a mixed operation. */
export interface MixedCandidate {
  /** Its column in the architecture weights. */
  readonly column: number;
  /** `batch`: normalised with the batch's statistics; `fixed`: with constant ones; `none`: taken as it is. */
  readonly norm: "none" | "batch" | "fixed";
  /** For every edge, the group of channels that belongs to it, or -1 where the edge has not this candidate. */
  readonly groups: readonly number[];
}

/** Attributes of {@linkcode mixed}. */
export interface MixedAttributes {
  /** Channels of an output. */
  readonly channels: number;
  /** Row of the architecture weights for every edge. */
  readonly rows: readonly number[];
  readonly candidates: readonly MixedCandidate[];
  readonly eps: number;
  /** Whether the last input holds sums to add to, which are overwritten. */
  readonly accumulate: boolean;
}

/** Positions of the operands of a mixed operation. Input 0 holds the weights; a candidate's statistics follow it. */
interface Operands {
  readonly z: number[];
  readonly stats: number[];
  /** -1 where there are none. */
  readonly sums: number;
}

function operands({ candidates, accumulate }: MixedAttributes): Operands {
  let next = 1;
  const z: number[] = [], stats: number[] = [];
  for (const { norm } of candidates) {
    z.push(next++);
    stats.push(norm === "none" ? -1 : next++);
  }
  return { z, stats, sums: accumulate ? next : -1 };
}

/**
 * Bytes that statistics are bound as, so that layers which differ in width alone share a pipeline; arenas of
 * statistics have this much slack.
 */
export const STATISTICS_UNIFORM_BYTES = 16384;

const NONE = 0xffffffff;

/** Parameters hold room for so many edges, or multiples of it: programs of fewer do not differ. */
const EDGES_ROOM = 8;

/** vec4s and elements of a channel, and what its rows are. */
function sizes(z: TensorType) {
  const [, n, h, w] = z.shape;
  return { m4: imageVec4s(z), elements: n * h * w, row: rowWord(z) };
}

/** Which candidates an edge has. */
const liveOn = ({ candidates }: MixedAttributes, edge: number): number[] =>
  candidates.map((_, k) => k).filter((k) => candidates[k].groups[edge] >= 0);

/** Edges behind each other that have the same candidates. */
function runsOf(attrs: MixedAttributes): { readonly first: number; readonly count: number; readonly live: number[] }[] {
  const runs: { first: number; count: number; live: number[] }[] = [];
  attrs.rows.forEach((_, edge) => {
    const live = liveOn(attrs, edge), last = runs.at(-1);
    if (last && last.live.join() === live.join()) last.count++;
    else runs.push({ first: edge, count: 1, live });
  });
  return runs;
}

/**
 * What both passes over the candidates share: cuts each run of edges into dispatches that bind at most `most`
 * candidates and describes these to the shader, whose strands walk `share` vec4s.
 */
function candidateParts(
  inputs: readonly TensorType[],
  attrs: MixedAttributes,
  most: number,
  share: number,
  firstStatsBinding: number,
) {
  const at = operands(attrs), { rows, channels, eps } = attrs, columns = inputs[0].shape[1];
  const { m4, elements, row } = sizes(inputs[at.z[0]]);
  return runsOf(attrs).flatMap(({ first, count, live }) => {
    const parts = [], room = EDGES_ROOM * Math.ceil(count / EDGES_ROOM);
    for (let from = 0; from < live.length; from += most) {
      const part = live.slice(from, from + most), stats: Binding[] = [];
      const constants: Record<string, number | boolean> = {}, described: number[] = [];
      part.forEach((k, i) => {
        const normed = attrs.candidates[k].norm !== "none", type = normed ? inputs[at.stats[k]] : null;
        constants[`NORM${i}`] = normed;
        if (type) {
          const bytes = Math.max(STATISTICS_UNIFORM_BYTES, storageLength(type) * 4);
          constants[`STATS_SLOT${i}`] = stats.length;
          constants[`STATS_SIZE${i}`] = bytes / 16;
          stats.push(uniformInput(at.stats[k], bytes));
        }
        described.push(type ? type.shape[1] : 0, k, 0, 0);
      });
      for (let edge = first; edge < first + count; edge++) {
        for (const k of part) {
          const { groups, column } = attrs.candidates[k], channel = groups[edge] * channels;
          described.push(channel * m4, channel, rows[edge] * columns + column, 0);
        }
      }
      const COUNT = part.length, words = [channels, m4, share, first, row, elements, rows.length * channels, 0];
      const params = [...words, ...described], PARAMS = 2 + COUNT * (1 + room), statsAt = COUNT + firstStatsBinding;
      Object.assign(constants, {
        ...{ COUNT, PARAMS, WEIGHTS: storageLength(inputs[0]) / 4, EPS: eps },
        ...{ STATS_AT: statsAt, PARAMS_AT: statsAt + stats.length },
      });
      parts.push({
        candidates: part,
        zs: part.map((k) => input(at.z[k])),
        stats,
        constants,
        params: [...params, ...Array(4 * PARAMS - params.length).fill(0)],
        outputs: count * channels,
        more: from > 0,
      });
    }
    return parts;
  });
}

/**
 * Outputs of all edges of one source, side by side: inputs and attributes as {@linkcode MixedAttributes} says;
 * `[edges*C,N,H,W]`.
 */
export const mixed: OpSpec<MixedAttributes> = {
  name: "mixed",
  infer(inputs, attrs) {
    const at = operands(attrs),
      { channels, rows, candidates } = attrs,
      z0 = inputs[at.z[0]];
    if (!z0) throw new RangeError("it needs at least one candidate");
    const [, n, h, w] = z0.shape, out = image(rows.length * channels, n, h, w);
    candidates.forEach(({ groups, column, norm }, k) => {
      const z = inputs[at.z[k]], wide = (Math.max(...groups) + 1) * channels;
      if (groups.length !== rows.length || !sameKind(z, image(wide, n, h, w))) {
        throw new RangeError(`candidate ${k} must be [${wide},${n},${h},${w}] for ${rows.length} edges`);
      }
      if (column >= inputs[0].shape[1]) {
        throw new RangeError(`weight column ${column} does not exist`);
      }
      if (norm !== "none" && inputs[at.stats[k]].shape[1] !== wide) {
        throw new RangeError(`statistics ${k} do not fit`);
      }
    });
    if (at.sums >= 0 && !sameKind(inputs[at.sums], out)) {
      throw new RangeError("sums to add to have another shape");
    }
    return [out];
  },
  inPlace(_, attrs): Record<number, number> {
    const { sums } = operands(attrs);
    return sums < 0 ? {} : { 0: sums };
  },
  kernels({ inputs, attrs, limits }) {
    const { m4 } = sizes(inputs[operands(attrs).z[0]]), { groups, SHARE, SIZE } = manyWorkgroups(m4);
    const most = Math.min(limits.maxStorageBuffersPerShaderStage - 1, 8), weights = storageLength(inputs[0]) * 4;
    return {
      dispatches: candidateParts(inputs, attrs, most, SHARE, 2).map((
        { zs, stats, constants, params, outputs, more },
      ) => ({
        shader: sumShader,
        constants: { ...constants, WG: SIZE, ACCUMULATE: attrs.accumulate || more },
        bindings: [...zs, output(0), uniformInput(0, weights), ...stats],
        params,
        workgroups: [groups, outputs, 1],
      })),
    };
  },
  gradient({ graph, node, grads: [g], needs }) {
    const { inputs } = node, attrs = { ...node.attrs, accumulate: false }, at = operands(node.attrs);
    const result: (Tensor | null)[] = inputs.map(() => null), own = at.sums < 0 ? inputs : inputs.slice(0, at.sums);
    if (at.sums >= 0) result[at.sums] = g;
    const coefficients = graph.apply1(mixedGradSums, [...own, g!], attrs, "sums");
    // Candidates with the same groups share the loads of the edges' gradients.
    const alike = Map.groupBy(
      attrs.candidates.map((_, k) => k).filter((k) => needs[at.z[k]]),
      (k) => `${attrs.candidates[k].groups} of ${inputs[at.z[k]].type.shape[0]}`,
    );
    for (const of of alike.values()) {
      const zs = of.map((k) => inputs[at.z[k]]), label = `dz${of.map((k) => attrs.candidates[k].column).join("_")}`;
      graph.apply(mixedInputGrad, [coefficients, ...zs, g!], { ...attrs, of }, label)
        .forEach((gz, i) => result[at.z[of[i]]] = gz);
    }
    if (needs[0]) {
      result[0] = graph.apply1(mixedWeightGrad, [coefficients], { ...attrs, weights: inputs[0].type.shape }, "dw");
    }
    return result;
  },
  reference: mixedReference,
  cases: mixedCases,
};

/**
 * Coefficients `[candidates, edges, C, 4]` of the gradients; inputs of {@linkcode mixed} without sums, then the
 * gradient.
 */
export const mixedGradSums: OpSpec<MixedAttributes> = {
  name: "mixed_grad_sums",
  testedBy: "mixed",
  infer: (
    _,
    { candidates, rows, channels },
  ) => [dense([candidates.length, rows.length, channels, 4])],
  kernels({ inputs, attrs, limits }) {
    const { m4 } = sizes(inputs[operands(attrs).z[0]]), { SIZE, SHARE, SHUFFLED } = joinedStrands(m4, limits);
    const most = Math.min(limits.maxStorageBuffersPerShaderStage - 2, 8), weights = storageLength(inputs[0]) * 4;
    return {
      dispatches: candidateParts(inputs, attrs, most, SHARE, 3).map((part) => {
        const { candidates, zs, stats, constants, params, outputs } = part;
        const batch = candidates.map((k, i) => [`BATCH${i}`, attrs.candidates[k].norm === "batch"]);
        return {
          shader: sumsShader,
          constants: { ...constants, ...Object.fromEntries(batch), WG: SIZE, SHUFFLED },
          bindings: [...zs, output(0), uniformInput(0, weights), input(inputs.length - 1), ...stats],
          params,
          workgroups: [1, outputs, 1],
        };
      }),
    };
  },
};

/** Whether each of the groups belongs to just one edge. */
function hasSingleEdges(groups: readonly number[], all: number): boolean {
  return groups.length === all && new Set(groups).size === all && !groups.includes(-1);
}

/**
 * Gradients of the candidates `of` of {@linkcode mixed}, which have the same groups; inputs coefficients, their z, and
 * the gradient.
 */
export const mixedInputGrad: OpSpec<
  MixedAttributes & { readonly of: readonly number[] }
> = {
  name: "mixed_input_grad",
  testedBy: "mixed",
  infer: (inputs, { of }) => inputs.slice(1, 1 + of.length),
  kernels({ inputs, attrs, limits }) {
    const { candidates, of, rows, channels } = attrs, { groups } = candidates[of[0]], z = inputs[1];
    const { m4, row } = sizes(z), { groups: parts, SHARE, SIZE } = manyWorkgroups(m4);
    const most = Math.floor((limits.maxStorageBuffersPerShaderStage - 2) / 2), all = z.shape[0] / channels;
    const SINGLE = hasSingleEdges(groups, all), EDGES = SINGLE ? EDGES_ROOM * Math.ceil(all / EDGES_ROOM) : rows.length;
    const edges = SINGLE ? groups.map((_, group) => groups.indexOf(group)) : groups.map((g) => g < 0 ? NONE : g);
    const normed = (k: number) => candidates[k].norm === "batch", dispatches: Dispatch[] = [];
    for (let first = 0; first < of.length; first += most) {
      // Those that were normalised come first.
      const several = of.slice(first, first + most).sort((k, l) => +normed(l) - +normed(k)), K = several.length;
      const NORMED = several.filter(normed).length, at = (k: number) => of.indexOf(k);
      dispatches.push({
        shader: inputShader,
        constants: { EDGES, K, NORMED, WG: SIZE, SINGLE },
        bindings: [
          input(inputs.length - 1),
          input(0),
          ...several.map((k) => output(at(k))),
          ...several.slice(0, NORMED).map((k) => input(1 + at(k))),
        ],
        params: [
          ...[channels, SHARE, m4, row],
          ...several.flatMap((k) => [k * rows.length * channels, 0, 0, 0]),
          ...Array.from({ length: EDGES }, (_, e) => [edges[e] ?? NONE, 0, 0, 0]).flat(),
        ],
        workgroups: [parts, z.shape[0], 1],
      });
    }
    return { dispatches };
  },
};

/** Gradient `[E, K]` of the architecture weights of {@linkcode mixed}; input coefficients. */
export const mixedWeightGrad: OpSpec<
  MixedAttributes & { readonly weights: readonly number[] }
> = {
  name: "mixed_weight_grad",
  testedBy: "mixed",
  infer: (_, { weights }) => [dense(weights)],
  kernels({ outputs: [dw], attrs: { candidates, rows, channels, weights } }) {
    const params = candidates.flatMap(({ column, groups }, k) =>
      rows.flatMap((row, e) => [
        groups[e] < 0 ? NONE : row * weights[1] + column,
        (k * rows.length + e) * channels,
        channels,
        0,
      ])
    );
    return {
      dispatches: [{
        shader: weightShader,
        constants: { TERMS: params.length / 4, SIZE: storageLength(dw) },
        bindings: [input(0), output(0)],
        params,
        workgroups: [1, 1, 1],
      }],
    };
  },
};
