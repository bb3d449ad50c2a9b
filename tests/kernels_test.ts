/** Every kernel of a 1x1, of a 3x3 and of a depthwise convolution is a valid shader, whatever the sizes; nothing is run here. */
import assert from "node:assert/strict";
import { openGpu } from "../src/gpu/device.ts";
import { PipelineCache } from "../src/gpu/pipelines.ts";
import type { OpSpec } from "../src/graph/op.ts";
import { dense, image, type TensorType } from "../src/graph/tensor_type.ts";
import { OPERATIONS } from "../src/ops/registry.ts";

const devices = [await openGpu(), await openGpu({ limits: { software: false } })];
const named = (name: string): OpSpec => OPERATIONS.find((op) => op.name === name)!;

/** Compiles every kernel of an operation that `seen` has not, as far as a shader's text goes. */
async function checkKernels(
  seen: Set<unknown>,
  caches: readonly PipelineCache[],
  name: string,
  inputs: readonly TensorType[],
  attrs: unknown,
): Promise<void> {
  const op = named(name), outputs = op.infer(inputs, attrs);
  for (const [i, { device, limits }] of devices.entries()) {
    const kernels = op.kernels({ inputs, outputs, attrs, limits });
    const plans = "dispatches" in kernels ? [kernels] : kernels.map((variant) => variant.plan());
    for (const dispatch of plans.flatMap((plan) => plan.dispatches)) {
      const variant = caches[i].variant(dispatch, []);
      if (seen.has(variant)) continue;
      seen.add(variant);
      device.pushErrorScope("validation");
      device.createShaderModule({ code: variant.code });
      const error = await device.popErrorScope();
      assert.equal(error, null, `${name} of ${inputs.map((t) => t.shape).join(" and ")}: ${error?.message}`);
    }
  }
}

const caches = devices.map((gpu) => new PipelineCache(gpu));

Deno.test("1x1 convolutions of any number of channels", async () => {
  const seen = new Set<unknown>(), numbers = [1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 36, 48, 64, 72, 128, 320];
  for (const ci of numbers) {
    for (const co of numbers) {
      const groups = ci * co <= 4096 ? 2 : 1, attrs = { groups, inputGroups: groups, relu: true };
      const x = image(ci * groups, 2, 6, 20), y = image(co * groups, 2, 6, 20), w = dense([co * groups, ci]);
      await checkKernels(seen, caches, "pointwise", [x, w], attrs);
      await checkKernels(seen, caches, "pointwise_grad", [y, w, x], attrs);
    }
  }
});

Deno.test("3x3 convolutions of any number of channels", async () => {
  const seen = new Set<unknown>(), numbers = [1, 3, 4, 7, 8, 12, 16, 24, 36, 64];
  for (const stride of [1, 2]) {
    for (const ci of numbers) {
      for (const co of numbers) {
        const attrs = { stride, padding: 1, relu: true }, x = image(ci, 2, 5, 9), w = dense([co, ci, 3, 3]);
        const [y] = named("conv2d").infer([x, w], attrs);
        await checkKernels(seen, caches, "conv2d", [x, w], attrs);
        await checkKernels(seen, caches, "conv2d_input_grad", [y, w, x], { ...attrs, height: 5, width: 9 });
        await checkKernels(seen, caches, "conv2d_weight_grad", [y, x], { ...attrs, kernel: 3 });
      }
    }
  }
});

/** Rows from one element to more than lanes and tiles hold. */
const SIZES = [[1, 1], [2, 3], [7, 7], [9, 14], [28, 28], [5, 33], [3, 100], [2, 300]];

Deno.test("depthwise convolutions of any image size and number of edges", async () => {
  const seen = new Set<unknown>();
  for (const [h, width] of SIZES) {
    for (const [k, stride, dilation] of [[3, 1, 1], [3, 1, 2], [5, 2, 1], [5, 2, 2], [3, 2, 1], [3, 2, 2], [5, 1, 1]]) {
      for (const [c, edges] of [[3, 1], [8, 1], [4, 3], [2, 4]]) {
        const attrs = { stride, dilation, prologue: "relu", eps: 1e-5 },
          x = image(c, 8, h, width),
          w = dense([edges * c, k, k]);
        const y = image(edges * c, 8, Math.ceil(h / stride), Math.ceil(width / stride));
        await checkKernels(seen, caches, "depthwise", [x, w], attrs);
        await checkKernels(seen, caches, "depthwise_grad", [y, w, x], attrs);
        if (stride > 1 || edges > 1) continue;
        const normalised = { ...attrs, prologue: "batch-norm-relu" };
        await checkKernels(seen, caches, "depthwise_grad", [y, w, x, dense([2, c])], normalised);
      }
    }
  }
});

Deno.test("pools of any image size", async () => {
  const seen = new Set<unknown>();
  for (const [height, width] of SIZES) {
    for (const stride of [1, 2]) {
      const x = image(3, 8, height, width), y = image(3, 8, Math.ceil(height / stride), Math.ceil(width / stride));
      await checkKernels(seen, caches, "max_pool", [x], { stride });
      await checkKernels(seen, caches, "max_pool_grad", [y, x], { stride });
      await checkKernels(seen, caches, "avg_pool", [x], { stride });
      await checkKernels(seen, caches, "avg_pool_grad", [y], { stride, height, width });
      await checkKernels(seen, caches, "both_pools", [x], { stride });
      await checkKernels(seen, caches, "both_pools_grad", [y, y, x], { stride });
    }
  }
});
