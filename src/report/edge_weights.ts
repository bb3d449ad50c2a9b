/**
 * How much the edges into each node weigh, as a table for pages and terminals.
 * @module
 */
import type { DiscretizationReport } from "../discretize/discretize.ts";
import { CELL_KINDS } from "../space/space.ts";

/** What an edge weighs among those that enter its node, for each node and each source of any. */
export interface EdgeWeightTable {
  /** Nodes that edges leave. */
  readonly sources: readonly number[];
  /** A row for each node; undefined where no edge comes from that source. */
  readonly rows: readonly { readonly node: string; readonly weights: readonly (number | undefined)[] }[];
}

/** The table; undefined where edges have no weights of their own. */
export function edgeWeightTable({ weights }: Pick<DiscretizationReport, "weights">): EdgeWeightTable | undefined {
  if (weights.normal[0]?.edgeWeight === undefined) return undefined;
  const sources = [...new Set(weights.normal.map(({ from }) => from))].sort((a, b) => a - b);
  const rows = CELL_KINDS.flatMap((kind) =>
    [...Map.groupBy(weights[kind], ({ to }) => to)].map(([to, edges]) => ({
      node: `${kind} ${to}`,
      weights: sources.map((source) => edges.find(({ from }) => from === source)?.edgeWeight),
    }))
  );
  return { sources, rows };
}
