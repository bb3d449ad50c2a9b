/**
 * Running statistics of all batch norms at once: an exponential average over one flat arena.
 * @module
 */
import { runningUpdate as source } from "./shader_texts.ts";
import { kernel, read, write } from "../gpu/kernel.ts";
import { dispatch, input, type OpSpec, output } from "../graph/op.ts";
import { dense, sameType, storageLength } from "../graph/tensor_type.ts";
import { grid } from "./launch.ts";

const shader = kernel("running_update", source, {
  buffers: { stats: read("vec4f"), correction: read("vec4f"), running: write("vec4f") },
});

/** Attributes of {@linkcode runningUpdate}. */
export interface RunningUpdateAttributes {
  /** Weight of the new statistics. */
  readonly momentum: number;
}

/**
 * `(stats, factor, running [L]) -> running`: `running = (1 - momentum) * running + momentum * stats * factor`, in
 * place. `factor` is 1 for means and n / (n - 1) for variances, which makes them unbiased as in PyTorch.
 */
export const runningUpdate: OpSpec<RunningUpdateAttributes> = {
  name: "running_update",
  infer(inputs) {
    if (inputs.length !== 3 || !inputs.every((t) => sameType(t, inputs[2]))) {
      throw new RangeError("stats, factor and running must have the same type");
    }
    return [inputs[2]];
  },
  kernels({ inputs, attrs: { momentum } }) {
    const LENGTH = storageLength(inputs[2]) / 4,
      { workgroups, GRID_X } = grid(LENGTH, 64);
    return {
      dispatches: [dispatch(shader, {
        constants: { LENGTH, GRID_X, MOMENTUM: momentum },
        buffers: { stats: input(0), correction: input(1), running: output(0) },
        workgroups,
      })],
    };
  },
  inPlace: () => ({ 0: 2 }),
  reference: (
    [stats, factor, running],
    _types,
    { momentum },
  ) => [running.map((r, i) => (1 - momentum) * r + momentum * stats[i] * factor[i])],
  cases: () =>
    [1, 130, 1024].map((length) => ({
      name: `${length} elements`,
      inputs: Array(3).fill(dense([length])),
      attrs: { momentum: 0.1 },
    })),
};
