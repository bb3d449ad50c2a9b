/**
 * A measure, not a part of any network: multiplications and additions in registers, against which `bench` holds the
 * operations of a search.
 * @module
 */
import { multiplyAdd as source } from "./shader_texts.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpSpec, output } from "../graph/op.ts";
import { dense, storageLength, type TensorType } from "../graph/tensor_type.ts";
import { expectTensor } from "./expect.ts";

const shader = kernel("multiply_add", source, {
  buffers: { x: read("vec4f"), y: write("vec4f") },
  params: { length: "u32", rounds: "u32" },
});

/** Chains of multiply-adds in an invocation, and steps of each in a round. */
const CHAINS = 3, STEPS = 32;
/** So near to 1 that the result still tells of x and of the rounds. */
const FACTOR = 255 / 256;

/** Attributes of {@linkcode multiplyAdd}. */
export interface MultiplyAddAttributes {
  /** Rounds of 32 multiply-adds of each chain; at least 1. */
  readonly rounds: number;
}

const vectors = ([x]: readonly TensorType[]): number => storageLength(x) / 4;

/** `y = sum over k < 3 of f(f(...f(x + k)))`, f(s) = a s + a a, a = 255 / 256, 32 times `rounds`; x dense `[n]`, n a multiple of 4. */
export const multiplyAdd: OpSpec<MultiplyAddAttributes> = {
  name: "multiply_add",
  infer([x]) {
    expectTensor(x, "x", [4 * vectors([x])]);
    return [x];
  },
  kernels: ({ inputs, attrs }) => ({
    dispatches: [dispatch(shader, {
      constants: { CHAINS, STEPS },
      buffers: { x: input(0), y: output(0) },
      params: { length: vectors(inputs), rounds: attrs.rounds },
      workgroups: [Math.ceil(vectors(inputs) / 64), 1, 1],
    })],
  }),
  reference: ([x], _, { rounds }) => [x.map((v) => {
    let sum = 0;
    for (let k = 0; k < CHAINS; k++) {
      let s = v + k;
      for (let r = 0; r < STEPS * rounds; r++) s = s * FACTOR + FACTOR ** 2;
      sum += s;
    }
    return sum;
  })],
  cases: () => [{ name: "two rounds", inputs: [dense([268])], attrs: { rounds: 2 } }],
  macs: (inputs, _, { rounds }) => 4 * vectors(inputs) * CHAINS * STEPS * rounds,
};
