/**
 * Statistics for the discretiser: all products of the (normalised) candidates of a node, its raw sum and ones, over
 * samples, channels and positions. From one such matrix follow all means, deviations and correlations.
 * @module
 */
import { gramBlocks as blocksSource, gramPack as packSource, gramReduce as reduceSource } from "./shader_texts.ts";
import { kernel, optional, read, write } from "../gpu/kernel.ts";
import {
  type Dispatch,
  dispatch,
  input,
  type KernelPlan,
  type OpCase,
  type OpSpec,
  output,
  scratch,
} from "../graph/op.ts";
import { dense, elementCount, image, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectImage, expectTensor } from "./expect.ts";
import { channelVec4s, manyWorkgroups, rowWord } from "./channel.ts";

import { rowEnds } from "./shader_parts.ts";

const packShader = kernel("gram_pack", packSource, {
  parts: [rowEnds],
  buffers: { x: optional(read("vec4f", "bf16")), stats: optional(read("f32")), rows: write("vec4f") },
  params: {
    to: "u32",
    length: "u32",
    start: "u32",
    channel: "u32",
    channels: "u32",
    share: "u32",
    channelLength: "u32",
    row: "u32",
  },
});
const blocksShader = kernel("gram_blocks", blocksSource, {
  buffers: { rows: read("vec4f"), partials: write("f32") },
  params: { count: "u32", pitch: "u32", length: "u32", share: "u32", firstLane: "u32", lanes: "u32" },
});
const reduceShader = kernel("gram_reduce", reduceSource, {
  buffers: { partials: read("vec4f"), gram: write("f32") },
  params: { length: "u32" },
});

/** Rows of a register block, invocations of a workgroup. */
const BLOCK = 8, SIZE = 64;
/** vec4s that an invocation sums up before it needs company, and the most invocations per pair of blocks. */
const DEPTH = 64, MOST_LANES = 4096;
/** Bytes of the scratch matrix that longer rows are cut to, and most bytes of partial sums. */
const MATRIX_BYTES = 2 ** 22, SUM_BYTES = 2 ** 26;

/** Attributes of {@linkcode gram}. */
export interface GramAttributes {
  /**
   * The candidates in order of the inputs: whether a tensor of statistics follows it (the candidate is then
   * normalised with it), and which group of `channels` channels of the tensor is meant.
   */
  readonly candidates: readonly {
    readonly stats: boolean;
    readonly group: number;
  }[];
  /** Channels of one candidate and of y. */
  readonly channels: number;
  /** Added to the variances. */
  readonly eps: number;
}

/** Where a candidate's tensors are among the inputs. */
interface Row {
  readonly input: number;
  readonly stats: boolean;
  readonly group: number;
}

function rowsOf({ candidates }: GramAttributes): Row[] {
  let next = 0;
  const rows: Row[] = candidates.map(({ stats, group }) => {
    const row = { input: next, stats, group };
    next += stats ? 2 : 1;
    return row;
  });
  return [...rows, { input: next, stats: false, group: 0 }];
}

/** A run of the rows' elements that is done at once: its vec4s, and the invocations per pair of blocks. */
interface Part {
  readonly length: number;
  readonly lanes: number;
}

/**
 * Cuts `count` rows of `length` vec4s into parts whose matrix and partial sums can be bound.
 * @throws {RangeError} when there are too many rows for that.
 */
function cut(length: number, count: number, pairs: number, limit: number): Part[] {
  const budget = Math.min(MOST_LANES, Math.floor(Math.min(limit, SUM_BYTES) / (pairs * BLOCK * BLOCK * 4)));
  const mostParts = Math.floor(budget / SIZE), wanted = Math.min(MATRIX_BYTES, limit) / (count * 16);
  const most = Math.min(length, Math.max(Math.floor(wanted), Math.ceil(length / Math.max(1, mostParts))));
  const number = Math.ceil(length / most);
  if (mostParts < 1 || most < 1 || most * count * 16 > limit) {
    throw new RangeError(
      `Cannot plan gram: ${count} rows of ${
        length * 16
      } bytes must fit the adapter's buffers of ${limit} bytes in at most ${mostParts} parts: use a smaller batch`,
    );
  }
  const mostLanes = Math.floor(budget / number / SIZE) * SIZE;
  return Array.from({ length: number }, (_, i) => {
    const part = Math.min(most, length - i * most);
    const lanes = Math.ceil(part / DEPTH / SIZE) * SIZE;
    return { length: part, lanes: Math.min(mostLanes, lanes) };
  });
}

function packRow(
  r: number,
  row: Row | undefined,
  inputs: readonly TensorType[],
  attrs: GramAttributes,
  part: { readonly from: number; readonly length: number; readonly pitch: number },
): Dispatch {
  const { groups, SIZE, SHARE } = manyWorkgroups(part.length);
  const STATS = row?.stats ?? false, y = inputs[inputs.length - 1];
  return dispatch(packShader, {
    constants: { SIZE, ONES: !row, STATS, EPS: attrs.eps },
    buffers: {
      ...(row && { x: input(row.input), ...(STATS && { stats: input(row.input + 1) }) }),
      rows: scratch(0),
    },
    params: {
      ...{ to: r * part.pitch, length: part.length, start: part.from, share: SHARE },
      channel: (row?.group ?? 0) * attrs.channels,
      channels: row && STATS ? inputs[row.input].shape[0] : 0,
      ...{ channelLength: channelVec4s(y), row: rowWord(y) },
    },
    workgroups: [groups, 1, 1],
  });
}

function kernels(inputs: readonly TensorType[], attrs: GramAttributes, limit: number): KernelPlan {
  const rows = rowsOf(attrs), count = rows.length + 1;
  const blocks = Math.ceil(count / BLOCK), pairs = blocks * (blocks + 1) / 2;
  const total = storageLength(inputs[inputs.length - 1]) / 4;
  const parts = cut(total, count, pairs, limit), pitch = parts[0].length;
  const allLanes = parts.reduce((sum, part) => sum + part.lanes, 0);
  const dispatches: Dispatch[] = [];
  let from = 0, lane = 0;
  for (const { length, lanes } of parts) {
    for (let r = 0; r < count; r++) {
      const part = { from, length, pitch };
      dispatches.push(packRow(r, rows[r], inputs, attrs, part));
    }
    const share = 8 * Math.ceil(length / lanes);
    dispatches.push(dispatch(blocksShader, {
      constants: { SIZE, BLOCK },
      buffers: { rows: scratch(0), partials: scratch(1) },
      params: { count, pitch, length, share, firstLane: lane, lanes: allLanes },
      workgroups: [lanes / SIZE, blocks, blocks],
    }));
    from += length;
    lane += lanes;
  }
  dispatches.push(dispatch(reduceShader, {
    constants: { SIZE, BLOCK },
    buffers: { partials: scratch(1), gram: output(0) },
    params: { length: allLanes / 4 },
    workgroups: [count, count, 1],
  }));
  return {
    dispatches,
    scratch: [count * pitch * 4, pairs * BLOCK * BLOCK * allLanes],
  };
}

/**
 * `(z_0[, stats_0], z_1[, stats_1], ..., y) -> [K+2, K+2]`: the sums of products of all pairs of rows. Row k is group
 * `group` of `z_k [G*C,N,H,W]`, as `(z - mean) / sqrt(var + eps)` where it has `stats [2,G*C]`; row K is
 * `y [C,N,H,W]`; row K+1 is ones, so that the last column holds the sums and the number of elements.
 */
export const gram: OpSpec<GramAttributes> = {
  name: "gram",
  infer(inputs, attrs) {
    const rows = rowsOf(attrs), last = rows.pop()!, y = inputs[last.input];
    if (inputs.length !== last.input + 1) {
      throw new RangeError(`it needs ${last.input + 1} tensors for ${rows.length} candidates`);
    }
    expectImage(y, "y");
    const [c, ...rest] = y.shape;
    if (c !== attrs.channels) {
      throw new RangeError(`y must have ${attrs.channels} channels`);
    }
    rows.forEach((row, k) => {
      const z = inputs[row.input];
      expectImage(z, `candidate ${k}`);
      if (
        z.shape[0] % c !== 0 || (row.group + 1) * c > z.shape[0] ||
        rest.some((d, i) => d !== z.shape[i + 1])
      ) {
        throw new RangeError(`candidate ${k} must have group ${row.group} of ${c} channels and the size of y`);
      }
      if (row.stats) {
        expectTensor(inputs[row.input + 1], `stats of candidate ${k}`, [2, z.shape[0]]);
      }
    });
    return [dense([rows.length + 2, rows.length + 2])];
  },
  kernels: ({ inputs, attrs, limits }) =>
    kernels(inputs, attrs, Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize)),
  reference(inputs, types, attrs) {
    const y = inputs[inputs.length - 1], n = y.length;
    const plane = n / attrs.channels;
    const rows = rowsOf(attrs).map(({ input, stats, group }) => {
      const z = inputs[input].subarray(group * n, (group + 1) * n);
      if (!stats) return z;
      const s = inputs[input + 1], c = types[input].shape[0];
      return z.map((v, i) => {
        const k = group * attrs.channels + Math.floor(i / plane);
        return (v - s[k]) / Math.sqrt(s[c + k] + attrs.eps);
      });
    });
    rows.push(new Float64Array(n).fill(1));
    return [
      Float64Array.from(rows.flatMap((a) => rows.map((b) => a.reduce((sum, v, i) => sum + v * b[i], 0)))),
    ];
  },
  cases() {
    const make = (
      name: string,
      y: TensorType,
      candidates: GramAttributes["candidates"],
      groups: number,
    ): OpCase<GramAttributes> => {
      const [c, ...rest] = y.shape as [number, number, number, number];
      const z = image(groups * c, ...rest), stats = dense([2, groups * c]);
      const inputs = [...candidates.flatMap((k) => k.stats ? [z, stats] : [z]), y];
      return {
        name,
        inputs,
        attrs: { candidates, channels: c, eps: 1e-5 },
        tolerance: 2e-6,
        fill: (index, e, normal, u) =>
          inputs[index].layout === "dense" ? e < groups * c ? 0.3 * normal : 0.5 + u : normal + 0.3,
      };
    };
    const mixed = (count: number, groups: number) =>
      Array.from({ length: count }, (_, k) => ({
        stats: k % 3 !== 0,
        group: k % groups,
      }));
    return [
      make("one candidate", image(2, 1, 3, 5), [{ stats: true, group: 0 }], 1),
      make("two groups, padded rows", image(3, 4, 7, 7), mixed(5, 2), 2),
      make("many candidates", image(4, 2, 8, 8), mixed(39, 3), 3),
      make("long rows", image(8, 8, 28, 28), mixed(6, 1), 1),
    ];
  },
  macs(inputs, [{ shape: [count] }]) {
    return count * (count + 1) / 2 * elementCount(inputs[inputs.length - 1]);
  },
};
