/** Second-order architecture gradients of a function whose mixed second derivative is known. */
import assert from "node:assert/strict";
import { openGpu } from "../gpu/device.ts";
import { Graph } from "../graph/graph.ts";
import { type Plan, Pool } from "../graph/plan.ts";
import { Runtime } from "../graph/runtime.ts";
import { dense, pack } from "../graph/tensor_type.ts";
import { Arena, type Variable } from "../graph/variables.ts";
import { crossEntropy } from "../ops/cross_entropy.ts";
import { linear } from "../ops/linear.ts";
import { hyperValues } from "./hyper.ts";
import { addSecondOrder, SECOND_ORDER_PROGRAMS } from "./second_order.ts";
import { finishProgram } from "./weight_step.ts";

const N = 5, F = 4, O = 3;
const MOMENTUM = 0.9, DECAY = 0.02, RATE = 0.7;

/** Repeatable numbers from -1 to 1. */
function values(count: number, seed: number): Float64Array {
  return new Float64Array(count).map((_, i) => Math.fround(Math.sin(12.9898 * (i + 1) + 78.233 * seed)));
}

/** Weights, momenta or a direction: a matrix `[O, F]` and a vector `[O]`. */
interface Weights {
  readonly w: Float64Array;
  readonly b: Float64Array;
}

const mapWeights = (of: (name: "w" | "b", i: number) => number, like: Weights): Weights => ({
  w: like.w.map((_, i) => of("w", i)),
  b: like.b.map((_, i) => of("b", i)),
});

/**
 * Logistic regression of the labels on the rows of `alpha` `[N, F]`: z = alpha w^T + b, p = softmax(z), L = the mean
 * cross-entropy. With r = (p - onehot) / N: dL/dalpha = r w, dL/dw = r^T alpha, dL/db = the column sums of r.
 */
function derivatives(alpha: Float64Array, { w, b }: Weights, labels: Int32Array) {
  const p = new Float64Array(N * O), alphaGradient = new Float64Array(N * F);
  const gradient = { w: new Float64Array(O * F), b: new Float64Array(O) };
  for (let n = 0; n < N; n++) {
    const z = Array.from({ length: O }, (_, o) => b[o] + dot(alpha, n * F, w, o * F)), e = z.map(Math.exp);
    e.forEach((value, o) => p[n * O + o] = value / e.reduce((x, y) => x + y));
    for (let o = 0; o < O; o++) {
      const r = residual(p, n, o, labels);
      gradient.b[o] += r;
      for (let f = 0; f < F; f++) {
        alphaGradient[n * F + f] += r * w[o * F + f];
        gradient.w[o * F + f] += r * alpha[n * F + f];
      }
    }
  }
  return { p, gradient, alphaGradient };
}

const dot = (a: Float64Array, i: number, b: Float64Array, j: number): number =>
  a.subarray(i, i + F).reduce((sum, x, f) => sum + x * b[j + f], 0);
const residual = (p: Float64Array, n: number, o: number, labels: Int32Array): number =>
  (p[n * O + o] - Number(labels[n] === o)) / N;

/**
 * The mixed second derivative times v: dL/dalpha changes by (dp w + r v_w), dp = p (dz - p . dz) / N with
 * dz = alpha v_w^T + v_b.
 */
function mixedDerivative(alpha: Float64Array, weights: Weights, labels: Int32Array, v: Weights): Float64Array {
  const { p } = derivatives(alpha, weights, labels), out = new Float64Array(N * F);
  for (let n = 0; n < N; n++) {
    const dz = Array.from({ length: O }, (_, o) => v.b[o] + dot(alpha, n * F, v.w, o * F));
    const mean = dz.reduce((sum, d, o) => sum + p[n * O + o] * d, 0);
    for (let o = 0; o < O; o++) {
      const dp = p[n * O + o] * (dz[o] - mean) / N, r = residual(p, n, o, labels);
      for (let f = 0; f < F; f++) out[n * F + f] += dp * weights.w[o * F + f] + r * v.w[o * F + f];
    }
  }
  return out;
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string): void {
  const scale = Math.max(...Array.from(expected, Math.abs));
  const worst = Math.max(...Array.from(expected, (e, i) => Math.abs(e - actual[i])));
  assert.ok(worst <= tolerance * scale, `${what} is off by ${(worst / scale).toExponential(2)}`);
}

Deno.test("second order: the difference quotient is the mixed derivative times the look-ahead gradient", async () => {
  const alpha = values(N * F, 1), weights: Weights = { w: values(O * F, 2), b: values(O, 3) };
  const momenta: Weights = { w: values(O * F, 4), b: values(O, 5) };
  const labels = { train: Int32Array.of(0, 1, 2, 1, 0), val: Int32Array.of(2, 2, 1, 0, 1) };

  const gpu = await openGpu(),
    arena = (name: string): Arena => {
      const made = new Arena(name);
      made.add("w", dense([O, F]));
      made.add("b", dense([O]));
      return made;
    };
  const alphas = new Arena("alphas");
  alphas.add("x", dense([N, F]));
  const arenas = { weights: arena("weights"), momentum: arena("momentum"), gradients: arena("gradients"), alphas };
  const alphaGradients = alphas.like("alpha_gradients"), pool = new Pool(), plans: Plan[] = [];
  const own = addSecondOrder({
    ...arenas,
    alphaGradients,
    optimizer: { momentum: MOMENTUM, weightDecay: DECAY },
    loss(_split, { variables: [w, b] }) {
      const graph = new Graph(), leaf = (v: Variable) => graph.variable(v);
      const logits = graph.apply1(linear, [leaf(alphas.get("x")), leaf(w), leaf(b)], null);
      const [loss] = graph.apply(crossEntropy, [logits, graph.input("labels", dense([N], "i32"))], {
        labelSmoothing: 0,
      });
      return { graph, loss, seed: null };
    },
    finish: (name, { graph }) => plans.push(finishProgram(name, graph, [], {}, gpu.limits, pool).plan),
  });
  const runtime = await Runtime.create(gpu, plans, pool);
  try {
    const put = (into: Arena, { w, b }: Weights): void => {
      runtime.write(into.get("w"), pack(dense([O, F]), w) as Float32Array<ArrayBuffer>);
      runtime.write(into.get("b"), pack(dense([O]), b) as Float32Array<ArrayBuffer>);
    };
    put(arenas.weights, weights);
    put(arenas.momentum, momenta);
    runtime.write(alphas.get("x"), pack(dense([N, F]), alpha) as Float32Array<ArrayBuffer>);
    const hyper = hyperValues({ weightLr: RATE, alphaLr: 1e9, alphaCorrection1: 1e9, alphaCorrection2: 1e9 });
    const before = await runtime.readArena(arenas.weights);
    for (const [name, split] of SECOND_ORDER_PROGRAMS) runtime.run(name, { labels: labels[split], hyper });

    const train = derivatives(alpha, weights, labels.train).gradient;
    const next = mapWeights(
      (k, i) => weights[k][i] - RATE * (MOMENTUM * momenta[k][i] + train[k][i] + DECAY * weights[k][i]),
      weights,
    );
    const val = derivatives(alpha, next, labels.val);
    const mixed = mixedDerivative(alpha, weights, labels.train, val.gradient);
    const expected = val.alphaGradient.map((d, i) => d - RATE * mixed[i]);
    const actual = await runtime.readArena(alphaGradients), ahead = await runtime.readArena(own[1]);
    assertClose(ahead, val.alphaGradient, 1e-5, "the gradient at w'");
    // The second-order term by itself: a wrong sign, rate, divisor or direction cannot hide behind the other one.
    assertClose(expected.map((_, i) => (ahead[i] - actual[i]) / RATE), mixed, 1e-3, "the second-order term");
    assertClose(actual, expected, 1e-3, "the gradient");
    assert.deepEqual(await runtime.readArena(arenas.weights), before, "the weights are only read");
  } finally {
    runtime.destroy();
    gpu.device.destroy();
  }
});
