/**
 * Derived networks against PyTorch in both forms: logits and losses of both classifiers, gradients of every weight
 * through drop path, label smoothing and affine batch norms, and inference with running statistics. The files come
 * from tests/golden/make_derived_golden.py, which computes in f64.
 */
import "../src/platform/deno.ts";
import assert from "node:assert/strict";
import { openGpu } from "../src/gpu/device.ts";
import { dense, elementCount, pack, storageLength, unpack } from "../src/graph/tensor_type.ts";
import { dropPathRows, type NetworkConfig, type NetworkForm } from "../src/space/derived.ts";
import { parseGenotypePython } from "../src/space/genotype.ts";
import { IDARTS } from "../src/space/published.ts";
import { resolveTrainConfig } from "../src/train/config.ts";
import { TrainEngine } from "../src/train/engine.ts";
import { planTraining } from "../src/train/programs.ts";
import { compare, goldenBatch, parameter, projected, readGoldenFile, uniforms } from "./golden_support.ts";

const gpu = await openGpu();

for (
  const [what, name, form] of [
    ["every operation, in the CIFAR form", "cifar", "cifar"],
    ["every operation, in the ImageNet form", "imagenet", "imagenet"],
    ["iDARTS' cell", "idarts", "cifar"],
  ] as const satisfies readonly (readonly [string, string, NetworkForm])[]
) {
  Deno.test(`the derived network agrees with PyTorch: ${what}`, async () => {
    const { metadata, tensor, names } = readGoldenFile(`derived_${name}.safetensors`);
    const number = (key: string): number => Number(metadata.get(key));
    const genotype = parseGenotypePython(metadata.get("genotype")!, name);
    assert.equal(metadata.get("form"), form);
    if (name === "idarts") assert.deepEqual(genotype, IDARTS);
    const network: NetworkConfig = {
      genotype,
      form,
      channels: number("channels"),
      cells: number("cells"),
      classes: number("classes"),
      inputChannels: number("inputChannels"),
      height: number("height"),
      width: number("width"),
    };
    const batch = number("batch"), keep = number("keep");
    const config = resolveTrainConfig({
      weightDecay: 0,
      labelSmoothing: number("labelSmoothing"),
      auxiliaryWeight: number("auxiliaryWeight"),
      dropPath: 1 - keep,
      precision: "f32",
    });
    const plan = planTraining(network, batch, config, gpu.limits);
    const engine = await TrainEngine.create(gpu, plan), host = goldenBatch({ ...network, batch });
    try {
      engine.initialise(0);
      for (const v of plan.arenas.weights.variables) {
        engine.runtime.write(v, pack(v.type, parameter(v.name, v.type.shape)) as Float32Array<ArrayBuffer>);
      }
      if (plan.paths > 0) {
        assert.equal(engine.dropMask.length, storageLength(dense([dropPathRows(network), batch])));
        engine.dropMask.set(uniforms("mask", plan.paths * batch).map((u) => u < keep ? 1 / keep : 0));
      }
      await engine.step(host, 0);
      const read = async (program: string, result: string) =>
        (await engine.runtime.readResult(program, result)).subarray(0, batch * network.classes);
      compare("logits", await read("train_step", "logits"), tensor("logits").data, 1e-4);
      compare("auxiliary", await read("train_step", "auxiliary"), tensor("logits_auxiliary").data, 1e-4);
      const { train, auxiliary } = await engine.tallies();
      compare("losses", [train.loss, auxiliary.loss], tensor("loss").data, 1e-5);
      const data = await engine.runtime.readArena(plan.arenas.gradients);
      let worst = 0;
      for (const { name, type, offset } of plan.arenas.gradients.variables) {
        const expected = tensor(`grad.${name}`), values = unpack(type, data.subarray(offset));
        const same = expected.shape.join() === type.shape.join();
        const actual = same ? values.subarray(0, elementCount(type)) : projected(name, type.shape, values);
        worst = Math.max(worst, compare(`grad.${name}`, actual, expected.data, 1e-4));
      }
      assert.ok(worst > 0);
      assert.equal(plan.arenas.gradients.variables.length, names.filter((n) => n.startsWith("grad.")).length);
      await engine.evaluate(host);
      const evaluated = tensor("logits_eval").data;
      compare("inference logits", await read("evaluate", "logits"), evaluated, 1e-4);
      const bf16 = planTraining(network, batch, { ...config, precision: "bf16" }, gpu.limits);
      const half = await TrainEngine.create(gpu, bf16);
      for (const key of ["weights", "running"] as const) {
        half.runtime.write(bf16.arenas[key], await engine.runtime.readArena(plan.arenas[key]));
      }
      await half.evaluate(host);
      const logits = await half.runtime.readResult("evaluate", "logits");
      half.destroy();
      compare("inference logits as bf16", logits.subarray(0, batch * network.classes), evaluated, 1e-2);
    } finally {
      engine.destroy();
    }
  });
}
