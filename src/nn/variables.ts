/**
 * The variables of a network and how they start: weights with their initialisers, and the statistics of every batch
 * norm. Networks built several times for different programs (training, inference) share one set.
 * @module
 */
import { Random } from "../base/random.ts";
import { dense, elementCount, sameType } from "../graph/tensor_type.ts";
import { Arena, type Variable } from "../graph/variables.ts";
import { STATISTICS_UNIFORM_BYTES } from "../ops/mixed.ts";
import type { WeightMatrix } from "../ops/muon.ts";
import { WEIGHT_UNIFORM_BYTES } from "../ops/pointwise_product.ts";
import type { Span } from "../ops/sgd.ts";

/** How a weight starts. */
export type Initializer =
  /** Uniform in +-bound. PyTorch's convolutions and linear layers use bound = 1 / sqrt(fan-in). */
  | { readonly uniform: number }
  /** A constant. */
  | { readonly constant: number };

/** Weights and batch-norm statistics of one network. */
export class NetworkVariables {
  /** Trained weights. */
  readonly weights: Arena;
  /** Statistics `[2, C]` of the current batch: means, then biased variances. */
  readonly statistics: Arena = new Arena("statistics", STATISTICS_UNIFORM_BYTES);
  /** Running means and unbiased variances, same layout. */
  readonly running: Arena = new Arena("running", STATISTICS_UNIFORM_BYTES);
  readonly #initializers = new Map<Variable, Initializer>();
  readonly #norms: Map<string, { batch: Variable; running: Variable }>;
  readonly #elements = new Map<Variable, number>();
  readonly #matrices = new Set<string>();

  /** With `base`: the same network and the same statistics, its weights in an arena that is like the one of `base`. */
  constructor(base?: NetworkVariables, weights: Arena = new Arena("weights", WEIGHT_UNIFORM_BYTES)) {
    this.weights = weights;
    this.#norms = base ? base.#norms : new Map();
  }

  /**
   * Declares a weight, or finds it when the network is built again.
   * @param isMatrix whether its rows make an output each of many inputs, as those of a convolution do that is not depthwise
   */
  weight(name: string, shape: readonly number[], initializer: Initializer, isMatrix = false): Variable {
    if (isMatrix) this.#matrices.add(name);
    return this.#known(name, shape) ?? this.#declared(this.weights.add(name, dense(shape)), [name], initializer);
  }

  /** Declares a block of matrices of `[rows, columns]` each, or finds it: see {@linkcode Arena.addBlock}. */
  weightBlock(
    name: string,
    parts: readonly { readonly name: string; readonly rows: number }[],
    columns: number,
    initializer: Initializer,
  ): Variable {
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    for (const part of parts) this.#matrices.add(part.name);
    return this.#known(name, [rows, columns]) ?? this.#declared(
      this.weights.addBlock(name, parts.map((part) => [part.name, dense([part.rows, columns])])),
      parts.map((part) => part.name),
      initializer,
    );
  }

  #known(name: string, shape: readonly number[]): Variable | undefined {
    const known = this.weights.find(name);
    if (known && !sameType(known.type, dense(shape))) {
      throw new TypeError(`Cannot declare weight '${name}' with two shapes`);
    }
    return known;
  }

  #declared(unit: Variable, names: readonly string[], initializer: Initializer): Variable {
    for (const name of names) this.#initializers.set(this.weights.get(name), initializer);
    return unit;
  }

  /**
   * Declares the statistics of a batch norm over `channels` channels of `elements` elements each, or finds them.
   * @returns the batch's and the running statistics.
   */
  batchNorm(name: string, channels: number, elements: number): { batch: Variable; running: Variable } {
    const known = this.#norms.get(name);
    if (known) return known;
    const batch = this.statistics.add(name, dense([2, channels])),
      running = this.running.add(name, dense([2, channels]));
    this.#elements.set(batch, elements);
    this.#norms.set(name, { batch, running });
    return { batch, running };
  }

  /** Weights that are matrices, in order of their places in {@linkcode weights}. */
  get matrices(): WeightMatrix[] {
    const matrices = this.weights.variables.filter(({ name }) => this.#matrices.has(name));
    return matrices.map(({ offset, type }) => {
      const [rows] = type.shape;
      return { first: offset, rows, columns: elementCount(type) / rows };
    });
  }

  /** What is left of {@linkcode weights} without its {@linkcode matrices}: spans of units that hold none. */
  get others(): Span[] {
    const { units, length } = this.weights, spans: { first: number; end: number }[] = [], matrices = this.matrices;
    const holds = ({ offset }: Variable): boolean => matrices.some(({ first }) => first === offset);
    units.forEach((unit, i) => {
      if (holds(unit)) return;
      const first = unit.offset, end = units[i + 1]?.offset ?? length;
      if (spans.at(-1)?.end === first) spans.at(-1)!.end = end;
      else spans.push({ first, end });
    });
    return spans;
  }

  /** Initial weights in storage order; a pure function of the seed and the names. */
  initialWeights(seed: number): Float32Array<ArrayBuffer> {
    const data = new Float32Array(this.weights.length);
    for (const variable of this.weights.variables) {
      const initializer = this.#initializers.get(variable)!, random = new Random(seed, `init/${variable.name}`);
      for (let i = 0; i < elementCount(variable.type); i++) {
        data[variable.offset + i] = "constant" in initializer
          ? initializer.constant
          : (2 * random.uniform() - 1) * initializer.uniform;
      }
    }
    return data;
  }

  /** Running statistics before the first batch: mean 0, variance 1. */
  initialRunning(): Float32Array<ArrayBuffer> {
    const data = new Float32Array(this.running.length);
    for (const { type, offset } of this.running.variables) {
      data.fill(1, offset + type.shape[1], offset + 2 * type.shape[1]);
    }
    return data;
  }

  /** Factors that make the batch's statistics what the running ones average: variances become unbiased, n / (n - 1). */
  runningFactors(): Float32Array<ArrayBuffer> {
    const data = new Float32Array(this.statistics.length);
    for (const variable of this.statistics.variables) {
      const { type, offset } = variable, n = this.#elements.get(variable)!, channels = type.shape[1];
      data.fill(1, offset, offset + channels);
      data.fill(n > 1 ? n / (n - 1) : 1, offset + channels, offset + 2 * channels);
    }
    return data;
  }
}
