/**
 * Exported networks in onnxruntime-node against our own inference on the device. Ignored without `--allow-ffi`, which
 * onnxruntime-node needs.
 */
import assert from "node:assert/strict";
import { openData } from "../../src/data/dataset.ts";
import { readIdxImages, readIdxLabels } from "../../src/data/idx.ts";
import { describeModel, type ModelInfo, PIXEL_SCALES } from "../../src/export/model_info.ts";
import { exportOnnx, inferenceToOnnx, type OnnxOptions } from "../../src/export/onnx.ts";
import { openGpu } from "../../src/gpu/device.ts";
import { planProgram, Pool } from "../../src/graph/plan.ts";
import { Runtime } from "../../src/graph/runtime.ts";
import { elementCount, pack, unpack } from "../../src/graph/tensor_type.ts";
import { parseGenotype } from "../../src/space/genotype.ts";
import { DARTS_V2, IDARTS } from "../../src/space/published.ts";
import { resolveTrainConfig } from "../../src/train/config.ts";
import { buildInference, type Inference } from "../../src/train/model_file.ts";
import { train } from "../../src/train/train.ts";
import { predictImages } from "../search_support.ts";
import { FOLDING, info3, MNIST_NET, mnistModel, primitivesNetwork, random, randomModel } from "./models.ts";
import { assertClose, type Batch, runOnnx, toOnnx, withoutRuntime } from "./onnx_support.ts";

const gpu = await openGpu();

/** Our own logits for normalised images in logical order. */
async function runOurs({ graph, images, logits, values }: Inference, pixels: Float64Array): Promise<Batch> {
  const pool = new Pool(true), plan = planProgram("inference", graph, { logits }, gpu.limits, pool);
  const runtime = await Runtime.create(gpu, [plan], pool);
  try {
    values.forEach((data, arena) => runtime.write(arena, data));
    runtime.run("inference", { images: pack(images.type, pixels) as Float32Array<ArrayBuffer> });
    return toOnnx(logits.type, unpack(logits.type, await runtime.readResult("inference", "logits")));
  } finally {
    runtime.destroy();
  }
}

/**
 * A random network says nearly the same of every image: moves and scales its classifier so that the logits of each
 * class have mean 0 over the images, and 1 is the largest of all.
 */
async function spread(net: Inference, normalized: Float64Array): Promise<void> {
  const { data, shape: [n, classes] } = await runOurs(net, normalized), { weights } = net.variables;
  const means = Array.from({ length: classes }, (_, k) => {
    let sum = 0;
    for (let i = k; i < data.length; i += classes) sum += data[i];
    return sum / n;
  });
  const most = data.reduce((m, v, i) => Math.max(m, Math.abs(v - means[i % classes])), 0),
    all = net.values.get(weights)!;
  const classifiers = weights.variables.filter(({ name }) => /^(members\.\d+\.)?classifier\.(weight|bias)$/.test(name));
  const answers = net.graph.nodes.filter(({ op }) => op.name === "linear").length;
  for (const { name, offset, type } of classifiers) {
    const part = all.subarray(offset, offset + elementCount(type)), bias = name.endsWith("bias");
    part.forEach((value, k) => part[k] = (value - (bias ? means[k] / answers : 0)) / most);
  }
}

/** Pixels of 0..1 as a network takes them, both in logical order `[C, N, H, W]`. */
function normalize01(net: Inference, { mean, std }: ModelInfo, unit: Float64Array): Float64Array {
  const perChannel = unit.length / net.images.type.shape[0], channel = (i: number) => Math.floor(i / perChannel);
  return unit.map((v, i) => (v - mean[channel(i)]) / std[channel(i)]);
}

/**
 * Compares both programs on the same pixels of 0..1, in logical order `[C, N, H, W]`.
 * @returns ONNX Runtime's probabilities of each image
 */
async function compare(
  net: Inference,
  info: ModelInfo,
  unit: Float64Array,
  options: OnnxOptions = {},
): Promise<number[][]> {
  const normalized = normalize01(net, info, unit);
  const { pixels = "unit" } = options, fed = { unit, byte: unit.map((v) => v * 255), normalized }[pixels];
  const ours = await runOurs(net, normalized);
  const theirs = await runOnnx(inferenceToOnnx(net, info, options), { images: toOnnx(net.images.type, fed) });
  assert.deepEqual(Object.keys(theirs).sort(), ["logits", "probabilities"]);
  assertClose("logits", theirs.logits, ours, 1e-4);
  const rows = (b: Batch) => Array.from({ length: b.shape[0] }, (_, n) => [...b.data.subarray(n * 10, n * 10 + 10)]);
  const winner = (row: number[]) => row.indexOf(Math.max(...row));
  const winners = rows(ours).map(winner);
  assert.deepEqual(rows(theirs.logits).map(winner), winners);
  assert.ok(new Set(winners).size > 1, "images of several classes tell more");
  const probabilities = rows(theirs.probabilities);
  probabilities.forEach((row, n) => {
    const own = rows(ours)[n], sum = own.reduce((a, v) => a + Math.exp(v - Math.max(...own)), 0);
    row.forEach((p, k) => assert.ok(Math.abs(p - Math.exp(own[k] - Math.max(...own)) / sum) < 1e-4));
  });
  return probabilities;
}

/** {@linkcode compare} with a random network. */
async function compareSpread(
  net: Inference,
  info: ModelInfo,
  unit: Float64Array,
  options: OnnxOptions = {},
): Promise<void> {
  await spread(net, normalize01(net, info, unit));
  await compare(net, info, unit, options);
}

/** Images of noise, each with a brightness and a contrast of its own. */
function noise({ images: { type } }: Inference): Float64Array {
  const [, n, h, w] = type.shape, pixels = random("pixels", elementCount(type));
  return Float64Array.from(pixels, (v, i) => {
    const which = Math.floor(i / (h * w)) % n / n;
    return 0.3 + 0.5 * which + 0.2 * (1 - which) * v;
  });
}

for (const [stride, height, width] of [[1, 8, 8], [1, 7, 9], [2, 8, 8], [2, 7, 9], [2, 1, 5]] as const) {
  for (const options of FOLDING) {
    const norms = options.foldBatchNorms ? "folded" : "kept";
    Deno.test({
      name: `ONNX model of every primitive, stride ${stride}, ${height} x ${width}, batch norms ${norms}`,
      ignore: withoutRuntime,
      async fn() {
        const net = primitivesNetwork(stride, height, width);
        await compareSpread(net, info3, noise(net), options);
      },
    });
  }
}

/** Test images of MNIST in logical order `[1, N, 28, 28]`, 0..1. */
function mnistImages(count: number): Float64Array {
  const { data } = readIdxImages(".cache/mnist/t10k-images-idx3-ubyte");
  return Float64Array.from(data.subarray(0, count * 784), (v) => v / 255);
}

for (const pixels of PIXEL_SCALES) {
  for (const options of FOLDING) {
    Deno.test({
      name: `ONNX model of a derived network on MNIST, ${pixels} pixels, ${JSON.stringify(options)}`,
      ignore: withoutRuntime,
      async fn() {
        const net = buildInference(mnistModel, 16), info = describeModel(mnistModel);
        await compareSpread(net, info, mnistImages(16), { pixels, ...options });
      },
    });
  }
}

/** How far predictions, whose activations are bf16, may be from ONNX Runtime's, which are f32. */
const BF16 = 1e-2;

const NAS_BENCH = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|";

Deno.test({
  name: "ONNX model of a network trained on MNIST gives the predictions of predictImages, and gets digits right",
  ignore: withoutRuntime,
  async fn() {
    const data = await openData("mnist", { split: "train", limit: 2000 });
    const size = { initChannels: 4, cells: 3, batchSize: 32, valImages: 0, auxiliaryWeight: 0 };
    const config = resolveTrainConfig({ ...size, epochs: 1, lr: 0.2, dropPath: 0 });
    const { model } = await train(config, DARTS_V2, { train: data }, { gpu }), count = 64;
    const images = readIdxImages(".cache/mnist/t10k-images-idx3-ubyte").data.slice(0, count * 784);
    const labels = readIdxLabels(".cache/mnist/t10k-labels-idx1-ubyte").data.slice(0, count);
    const ours = await predictImages(model, { images, count }, { gpu });
    const winner = (row: ArrayLike<number>) => Array.from(row).indexOf(Math.max(...Array.from(row)));
    for (const options of FOLDING) {
      const info = describeModel(model), net = buildInference(model, count);
      const theirs = await compare(net, info, mnistImages(count), { pixels: "byte", ...options });
      theirs.forEach((row, n) => {
        assert.ok(row[winner(ours[n])] >= Math.max(...row) - BF16, `image ${n}`); // two may be nearly equal
        row.forEach((p, k) => assert.ok(Math.abs(p - ours[n][k]) < BF16, `image ${n}, class ${k}`));
      });
    }
    const right = ours.filter((row, n) => winner(row) === labels[n]).length;
    // Six would be chance; 34 were right here after these 62 steps.
    assert.ok(right > count / 3, `${right} of ${count}: it has learnt, so statistics and weights are not random`);
  },
});

Deno.test({
  name: "ONNX model of a derived network, ImageNet form, odd sizes",
  ignore: withoutRuntime,
  async fn() {
    const sizes = { channels: 8, inputChannels: 3, height: 45, width: 37 };
    const model = randomModel({ ...MNIST_NET, form: "imagenet", ...sizes }, info3.mean, info3.std);
    const net = buildInference(model, 4);
    await compareSpread(net, describeModel(model), noise(net));
  },
});

for (
  const [what, genotype, pooling, members, mirrored] of [
    ["NAS-Bench-201's kind", parseGenotype(NAS_BENCH, "cell"), "global"],
    ["iDARTS, two operations of one source in a node", IDARTS, "global"],
    ["iDARTS, pooled in parts of sizes that do not divide", IDARTS, "pyramid"],
    ["iDARTS, an ensemble of three", IDARTS, "pyramid", 3],
    ["iDARTS, mirror images too", IDARTS, "pyramid", 1, true],
    ["iDARTS, mirror images too of an ensemble of two", IDARTS, "pyramid", 2, true],
  ] as const
) {
  Deno.test({
    name: `ONNX model of a network of ${what}`,
    ignore: withoutRuntime,
    async fn() {
      const net = {
        ...MNIST_NET,
        genotype,
        channels: 8,
        cells: 3,
        inputChannels: 3,
        height: 20,
        width: 24,
        pooling,
        members,
        mirrored,
      };
      const model = randomModel(net, info3.mean, info3.std), built = buildInference(model, 4);
      await compareSpread(built, describeModel(model), noise(built));
    },
  });
}

for (
  const [what, text] of [
    [
      "with a node that nothing enters",
      "|none~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|",
    ],
    ["that nothing passes through", "|none~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"],
  ]
) {
  Deno.test({
    name: `ONNX model of cells of NAS-Bench-201 ${what}: what predictImages says, for any number of images`,
    ignore: withoutRuntime,
    async fn() {
      const sizes = { channels: 4, cells: 3, inputChannels: 3, height: 8, width: 8 }, count = 3, size = 3 * 8 * 8;
      const config = { ...MNIST_NET, genotype: parseGenotype(text, "cell"), ...sizes };
      const model = randomModel(config, info3.mean, info3.std);
      const images = Uint8Array.from(random("bytes", count * size, 128, 40));
      const ours = await predictImages(model, { images, count }, { gpu });
      for (const options of FOLDING) {
        const fed = { shape: [count, 3, 8, 8], data: Float32Array.from(images) };
        const { probabilities } = await runOnnx(exportOnnx(model, { pixels: "byte", ...options }), { images: fed });
        const data = Float32Array.from(ours.flatMap((row) => [...row]));
        assertClose(what, probabilities, { shape: [count, 10], data }, BF16);
      }
    },
  });
}

Deno.test({
  name: "ONNX models take any number of images",
  ignore: withoutRuntime,
  async fn() {
    const model = exportOnnx(mnistModel);
    const run = async (from: number, count: number) => {
      const data = Float32Array.from(mnistImages(9).subarray(from * 784, (from + count) * 784));
      return (await runOnnx(model, { images: { shape: [count, 1, 28, 28], data } })).logits;
    };
    const all = await run(0, 9);
    for (const [from, count] of [[0, 1], [3, 5], [8, 1]]) {
      const part = all.data.subarray(from * 10, (from + count) * 10);
      assertClose(`${count} images`, await run(from, count), { shape: [count, 10], data: part }, 1e-5);
    }
    await assert.rejects(runOnnx(model, { images: { shape: [1, 1, 32, 32], data: new Float32Array(1024) } }));
  },
});
