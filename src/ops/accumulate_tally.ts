/**
 * Adds up what the host reads once in a while, so that no step waits for a readback.
 * @module
 */
import { accumulateTally as source } from "./shader_texts.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpSpec, output } from "../graph/op.ts";
import { dense } from "../graph/tensor_type.ts";
import { expectDense, expectInputs, expectShape } from "./expect.ts";

const shader = kernel("accumulate_tally", source, { buffers: { tally: read("f32"), metrics: write("f32") } });

/**
 * (tally `[4]` of `crossEntropy`, metrics `[8]`) -> metrics, in place: `[0..2]` sums of the tallies (loss, correct,
 * counted), `[3]` steps, `[4]` the first step, counted from 1, whose loss was not finite (0: none); the rest stays.
 */
export const accumulateTally: OpSpec<null> = {
  name: "accumulate_tally",
  infer(inputs) {
    expectInputs(inputs, ["tally", "metrics"]);
    expectDense(inputs[0], "tally", 1);
    expectShape(inputs[0], "tally", [4]);
    expectDense(inputs[1], "metrics", 1);
    expectShape(inputs[1], "metrics", [8]);
    return [inputs[1]];
  },
  inPlace: () => ({ 0: 1 }),
  kernels: () => ({
    dispatches: [dispatch(shader, { buffers: { tally: input(0), metrics: output(0) }, workgroups: [1, 1, 1] })],
  }),
  reference([tally, metrics]) {
    const y = metrics.slice();
    for (let i = 0; i < 3; i++) y[i] += tally[i];
    y[3]++;
    if (y[4] === 0 && !Number.isFinite(tally[0])) y[4] = y[3];
    return [y];
  },
  cases: () => [
    {
      name: "a step like any other",
      inputs: [dense([4]), dense([8])],
      attrs: null,
      fill: (_i, element, normal) => element === 4 ? 0 : normal,
    },
    {
      name: "after a step that was not finite",
      inputs: [dense([4]), dense([8])],
      attrs: null,
      fill: (_i, element) => element + 3,
    },
  ],
};
