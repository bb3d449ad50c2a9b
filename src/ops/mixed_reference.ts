/**
 * f64 reference and test cases of the mixed operation.
 * @module
 */
import type { OpCase } from "../graph/op.ts";
import { dense, image, type TensorType } from "../graph/tensor_type.ts";
import type { MixedAttributes, MixedCandidate } from "./mixed.ts";
import { channelStatistics } from "./reference.ts";

/** `y_e = [sum_e +] sum_k W[row_e][column_k] * zhat_k[group]`, edges side by side, batch statistics recomputed from z. */
export function mixedReference(
  inputs: readonly Float64Array[],
  types: readonly TensorType[],
  { rows, candidates, channels, eps, accumulate }: MixedAttributes,
): Float64Array[] {
  let next = 1;
  const weights = inputs[0],
    columns = types[0].shape[1],
    size = types[1].shape.slice(1).reduce((a, b) => a * b);
  const each = channels * size, y = new Float64Array(rows.length * each);
  for (const { norm, groups, column } of candidates) {
    const z = inputs[next], wide = types[next].shape[0];
    next += norm === "none" ? 1 : 2;
    const stats = norm === "batch" ? channelStatistics(z, wide) : norm === "fixed" ? inputs[next - 1] : null;
    rows.forEach((row, e) => {
      if (groups[e] < 0) return;
      const first = groups[e] * channels, w = weights[row * columns + column];
      for (let i = 0; i < each; i++) {
        const c = first + Math.floor(i / size), v = z[first * size + i];
        y[e * each + i] += w * (stats ? (v - stats[c]) / Math.sqrt(stats[wide + c] + eps) : v);
      }
    });
  }
  return [accumulate ? y.map((v, i) => v + inputs[next][i]) : y];
}

function made(
  name: string,
  [c, n, h, w]: readonly number[],
  rows: number[],
  candidates: MixedCandidate[],
  accumulate = false,
): OpCase<MixedAttributes> {
  const wide = candidates.map(({ groups }) => (Math.max(...groups) + 1) * c);
  const inputs: TensorType[] = [dense([Math.max(...rows) + 1, 8])], statsOf = new Map<number, number>();
  candidates.forEach(({ norm }, k) => {
    inputs.push(image(wide[k], n, h, w));
    if (norm === "none") return;
    if (norm === "batch") statsOf.set(inputs.length, wide[k]);
    inputs.push(dense([2, wide[k]]));
  });
  const isStats = new Set(inputs.flatMap((t, i) => i > 0 && t.layout === "dense" ? [i] : []));
  if (accumulate) inputs.push(image(rows.length * c, n, h, w));
  return {
    name,
    inputs,
    attrs: { channels: c, rows, candidates, eps: 1e-5, accumulate },
    wrt: inputs.flatMap((_, i) => isStats.has(i) ? [] : [i]),
    fill: (index, _e, normal, u) => isStats.has(index) ? 0.5 + u : normal,
    derive: (index, made) => statsOf.has(index) ? channelStatistics(made[index - 1], statsOf.get(index)!) : undefined,
  };
}

/** A candidate that all edges share. */
const shared = (column: number, edges: number, norm: MixedCandidate["norm"] = "batch"): MixedCandidate => ({
  column,
  norm,
  groups: Array(edges).fill(0),
});

/** A candidate with a group of channels for each edge. */
const wide = (column: number, edges: number): MixedCandidate => ({
  column,
  norm: "batch",
  groups: Array.from({ length: edges }, (_, e) => e),
});

/** Cases: shared and grouped candidates, edges without some, more edges and candidates than a device binds. */
export function mixedCases(): OpCase<MixedAttributes>[] {
  return [
    made("two edges of DARTS", [2, 2, 3, 5], [1, 3], [
      shared(1, 2),
      shared(2, 2),
      shared(3, 2, "none"),
      wide(4, 2),
      wide(5, 2),
      wide(6, 2),
      wide(7, 2),
    ]),
    made(
      "added to sums",
      [2, 1, 4, 4],
      [2, 0],
      [shared(1, 2), wide(4, 2)],
      true,
    ),
    made("one edge, one candidate", [1, 2, 3, 7], [0], [shared(0, 1, "none")]),
    made("constant statistics", [2, 1, 3, 3], [0], [{
      ...wide(3, 1),
      norm: "fixed",
    }, shared(1, 1)]),
    made("edges that lack candidates", [1, 2, 2, 5], [0, 1, 2], [
      { column: 1, norm: "batch", groups: [0, -1, 1] },
      { column: 2, norm: "none", groups: [-1, 0, 0] },
      { column: 6, norm: "batch", groups: [0, 1, -1] },
    ]),
    made("eight edges", [1, 1, 3, 4], [0, 1, 2, 3, 4, 5, 6, 7], [shared(1, 8), wide(2, 8)]),
    made("large enough for several workgroups", [1, 3, 30, 26], [0], [shared(1, 1)]),
  ];
}
