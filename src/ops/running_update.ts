/**
 * Running statistics of all batch norms at once: an exponential average over one flat arena.
 * @module
 */
import source from "../../shaders/running_update.wgsl" with { type: "text" };
import { input, type OpSpec, output } from "../graph/op.ts";
import { dense, sameType, storageLength } from "../graph/tensor_type.ts";
import { linear } from "./launch.ts";

const shader = { name: "running_update", source };

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
      { workgroups, GRID_X } = linear(LENGTH, 64);
    return {
      dispatches: [{
        shader,
        constants: { LENGTH, GRID_X, MOMENTUM: momentum },
        bindings: [input(0), input(1), output(0)],
        workgroups,
      }],
    };
  },
  inPlace: () => ({ 0: 2 }),
  reference: ([stats, factor, running], _types, { momentum }) => [
    running.map((r, i) => (1 - momentum) * r + momentum * stats[i] * factor[i]),
  ],
  cases: () =>
    [1, 130, 1024].map((length) => ({
      name: `${length} elements`,
      inputs: Array(3).fill(dense([length])),
      attrs: { momentum: 0.1 },
    })),
};
