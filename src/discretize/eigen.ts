/**
 * Powers of a correlation matrix through its eigenvectors, with shrinkage and with the pseudo-inverse for a
 * singular one. All matrices are square, row-major Float64Arrays.
 * @module
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";

/**
 * Eigenvalues below this part of the largest one count as zero: the Gram matrices come from 32-bit sums, so
 * what lies below is rounding.
 */
const RANK_TOLERANCE = 1e-7;

/** A power of a symmetric positive semi-definite matrix. */
export interface SpectralPower {
  /** The power, `size` x `size`. Negative powers are those of the pseudo-inverse. */
  readonly matrix: Float64Array;
  /**
   * Per coordinate the squared length of its unit vector's projection onto the null space, 0..1: above zero
   * exactly when that coordinate takes part in a linear dependency.
   */
  readonly nullity: Float64Array;
}

/** Eigenvalues and, one row each, the eigenvectors of a symmetric matrix. */
interface Decomposition {
  readonly values: readonly number[];
  readonly vectors: readonly (readonly number[])[];
}

/** What was decomposed: several rules ask for the same matrix, which nobody changes. */
const DECOMPOSED = new WeakMap<Float64Array, Decomposition>();

/** Decomposes a symmetric matrix; negative eigenvalues of a correlation matrix are rounding and become 0. */
function decompose(matrix: Float64Array, size: number): Decomposition {
  const known = DECOMPOSED.get(matrix);
  if (known) return known;
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(Matrix.from1DArray(size, size, matrix), {
    assumeSymmetric: true,
  });
  const values = realEigenvalues.map((value) => Math.max(0, value));
  const decomposition = { values, vectors: eigenvectorMatrix.transpose().to2DArray() };
  DECOMPOSED.set(matrix, decomposition);
  return decomposition;
}

/**
 * ((1 - shrinkage) * matrix + shrinkage * I) ^ exponent. Shrinking keeps the eigenvectors, so one decomposition
 * serves: sum over eigenpairs (d, e) of ((1 - shrinkage) d + shrinkage)^exponent e e'.
 * @param matrix symmetric positive semi-definite, `size` x `size`; must not be changed afterwards
 * @param shrinkage from 0 to 1
 */
export function spectralPower(
  matrix: Float64Array,
  size: number,
  exponent: number,
  shrinkage: number,
): SpectralPower {
  const { values, vectors } = decompose(matrix, size);
  const shrunk = values.map((value) => (1 - shrinkage) * value + shrinkage);
  const least = RANK_TOLERANCE * Math.max(...shrunk);
  const result = new Float64Array(size * size),
    nullity = new Float64Array(size);
  shrunk.forEach((value, e) => {
    const power = value > least ? value ** exponent : 0, vector = vectors[e];
    for (let i = 0; i < size; i++) {
      if (value <= least) nullity[i] += vector[i] ** 2;
      const scaled = power * vector[i];
      for (let j = 0; j < size; j++) result[i * size + j] += scaled * vector[j];
    }
  });
  return { matrix: result, nullity };
}

/**
 * Largest over smallest eigenvalue. At most 1 / {@linkcode RANK_TOLERANCE} = 1e7, which means singular in
 * 32-bit numbers, so that it can be averaged and written as JSON.
 */
export function conditionNumber(matrix: Float64Array, size: number): number {
  const { values } = decompose(matrix, size);
  const largest = Math.max(...values);
  return largest / Math.max(Math.min(...values), RANK_TOLERANCE * largest);
}

/** Matrix times vector. */
export function multiply(matrix: Float64Array, vector: Float64Array): Float64Array {
  const size = vector.length;
  return vector.map((_, i) => {
    let sum = 0;
    for (let j = 0; j < size; j++) sum += matrix[i * size + j] * vector[j];
    return sum;
  });
}
