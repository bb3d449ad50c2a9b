/**
 * The mixed operation of a supernet: softmax-weighted sums of candidate outputs. One node of the graph makes the
 * outputs of all edges that leave one source, so that a candidate that edges share (a pool) or that was computed for
 * all of them at once (a grouped convolution) is read where it lies. The candidates' last batch norm is folded into
 * the sum, forward and backward: normalised candidates are never stored.
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

const sumShader = { name: "mixed_sum", source: sumSource };
const sumsShader = { name: "mixed_grad_sums", source: sumsSource };
const inputShader = { name: "mixed_input_grad", source: inputSource };
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
  /** Whether the last inputs are sums to add to, one per edge, which are overwritten. */
  readonly accumulate: boolean;
}

/** Positions of the operands of a mixed operation. Input 0 holds the weights; a candidate's statistics follow it. */
interface Operands {
  readonly z: number[];
  readonly stats: number[];
  readonly sums: number[];
}

function operands({ candidates, rows, accumulate }: MixedAttributes): Operands {
  let next = 1;
  const z: number[] = [], stats: number[] = [];
  for (const { norm } of candidates) {
    z.push(next++);
    stats.push(norm === "none" ? -1 : next++);
  }
  return { z, stats, sums: accumulate ? rows.map(() => next++) : [] };
}

/**
 * Bytes that statistics are bound as, so that layers which differ in width alone share a pipeline; arenas of
 * statistics have this much slack.
 */
export const STATISTICS_UNIFORM_BYTES = 16384;

const NONE = 0xffffffff;

/** vec4s and elements of a channel, and what its rows are. */
function sizes(z: TensorType) {
  const [, n, h, w] = z.shape;
  return { m4: imageVec4s(z), elements: n * h * w, row: rowWord(z) };
}

/**
 * What both passes over the candidates of one edge share: cuts them into dispatches that bind at most `most` of them
 * and describes each candidate to the shader.
 */
function edgeParts(
  inputs: readonly TensorType[],
  attrs: MixedAttributes,
  edge: number,
  most: number,
  firstStatsBinding: number,
) {
  const at = operands(attrs),
    live = attrs.candidates.map((_, k) => k).filter((k) => attrs.candidates[k].groups[edge] >= 0);
  const parts = [];
  for (let from = 0; from < live.length; from += most) {
    const part = live.slice(from, from + most), stats: Binding[] = [];
    const constants: Record<string, number | boolean> = {},
      words: number[] = [];
    part.forEach((k, i) => {
      const { norm, groups, column } = attrs.candidates[k],
        group = groups[edge];
      constants[`NORM${i}`] = norm !== "none";
      let statsChannels = 0;
      if (norm !== "none") {
        const type = inputs[at.stats[k]], bytes = Math.max(STATISTICS_UNIFORM_BYTES, storageLength(type) * 4);
        statsChannels = type.shape[1];
        constants[`STATS_SLOT${i}`] = stats.length;
        constants[`STATS_SIZE${i}`] = bytes / 16;
        stats.push(uniformInput(at.stats[k], bytes));
      }
      const first = group * attrs.channels;
      words.push(first * imageVec4s(inputs[at.z[k]]), first, statsChannels, column + 65536 * k);
    });
    const { eps } = attrs, statsAt = part.length + firstStatsBinding;
    Object.assign(constants, {
      COUNT: part.length,
      COLUMNS: inputs[0].shape[1],
      WEIGHTS: storageLength(inputs[0]) / 4,
      STATS_AT: statsAt,
      PARAMS_AT: statsAt + stats.length,
      EPS: eps,
    });
    parts.push({
      candidates: part,
      zs: part.map((k) => input(at.z[k])),
      stats,
      constants,
      words,
    });
  }
  return parts;
}

/** Outputs of all edges of one source: inputs and attributes as {@linkcode MixedAttributes} says; m images `[C,N,H,W]`. */
export const mixed: OpSpec<MixedAttributes> = {
  name: "mixed",
  infer(inputs, attrs) {
    const at = operands(attrs),
      { channels, rows, candidates } = attrs,
      z0 = inputs[at.z[0]];
    if (!z0) throw new RangeError("it needs at least one candidate");
    const out = image(channels, z0.shape[1], z0.shape[2], z0.shape[3]);
    candidates.forEach(({ groups, column, norm }, k) => {
      const z = inputs[at.z[k]], wide = (Math.max(...groups) + 1) * channels;
      if (
        groups.length !== rows.length ||
        !sameKind(z, { ...out, shape: [wide, ...out.shape.slice(1)] })
      ) {
        throw new RangeError(
          `candidate ${k} must be [${wide},${out.shape.slice(1)}] for ${rows.length} edges`,
        );
      }
      if (column >= inputs[0].shape[1]) {
        throw new RangeError(`weight column ${column} does not exist`);
      }
      if (norm !== "none" && inputs[at.stats[k]].shape[1] !== wide) {
        throw new RangeError(`statistics ${k} do not fit`);
      }
    });
    if (!at.sums.every((i) => sameKind(inputs[i], out))) {
      throw new RangeError("sums to add to have another shape");
    }
    return rows.map(() => out);
  },
  inPlace(_, attrs) {
    return Object.fromEntries(operands(attrs).sums.map((i, edge) => [edge, i]));
  },
  kernels({ inputs, attrs, limits }) {
    const { m4, row: rowSize } = sizes(inputs[operands(attrs).z[0]]),
      { groups, SHARE, SIZE } = manyWorkgroups(m4);
    const most = Math.min(limits.maxStorageBuffersPerShaderStage - 1, 8), weights = storageLength(inputs[0]) * 4;
    const dispatches = attrs.rows.flatMap((row, edge) =>
      edgeParts(inputs, attrs, edge, most, 2).map(({ zs, stats, constants, words }, i): Dispatch => ({
        shader: sumShader,
        constants: { ...constants, WG: SIZE, ACCUMULATE: attrs.accumulate || i > 0 },
        bindings: [...zs, output(edge), uniformInput(0, weights), ...stats],
        params: [row, m4, rowSize, SHARE, ...words],
        workgroups: [groups, attrs.channels, 1],
      }))
    );
    return { dispatches };
  },
  gradient({ graph, node, grads, needs }) {
    const { attrs, inputs } = node,
      at = operands(attrs),
      result: (Tensor | null)[] = inputs.map(() => null);
    at.sums.forEach((i, edge) => result[i] = grads[edge]);
    // An edge that the loss does not depend on contributes nothing.
    const live = attrs.rows.map((_, e) => e).filter((e) => grads[e]),
      gs = live.map((e) => grads[e]!);
    if (live.length === 0) return result;
    const kept: MixedAttributes = {
      ...attrs,
      accumulate: false,
      rows: live.map((e) => attrs.rows[e]),
      candidates: attrs.candidates.map((c) => ({
        ...c,
        groups: live.map((e) => c.groups[e]),
      })),
    };
    const own = at.sums.length ? inputs.slice(0, at.sums[0]) : inputs;
    const [coefficients] = graph.apply(
      mixedGradSums,
      [...own, ...gs],
      kept,
      "sums",
    );
    // Candidates with the same groups share the loads of the edges' gradients.
    const alike = Map.groupBy(
      attrs.candidates.map((_, k) => k).filter((k) => needs[at.z[k]]),
      (k) => `${kept.candidates[k].groups} of ${inputs[at.z[k]].type.shape[0]}`,
    );
    for (const of of alike.values()) {
      const zs = of.map((k) => inputs[at.z[k]]), attributes = { ...kept, of };
      const label = `dz${of.map((k) => attrs.candidates[k].column).join("_")}`;
      graph.apply(mixedInputGrad, [coefficients, ...zs, ...gs], attributes, label)
        .forEach((gz, i) => result[at.z[of[i]]] = gz);
    }
    if (needs[0]) {
      result[0] = graph.apply1(mixedWeightGrad, [coefficients], {
        ...kept,
        weights: inputs[0].type.shape,
      }, "dw");
    }
    return result;
  },
  reference: mixedReference,
  cases: mixedCases,
};

/** Coefficients `[candidates, edges, C, 4]` of the gradients; inputs of {@linkcode mixed} without sums, then the m gradients. */
export const mixedGradSums: OpSpec<MixedAttributes> = {
  name: "mixed_grad_sums",
  testedBy: "mixed",
  infer: (
    _,
    { candidates, rows, channels },
  ) => [dense([candidates.length, rows.length, channels, 4])],
  kernels({ inputs, attrs, limits }) {
    const { m4, elements } = sizes(inputs[operands(attrs).z[0]]), { SIZE, SHARE, SHUFFLED } = joinedStrands(m4, limits);
    const most = Math.min(limits.maxStorageBuffersPerShaderStage - 2, 8), weights = storageLength(inputs[0]) * 4;
    const { channels, rows } = attrs, firstGrad = inputs.length - rows.length;
    const dispatches = rows.flatMap((row, edge) =>
      edgeParts(inputs, attrs, edge, most, 3).map(({ candidates, zs, stats, constants, words }): Dispatch => ({
        shader: sumsShader,
        constants: {
          ...constants,
          ...Object.fromEntries(candidates.map((k, i) => [`BATCH${i}`, attrs.candidates[k].norm === "batch"])),
          WG: SIZE,
          SHUFFLED,
        },
        bindings: [...zs, output(0), uniformInput(0, weights), input(firstGrad + edge), ...stats],
        params: [...[row, edge * channels, rows.length * channels, m4], ...[elements, SHARE, 0, 0], ...words],
        workgroups: [channels, 1, 1],
      }))
    );
    return { dispatches };
  },
};

/** Whether each of the groups belongs to just one edge. */
function hasSingleEdges(groups: readonly number[], all: number): boolean {
  return groups.length === all && new Set(groups).size === all && !groups.includes(-1);
}

/** Gradients of the candidates `of` of {@linkcode mixed}, which have the same groups; inputs coefficients, their z, and the m gradients. */
export const mixedInputGrad: OpSpec<
  MixedAttributes & { readonly of: readonly number[] }
> = {
  name: "mixed_input_grad",
  testedBy: "mixed",
  infer: (inputs, { of }) => inputs.slice(1, 1 + of.length),
  kernels({ inputs, attrs, limits }) {
    const { candidates, of, rows, channels } = attrs, { groups } = candidates[of[0]], z = inputs[1];
    const { m4, row } = sizes(z), { groups: parts, SHARE, SIZE } = manyWorkgroups(m4);
    const bound = limits.maxStorageBuffersPerShaderStage - 1, edges = Math.min(rows.length, bound - 2);
    const most = Math.floor((bound - edges) / 2), SINGLE = hasSingleEdges(groups, z.shape[0] / channels);
    const normed = (k: number) => candidates[k].norm === "batch", dispatches: Dispatch[] = [];
    for (let first = 0; first < of.length; first += most) {
      // Those that were normalised come first.
      const several = of.slice(first, first + most).sort((k, l) => +normed(l) - +normed(k));
      const NORMED = several.filter(normed).length, at = (k: number) => of.indexOf(k);
      for (let from = 0; from < rows.length; from += edges) {
        const part = groups.slice(from, from + edges);
        dispatches.push({
          shader: inputShader,
          constants: { COUNT: part.length, K: several.length, NORMED, WG: SIZE, SINGLE, ACCUMULATE: from > 0 },
          bindings: [
            ...part.map((_, e) => input(1 + of.length + from + e)),
            input(0),
            ...several.map((k) => output(at(k))),
            ...several.slice(0, NORMED).map((k) => input(1 + at(k))),
          ],
          params: [
            ...[channels, SHARE, m4, row],
            ...several.flatMap((k) => [(k * rows.length + from) * channels, 0, 0, 0]),
            ...part.flatMap((g) => [g < 0 ? NONE : g, 0, 0, 0]),
          ],
          workgroups: [parts, z.shape[0], 1],
        });
      }
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
