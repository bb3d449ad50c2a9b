/**
 * Golden networks for those who have the program without its tests: of each tensor that PyTorch made only its length and
 * its product with a vector that both sides make from its name, which any error in any element changes.
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import { BF16_LOGITS, networkOutcomes, type Outcome, type Outcomes, supernetOutcomes } from "./golden_networks.ts";
import { projected, uniforms } from "./golden_values.ts";

/** A tensor, or its projection for each row: its product with a vector, its Euclidean length, number of its elements. */
export type TensorDigest = readonly [product: number, length: number, elements: number];

/** What a golden file says, in short. */
export interface GoldenDigest {
  /** Its name. */
  readonly name: string;
  /** What the network is. */
  readonly facts: Readonly<Record<string, string>>;
  /** The tensors by name. */
  readonly tensors: Readonly<Record<string, TensorDigest>>;
}

/** How a golden network does on a device. */
export interface GoldenCheck {
  /** Name of the network. */
  readonly name: string;
  /** Number of tensors that were compared. */
  readonly tensors: number;
  /** Largest error of a tensor in f32, relative to its length, and which one it is. */
  readonly error: number;
  readonly worst: string;
  /** The same of the logits of an inference with activations as bf16; null: none was made. */
  readonly bf16Error: number | null;
  /** Milliseconds, compilation included. */
  readonly milliseconds: number;
  /** What is wrong, a sentence each. */
  readonly failures: readonly string[];
}

/** Largest errors that rounding explains: f32, and 8 bits of activations. */
const TOLERANCE = 1e-4, BF16_TOLERANCE = 1e-2;

/** Golden tensors that the outcome of a step is compared with. */
const OF_A_STEP = /^(logits|logits_auxiliary|logits_eval|loss|grad\..*)$/;

function product(name: string, values: ArrayLike<number>): number {
  const u = uniforms(`digest.${name}`, values.length);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * (2 * u[i] - 1);
  return sum;
}

/** Digests of what a golden file has of a step. */
export function digestOf(tensors: ReadonlyMap<string, { readonly data: ArrayLike<number> }>): GoldenDigest["tensors"] {
  const round = (x: number) => Number(x.toPrecision(8));
  return Object.fromEntries(
    [...tensors].filter(([name]) => OF_A_STEP.test(name)).map(([name, { data }]) => {
      return [name, [round(product(name, data)), round(Math.hypot(...Array.from(data))), data.length]];
    }),
  );
}

/** Error of a tensor, relative to the length of the golden one. */
function errorOf(name: string, { shape, values }: Outcome, [expected, length, elements]: TensorDigest): number {
  const actual = values.length === elements ? values : projected(name.replace(/^grad\./, ""), shape, values);
  const error = Math.abs(product(name, actual) - expected) / Math.max(length, 1e-12);
  return actual.length === elements && !Number.isNaN(error) ? error : Infinity;
}

/** Compares what a device made of a network with its digest. */
export function compareDigest(
  outcomes: Outcomes,
  { name, tensors }: GoldenDigest,
  milliseconds: number,
): GoldenCheck {
  const errors = Object.entries(tensors).map(([tensor, digest]): [string, number] => {
    const outcome = outcomes.get(tensor);
    return [tensor, outcome ? errorOf(tensor, outcome, digest) : Infinity];
  });
  const [worst, error] = errors.reduce((a, b) => b[1] > a[1] ? b : a), half = outcomes.get(BF16_LOGITS);
  const bf16Error = half ? errorOf("logits_eval", half, tensors.logits_eval) : null, failures: string[] = [];
  if (error > TOLERANCE) failures.push(`'${worst}' is off by ${error.toExponential(1)}`);
  if (bf16Error !== null && bf16Error > BF16_TOLERANCE) {
    failures.push(`the logits with activations as bf16 are off by ${bf16Error.toExponential(1)}`);
  }
  return { name, tensors: errors.length, error, worst, bf16Error, milliseconds, failures };
}

/** Runs a golden network and compares. */
export async function checkGolden(gpu: Gpu, digest: GoldenDigest): Promise<GoldenCheck> {
  const facts = new Map(Object.entries(digest.facts)), began = performance.now();
  const outcomes = await (facts.has("genotype") ? networkOutcomes(gpu, facts) : supernetOutcomes(gpu, facts));
  return compareDigest(outcomes, digest, performance.now() - began);
}
