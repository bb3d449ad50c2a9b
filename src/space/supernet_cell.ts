/**
 * A cell of a supernet: mixed operations on every edge, sums, node normalisation (iDARTS, arXiv 2108.11014; the formulas
 * are our reading of its abstract), and the channels that bypass the operations (PC-DARTS, arXiv 1907.05737). Not
 * responsible for how cells are stacked nor for where the weights of the mixture come from.
 * @module
 */
import type { Tensor } from "../graph/graph.ts";
import { BN_EPS, type Builder } from "../nn/layers.ts";
import { concat, split } from "../ops/concat.ts";
import { maxPool2x2 } from "../ops/max_pool_2x2.ts";
import { mixed, type MixedCandidate } from "../ops/mixed.ts";
import { sampleNorm } from "../ops/sample_norm.ts";
import { strideOf } from "./darts_network.ts";
import { buildOnEdges, buildTogether } from "./primitive_layers.ts";
import { findPrimitive } from "./primitives.ts";
import { type CellKind, type Edge, outgoing, primitivesOf } from "./space.ts";
import type { NodeNorm, SupernetConfig } from "./supernet.ts";

/** A candidate of a node: where its output lies. */
export interface BuiltCandidate {
  /** Index of the edge in its cell. */
  readonly edge: number;
  /** Source of the edge. */
  readonly from: number;
  /** Name of the primitive. */
  readonly op: string;
  /** Tensor that holds it, `[groups*C/K, N, H, W]`, before the last batch norm. */
  readonly z: Tensor;
  /** Statistics of the last batch norm; null: there is none. */
  readonly stats: Tensor | null;
  /** Its group of channels in z. */
  readonly group: number;
}

/** An intermediate node of a built supernet. */
export interface BuiltNode {
  /** Kind of the cell. */
  readonly kind: CellKind;
  /** Index of the cell in the network. */
  readonly cell: number;
  /** 0-based. */
  readonly node: number;
  /** What the candidates add up to, `[C/K, N, H, W]`: the raw sum s, or its part that went through operations. */
  readonly sum: Tensor;
  /** The whole node after node normalisation, `[C, N, H, W]`. */
  readonly output: Tensor;
  /** In the order of `candidatesOf`. */
  readonly candidates: readonly BuiltCandidate[];
}

/** A cell to build. */
export interface CellContext {
  /** Index of the cell in the network. */
  readonly cell: number;
  /** Its kind. */
  readonly kind: CellKind;
  /** What its layers are called by, for example `cells.0`. */
  readonly path: string;
  /** What it reads, `[C, N, H, W]` each. */
  readonly inputs: readonly Tensor[];
  /** Weights of the mixed operations `[edges, primitives]`, with bypass one column more. */
  readonly weights: Tensor;
}

/** Builds a cell; returns its nodes, whose last or whose concatenation is its output. */
export function buildCell(builder: Builder, config: SupernetConfig, context: CellContext): BuiltNode[] {
  const { inputs } = context, { space } = config, cell = new CellBuilder(builder, config, context);
  inputs.forEach((x, from) => cell.addSource(x, from));
  for (let node = 0; node < space.nodes; node++) {
    const output = cell.finishNode(node);
    if (node < space.nodes - 1) cell.addSource(output, inputs.length + node);
  }
  return cell.built;
}

/**
 * What is known of a cell while it is built. What enters the nodes that are not finished yet lies side by side: what
 * leaves a source enters all later nodes.
 */
class CellBuilder {
  readonly built: BuiltNode[] = [];
  readonly #builder: Builder;
  readonly #config: SupernetConfig;
  readonly #context: CellContext;
  readonly #candidates: readonly BuiltCandidate[][];
  /** Channels that go through the operations, and that do not. */
  readonly #active: number;
  readonly #rest: number;
  #sums: Tensor | undefined;
  #bypassed: Tensor | undefined;

  constructor(builder: Builder, config: SupernetConfig, context: CellContext) {
    const { space, partialChannels = 1 } = config, channels = context.inputs[0].type.shape[0];
    this.#builder = builder;
    this.#config = config;
    this.#context = context;
    this.#candidates = Array.from({ length: space.nodes }, () => []);
    this.#active = channels / partialChannels;
    this.#rest = channels - this.#active;
  }

  /** Adds what leaves source `from` along its edges to the sums of the nodes that they enter. */
  addSource(source: Tensor, from: number): void {
    const { graph } = this.#builder, { kind, path, weights } = this.#context, { space } = this.#config;
    const name = `${path}.from${from}`, edges = outgoing(space, from), stride = strideOf(kind, from);
    const [x, around] = this.#rest > 0
      ? graph.apply(split, [source], { sizes: [this.#active, this.#rest] }, `${name}.split`)
      : [source];
    const { operands, described } = this.#candidatesOf(x, from, edges, stride, name);
    this.#sums = this.#addMixed(this.#sums, this.#active, edges, [weights, ...operands], described, `${name}.mixed`);
    if (!around) return;
    const bypass = `${name}.bypass`, z = stride === 2 ? graph.apply1(maxPool2x2, [around], null, bypass) : around;
    const identity = { column: space.primitives.length, norm: "none", groups: edges.map(() => 0) } as const;
    this.#bypassed = this.#addMixed(this.#bypassed, this.#rest, edges, [weights, z], [identity], bypass);
  }

  /** Builds the primitives that the edges of a source may have: operands of the mixed operation and what it is told. */
  #candidatesOf(x: Tensor, from: number, edges: readonly Edge[], stride: 1 | 2, name: string) {
    const builder = this.#builder, { kind, inputs } = this.#context, { space } = this.#config;
    const operands: Tensor[] = [], described: MixedCandidate[] = [];
    const offered = space.primitives.flatMap((op, column) => {
      const used = edges.map((e) => primitivesOf(space, kind, e.index).includes(op));
      return used.includes(true) ? [{ op, column, used }] : [];
    });
    const building = offered.map(({ op, used }) => {
      const count = used.filter(Boolean).length;
      return buildOnEdges(findPrimitive(op), { builder, x, name: `${name}.${op}`, edges: count, stride });
    });
    buildTogether(builder, building, this.#active, name).forEach((output, i) => {
      if (!output) return;
      const { op, column, used } = offered[i], { z, stats, shared } = output;
      let next = 0;
      const groups = used.map((yes) => !yes ? -1 : shared ? 0 : next++);
      described.push({ column, norm: !stats ? "none" : builder.training ? "batch" : "fixed", groups });
      operands.push(z, ...(stats ? [stats] : []));
      edges.forEach((e, k) => {
        const to = e.to - inputs.length;
        if (groups[k] >= 0) this.#candidates[to].push({ edge: e.index, from, op, z, stats, group: groups[k] });
      });
    });
    return { operands, described };
  }

  /** Adds what leaves a source along its edges, `width` channels each, to sums of all the nodes that they enter. */
  #addMixed(
    before: Tensor | undefined,
    width: number,
    edges: readonly Edge[],
    operands: readonly Tensor[],
    described: readonly MixedCandidate[],
    name: string,
  ): Tensor {
    const rows = edges.map((e) => e.index), accumulate = before !== undefined;
    const attrs = { channels: width, rows, candidates: described, eps: BN_EPS, accumulate };
    return this.#builder.graph.apply1(mixed, before ? [...operands, before] : operands, attrs, name);
  }

  /** The sum of the first of the nodes that are not finished, and those of the others. */
  #takeFirst(all: Tensor, width: number, name: string): [Tensor, Tensor?] {
    const others = all.type.shape[0] - width;
    if (others === 0) return [all];
    const [sum, rest] = this.#builder.graph.apply(split, [all], { sizes: [width, others] }, name);
    return [sum, rest];
  }

  /** Puts the finished sums of a node together and normalises it. */
  finishNode(node: number): Tensor {
    const { kind, cell, path } = this.#context, { nodeNorm, partialChannels = 1 } = this.#config;
    const name = `${path}.node${node}`;
    let sum: Tensor, whole: Tensor;
    [sum, this.#sums] = this.#takeFirst(this.#sums!, this.#active, `${name}.sum`);
    whole = sum;
    if (this.#bypassed) {
      let beside: Tensor;
      [beside, this.#bypassed] = this.#takeFirst(this.#bypassed, this.#rest, `${name}.bypassed`);
      const groups = partialChannels;
      whole = this.#builder.graph.apply1(concat, [sum, beside], { groups }, `${name}.shuffle`);
    }
    const output = normalizeNode(this.#builder, nodeNorm, whole, name);
    this.built.push({ kind, cell, node, sum, output, candidates: this.#candidates[node] });
    return output;
  }
}

function normalizeNode(builder: Builder, norm: NodeNorm, sum: Tensor, name: string): Tensor {
  switch (norm) {
    case "none":
      return sum;
    case "batch":
      return builder.batchNorm(sum, name);
    case "sample":
    case "rms":
      return builder.graph.apply1(sampleNorm, [sum], { center: norm === "sample", eps: BN_EPS }, name);
  }
}
