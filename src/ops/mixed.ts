/**
 * The mixed operation of a supernet: softmax-weighted sums of candidate outputs. One node of the graph makes the
 * outputs of all edges that leave one source, side by side in one image, so that a candidate that edges share (a pool)
 * or that was computed for all of them at once (a grouped convolution) is read where it lies. The candidates' last batch
 * norm is folded into the sum, forward and backward: normalised candidates are never stored.
 * @module
 */
import {
  mixedGradSums as sumsSource,
  mixedInputGrad as inputSource,
  mixedSum as sumSource,
  mixedWeightGrad as weightSource,
} from "./shader_texts.ts";
import type { Constants } from "../gpu/template.ts";
import type { Tensor } from "../graph/graph.ts";
import { kernel, list, type ParamValues, read, table, uniform, write } from "../gpu/kernel.ts";
import { type Bound, type Dispatch, dispatch, input, type OpSpec, output, uniformInput } from "../graph/op.ts";
import { dense, image, sameKind, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { channelVec4s, joinedStrands, manyWorkgroups, rowWord } from "./channel.ts";

import { mixedCases, mixedReference } from "./mixed_reference.ts";
import { rowEnds } from "./shader_parts.ts";

const parts = [rowEnds], stats = list(uniform("vec4f"));
const edgeParams = { channels: "u32", length: "u32", share: "u32", firstEdge: "u32" } as const;
const terms = table({ first: "u32", channel: "u32", weight: "u32" });
const sumShader = kernel("mixed_sum", sumSource, {
  parts,
  buffers: { z: list(read("vec4f", "bf16")), y: write("vec4f", "bf16"), weights: uniform("vec4f"), stats },
  params: { ...edgeParams, row: "u32", candidates: table({ channels: "u32" }), terms },
});
const sumsShader = kernel("mixed_grad_sums", sumsSource, {
  buffers: {
    z: list(read("vec4f", "bf16")),
    y: write("vec4f"),
    weights: uniform("vec4f"),
    g: read("vec4f", "bf16"),
    stats,
  },
  params: {
    ...edgeParams,
    elements: "u32",
    coefficients: "u32",
    candidates: table({ channels: "u32", number: "u32" }),
    terms,
  },
});
const inputShader = kernel("mixed_input_grad", inputSource, {
  parts,
  buffers: {
    g: read("vec4f", "bf16"),
    coefficients: read("vec4f"),
    gz: list(write("vec4f", "bf16")),
    z: list(read("vec4f", "bf16")),
  },
  params: {
    channels: "u32",
    share: "u32",
    length: "u32",
    row: "u32",
    candidates: table({ first: "u32" }),
    links: table({ to: "u32" }),
  },
});
const weightShader = kernel("mixed_weight_grad", weightSource, {
  buffers: { coefficients: read("vec4f"), dw: write("f32") },
  params: { terms: table({ weight: "u32", first: "u32", channels: "u32" }) },
});

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
  return { m4: channelVec4s(z), elements: n * h * w, row: rowWord(z) };
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

/** Rows of a table of parameters, as many as a multiple of `room`; those that fill it up are zero. */
function filled<Row extends Readonly<Record<string, number>>>(rows: readonly Row[], room: number): Row[] {
  const zero = Object.fromEntries(Object.keys(rows[0]).map((key) => [key, 0])) as Row;
  return [...rows, ...Array(Math.ceil(rows.length / room) * room - rows.length).fill(zero)];
}

/** One dispatch over some candidates of a run of edges, as far as both passes over the candidates agree. */
interface CandidatePart {
  /** The candidates. */
  readonly candidates: readonly number[];
  readonly constants: Constants;
  readonly buffers: Pick<Bound<typeof sumShader.buffers>, "z" | "y" | "weights" | "stats">;
  readonly params: ParamValues<typeof edgeParams & { terms: typeof terms }>;
  /** Channels of the statistics of each candidate, 0 where it has none. */
  readonly statistics: readonly number[];
  /** Channels of the edges. */
  readonly outputs: number;
  /** Whether others of the run come before it. */
  readonly more: boolean;
}

/** Cuts each run of edges into dispatches that bind at most `most` candidates, and whose strands walk `share` vec4s. */
function candidateParts(
  inputs: readonly TensorType[],
  attrs: MixedAttributes,
  most: number,
  share: number,
): CandidatePart[] {
  const at = operands(attrs), { rows, channels, eps, candidates } = attrs, columns = inputs[0].shape[1];
  const { m4 } = sizes(inputs[at.z[0]]), weights = uniformInput(0, storageLength(inputs[0]) * 4);
  const statistics = (k: number) => candidates[k].norm === "none" ? undefined : inputs[at.stats[k]];
  return runsOf(attrs).flatMap(({ first, count, live }) => {
    const parts: CandidatePart[] = [];
    for (let from = 0; from < live.length; from += most) {
      const part = live.slice(from, from + most), COUNT = part.length;
      const described = Array.from({ length: count }, (_, i) =>
        part.map((k) => {
          const { groups, column } = candidates[k], channel = groups[first + i] * channels;
          return { first: channel * m4, channel, weight: rows[first + i] * columns + column };
        })).flat();
      parts.push({
        candidates: part,
        constants: {
          ...{ COUNT, EPS: eps },
          ...Object.fromEntries(part.map((k, i) => [`NORM${i}`, statistics(k) !== undefined])),
        },
        buffers: {
          ...{ z: part.map((k) => input(at.z[k])), y: output(0), weights },
          stats: part.map((k) => {
            const type = statistics(k), bytes = type && Math.max(STATISTICS_UNIFORM_BYTES, storageLength(type) * 4);
            return bytes === undefined ? undefined : uniformInput(at.stats[k], bytes);
          }),
        },
        params: { channels, length: m4, share, firstEdge: first, terms: filled(described, COUNT * EDGES_ROOM) },
        statistics: part.map((k) => statistics(k)?.shape[1] ?? 0),
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
    const { m4, row } = sizes(inputs[operands(attrs).z[0]]), { groups, SHARE, SIZE } = manyWorkgroups(m4);
    const most = Math.min(limits.maxStorageBuffersPerShaderStage - 1, 8);
    return {
      dispatches: candidateParts(inputs, attrs, most, SHARE).map((part) =>
        dispatch(sumShader, {
          constants: { ...part.constants, WG: SIZE, ACCUMULATE: attrs.accumulate || part.more },
          buffers: part.buffers,
          params: { ...part.params, row, candidates: part.statistics.map((channels) => ({ channels })) },
          workgroups: [groups, part.outputs, 1],
        })
      ),
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
  infer: (_, { candidates, rows, channels }) => [dense([candidates.length, rows.length, channels, 4])],
  kernels({ inputs, attrs, limits }) {
    const { m4, elements } = sizes(inputs[operands(attrs).z[0]]), { SIZE, SHARE, SHUFFLED } = joinedStrands(m4, limits);
    const most = Math.min(limits.maxStorageBuffersPerShaderStage - 2, 8), { rows, channels } = attrs;
    return {
      dispatches: candidateParts(inputs, attrs, most, SHARE).map(({ candidates, statistics, ...part }) => {
        const batch = candidates.map((k, i) => [`BATCH${i}`, attrs.candidates[k].norm === "batch"]);
        return dispatch(sumsShader, {
          constants: { ...part.constants, ...Object.fromEntries(batch), WG: SIZE, SHUFFLED },
          buffers: { ...part.buffers, g: input(inputs.length - 1) },
          params: {
            ...{ ...part.params, elements, coefficients: rows.length * channels },
            candidates: candidates.map((k, i) => ({ channels: statistics[i], number: k })),
          },
          workgroups: [1, part.outputs, 1],
        });
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
      dispatches.push(dispatch(inputShader, {
        constants: { EDGES, K, NORMED, WG: SIZE, SINGLE },
        buffers: {
          ...{ g: input(inputs.length - 1), coefficients: input(0) },
          gz: several.map((k) => output(at(k))),
          z: several.slice(0, NORMED).map((k) => input(1 + at(k))),
        },
        params: {
          ...{ channels, share: SHARE, length: m4, row },
          candidates: several.map((k) => ({ first: k * rows.length * channels })),
          links: Array.from({ length: EDGES }, (_, e) => ({ to: edges[e] ?? NONE })),
        },
        workgroups: [parts, z.shape[0], 1],
      }));
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
    const terms = candidates.flatMap(({ column, groups }, k) =>
      rows.map((row, e) => ({
        weight: groups[e] < 0 ? NONE : row * weights[1] + column,
        ...{ first: (k * rows.length + e) * channels, channels },
      }))
    );
    return {
      dispatches: [dispatch(weightShader, {
        constants: { TERMS: terms.length, SIZE: storageLength(dw) },
        buffers: { coefficients: input(0), dw: output(0) },
        params: { terms },
        workgroups: [1, 1, 1],
      })],
    };
  },
};
