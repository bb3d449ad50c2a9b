/**
 * Exported files, run by other programs: ONNX models in onnxruntime-node against every operation's reference and
 * against our own inference on the device, ONNX's own checker, and safetensors.
 *
 * onnxruntime-node needs `--allow-ffi`, the checker `--allow-run=/usr/bin/python3` and Debian's python3-onnx; tests
 * that lack theirs are ignored.
 */
import assert from "node:assert/strict";
import { Random } from "../src/base/random.ts";
import { decodeTensors } from "../src/base/safetensors.ts";
import { openData } from "../src/data/dataset.ts";
import { readIdxImages, readIdxLabels } from "../src/data/idx.ts";
import { foldBatchNorms } from "../src/export/fold.ts";
import { describeModel, type ModelInfo, PIXEL_SCALES } from "../src/export/model_info.ts";
import { exportOnnx, inferenceToOnnx, type OnnxOptions } from "../src/export/onnx.ts";
import { encodeOnnx, ONNX_OPSET } from "../src/export/onnx_file.ts";
import { mapGraph, mapInput, OnnxBuilder, type OnnxGraph } from "../src/export/onnx_graph.ts";
import { exportWeights } from "../src/export/weights.ts";
import { openGpu } from "../src/gpu/device.ts";
import { Graph, type Tensor } from "../src/graph/graph.ts";
import type { OpCase, OpSpec } from "../src/graph/op.ts";
import { planProgram, Pool } from "../src/graph/plan.ts";
import { Runtime } from "../src/graph/runtime.ts";
import { dense, elementCount, image, pack, unpack } from "../src/graph/tensor_type.ts";
import { Arena } from "../src/graph/variables.ts";
import { BN_EPS, Builder } from "../src/nn/layers.ts";
import { NetworkVariables } from "../src/nn/variables.ts";
import { concat } from "../src/ops/concat.ts";
import { normalize } from "../src/ops/normalize.ts";
import { noise as noiseOp } from "../src/ops/noise.ts";
import { OPERATIONS } from "../src/ops/registry.ts";
import { buildNetwork, type NetworkConfig, networkImages } from "../src/space/derived.ts";
import { formatGenotypePython, parseGenotype } from "../src/space/genotype.ts";
import { DARTS_V2 } from "../src/space/published.ts";
import { PRIMITIVES } from "../src/space/primitives.ts";
import { resolveTrainConfig } from "../src/train/config.ts";
import { predictImages } from "../src/train/inference.ts";
import { buildInference, decodeModel, encodeModel, type Inference, type Model } from "../src/train/model_file.ts";
import { train } from "../src/train/train.ts";
import { assertClose, type Batch, checkOnnx, runOnnx, toOnnx, withoutChecker, withoutRuntime } from "./onnx_support.ts";

const random = (name: string, count: number, mean = 0, deviation = 1): Float32Array => {
  const source = new Random(5, name);
  return new Float32Array(count).map(() => mean + deviation * source.normal());
};

/** One operation on its own: image inputs and the first one are fed, the others are constants. */
function caseModel(
  op: OpSpec,
  testCase: OpCase,
): { model: OnnxGraph; feeds: Record<string, Batch>; y: Float64Array[] } {
  const graph = new Graph(), arena = new Arena("constants"), values: Float64Array[] = [];
  const builder = new OnnxBuilder(), leaves = new Map<Tensor, string>(), feeds: Record<string, Batch> = {};
  const tensors = testCase.inputs.map((type, i) => {
    const source = new Random(3, `${op.name}/${testCase.name}`, i);
    const data = testCase.derive?.(i, values) ??
      new Float64Array(elementCount(type)).map((_, e) =>
        testCase.fill?.(i, e, source.normal(), source.uniform()) ?? source.normal()
      );
    values.push(data.map(Math.fround));
    if (i > 0 && type.layout === "dense") return graph.variable(arena.add(`x${i}`, type));
    const tensor = graph.input(`x${i}`, type);
    leaves.set(tensor, mapInput(builder, `x${i}`, tensor));
    feeds[`x${i}`] = toOnnx(type, values[i]);
    return tensor;
  });
  const y = graph.apply(op, tensors, testCase.attrs);
  if (tensors.length === 0) { // what is fed says how many images there are
    const other = graph.input("other", image(1, y[0].type.shape[1], 1, 1));
    mapInput(builder, "other", other);
    feeds.other = toOnnx(other.type, new Float64Array(elementCount(other.type)));
  }
  const [result] = mapGraph(builder, graph, leaves, [y[0]], (v) => values[Number(v.name.slice(1))]);
  return { model: builder.finish({ y: result }), feeds, y: op.reference!(values, testCase.inputs, testCase.attrs) };
}

Deno.test("noise, of which nothing could be compared, is refused with what to do", () => {
  assert.throws(() => caseModel(noiseOp, noiseOp.cases!()[0]), {
    name: "FailureError",
    message: /^Cannot export 'noise' to ONNX as noise is drawn anew for each batch: take a network without noise$/,
  });
});

const INFO = { name: "test", producer: "idarts", version: "0", doc: "", metadata: {} };

for (const op of OPERATIONS.filter((o) => o.onnx && o !== noiseOp)) {
  Deno.test({
    name: `${op.name} in ONNX Runtime is its reference, in every case`,
    ignore: withoutRuntime,
    async fn() {
      for (const testCase of op.cases!()) {
        const { model, feeds, y } = caseModel(op, testCase);
        const [type] = op.infer(testCase.inputs, testCase.attrs);
        const { y: actual } = await runOnnx(encodeOnnx(model, INFO), feeds);
        assertClose(testCase.name, actual, toOnnx(type, y[0]), 1e-4);
      }
    },
  });
}

/** Random weights and statistics for a network in inference. */
function randomContents(variables: NetworkVariables): Map<Arena, Float32Array<ArrayBuffer>> {
  const contents = new Map([
    [variables.weights, variables.initialWeights(7)],
    [variables.running, variables.initialRunning()],
  ]);
  for (const { name, arena, type, offset } of [...variables.weights.variables, ...variables.running.variables]) {
    const count = elementCount(type), data = contents.get(arena)!;
    if (arena === variables.running) {
      data.set(random(`${name}.mean`, count / 2, 0, 0.3), offset);
      data.set(random(`${name}.var`, count / 2).map((v) => 0.5 + Math.abs(v)), offset + count / 2);
    } else if (/\.(gamma|beta)$/.test(name)) {
      data.set(random(name, count, name.endsWith(".gamma") ? 1 : 0, 0.3), offset);
    }
  }
  return contents;
}

function network(build: (builder: Builder) => { images: Tensor; logits: Tensor }): Inference {
  const graph = new Graph(), variables = new NetworkVariables();
  const { images, logits } = build(new Builder(graph, variables, false));
  return { graph, images, logits, variables, values: randomContents(variables) };
}

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

const CLASSES = Array.from({ length: 10 }, (_, i) => `class '${i}' é`);
const info3: ModelInfo = {
  name: "test",
  classNames: CLASSES,
  mean: [0.3, 0.4, 0.5],
  std: [0.2, 0.25, 0.3],
  version: "0.0.0-test",
  notes: {},
};

/** Every primitive, as in a derived network and as groups of a supernet with fixed statistics, side by side. */
function primitivesNetwork(stride: 1 | 2, height: number, width: number): Inference {
  return network((builder) => {
    const { graph } = builder, images = graph.input("images", image(3, 4, height, width));
    const x = builder.affineBatchNorm(builder.conv3x3(images, "stem", 6), "stem.bn"), parts: Tensor[] = [];
    for (const { name, derive, build } of PRIMITIVES) {
      if (name === noiseOp.name) continue;
      if (derive) parts.push(derive({ builder, x, name: `derived.${name}`, stride }));
      const built = build({ builder, x, name: `super.${name}`, edges: 2, stride });
      if (!built) continue;
      const { z, stats } = built;
      parts.push(stats ? graph.apply1(normalize, [z, stats], { eps: BN_EPS, batch: false }, `super.${name}.bn`) : z);
    }
    return { images, logits: builder.classifier(graph.apply1(concat, parts, null, "concat"), 10) };
  });
}

const MNIST_NET: NetworkConfig = {
  genotype: DARTS_V2,
  form: "cifar",
  channels: 6,
  cells: 4,
  classes: 10,
  inputChannels: 1,
  height: 28,
  width: 28,
};

/** A model file with random weights. */
function randomModel(config: NetworkConfig, mean: readonly number[], std: readonly number[]): Model {
  const { values } = network((builder) => {
    const images = networkImages(builder.graph, config, 1);
    return { images, logits: buildNetwork(builder, config, images).logits };
  });
  const tensors = [...values].flatMap(([arena, data]) =>
    arena.variables.map(({ name, type: { shape }, offset }) => {
      const entry = { shape: [...shape], data: data.slice(offset, offset + elementCount(dense(shape))) };
      return [`${arena.name}/${name}`, entry] as const;
    })
  );
  const written = { network: config, classNames: CLASSES, mean, std, version: "0.0.0-test", notes: {} };
  return decodeModel(encodeModel({ ...written, tensors: new Map(tensors) }), "test");
}

const mnistModel = randomModel(MNIST_NET, [0.13], [0.31]);

const FOLDING: readonly OnnxOptions[] = [{ foldBatchNorms: true }, { foldBatchNorms: false }];

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
  const part = (name: string) => {
    const { offset, type } = weights.get(`classifier.${name}`);
    return all.subarray(offset, offset + elementCount(type));
  };
  part("weight").forEach((w, i, to) => to[i] = w / most);
  part("bias").forEach((b, k, to) => to[k] = (b - means[k]) / most);
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

Deno.test({
  name: "ONNX model of a network trained on MNIST gives the predictions of predictImages, and gets digits right",
  ignore: withoutRuntime,
  async fn() {
    const data = await openData("mnist", { split: "train", limit: 2000 });
    const size = { "init-channels": 4, "cells": 3, "batch-size": 32, "val-images": 0, "auxiliary-weight": 0 };
    const config = resolveTrainConfig([{
      source: "test",
      values: { ...size, "epochs": 1, "lr": 0.2, "drop-path": 0 },
    }]);
    const { model } = await train(config, DARTS_V2, { train: data }, { gpu }), count = 64;
    const images = readIdxImages(".cache/mnist/t10k-images-idx3-ubyte").data.slice(0, count * 784);
    const labels = readIdxLabels(".cache/mnist/t10k-labels-idx1-ubyte").data.slice(0, count);
    const ours = await predictImages(model, { images, count }, { gpu });
    const winner = (row: ArrayLike<number>) => Array.from(row).indexOf(Math.max(...Array.from(row)));
    for (const options of FOLDING) {
      const info = describeModel(model), net = buildInference(model, count);
      const theirs = await compare(net, info, mnistImages(count), { pixels: "byte", ...options });
      theirs.forEach((row, n) => {
        assert.equal(winner(row), winner(ours[n]), `image ${n}`);
        row.forEach((p, k) => assert.ok(Math.abs(p - ours[n][k]) < 1e-4, `image ${n}, class ${k}`));
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

Deno.test({
  name: "ONNX model of a network of NAS-Bench-201",
  ignore: withoutRuntime,
  async fn() {
    const text = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|";
    const sizes = { channels: 8, cells: 3, inputChannels: 3, height: 16, width: 12 };
    const net = { ...MNIST_NET, genotype: parseGenotype(text, "cell"), ...sizes };
    const model = randomModel(net, info3.mean, info3.std), built = buildInference(model, 4);
    await compareSpread(built, describeModel(model), noise(built));
  },
});

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
        assertClose(what, probabilities, { shape: [count, 10], data }, 1e-4);
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

Deno.test({
  name: "ONNX's checker accepts the models and reads what they say about themselves",
  ignore: withoutChecker,
  async fn() {
    for (const net of [primitivesNetwork(1, 7, 9), primitivesNetwork(2, 7, 9)]) {
      for (const options of FOLDING) await checkOnnx(inferenceToOnnx(net, info3, options));
    }
    const said = await checkOnnx(exportOnnx(mnistModel, { name: "mnist", resize: "none" }));
    assert.deepEqual(said.opset, [["", ONNX_OPSET]]);
    assert.deepEqual(said.ports, { images: ["N", 1, 28, 28], logits: ["N", 10], probabilities: ["N", 10] });
    assert.deepEqual(said.producer, ["idarts", "0.0.0-test", "mnist"]);
    assert.equal(said.input, "float32 [N, 1, 28, 28], grey, pixels from 0 to 1, not normalised");
    const metadata = said.metadata as Record<string, string>;
    assert.deepEqual(JSON.parse(metadata.classes), CLASSES);
    assert.equal(metadata.genotype, formatGenotypePython(DARTS_V2));
    assert.equal(JSON.parse(metadata.network).cells, 4);
    assert.equal(metadata.version, "0.0.0-test");
    assert.deepEqual(JSON.parse(metadata.preprocessing), {
      ...{ layout: "NCHW", channels: 1, colours: "grey", height: 28, width: 28, pixels: "unit", range: [0, 1] },
      ...{ normalization: "in the graph", mean: [0.13], std: [0.31], resize: "none" },
    });
    // DARTS_V2 has no batch norm behind a pool: folding leaves none.
    assert.ok(!(said.operators as string[]).includes("BatchNormalization"), `${said.operators}`);
  },
});

Deno.test("same model, same ONNX bytes; kept batch norms make more of them", () => {
  const bytes = exportOnnx(mnistModel);
  assert.deepEqual(inferenceToOnnx(buildInference(mnistModel, 5), describeModel(mnistModel)), bytes);
  assert.ok(exportOnnx(mnistModel, { foldBatchNorms: false }).length > bytes.length);
});

Deno.test("a batch norm of a convolution with another user is not folded", () => {
  const builder = new OnnxBuilder(), x = builder.input("x", [1, 2, 2]);
  const one = builder.constant("one", [1], [1]), w = builder.constant("w", [1, 1, 1, 1], [2]);
  const conv = builder.emit("a", "Conv", [x, w]);
  const norm = builder.emit("b", "BatchNormalization", [conv, one, one, one, one], { epsilon: { float: 1e-5 } });
  const alone = builder.finish({ y: { value: norm, shape: [1, 2, 2] } });
  assert.deepEqual(foldBatchNorms(alone).nodes.map((n) => n.operator), ["Conv"]);
  const both = builder.finish({ y: { value: norm, shape: [1, 2, 2] }, z: { value: conv, shape: [1, 2, 2] } });
  assert.deepEqual(foldBatchNorms(both), both);
});

Deno.test("networks that cannot be exported: one sentence that names the node or the field", () => {
  const info = describeModel(mnistModel), good = buildInference(mnistModel, 2);
  const rejects = (net: Inference, about: ModelInfo, message: RegExp) =>
    assert.throws(() => inferenceToOnnx(net, about), { name: "RangeError", message });
  rejects(
    good,
    { ...info, classNames: ["a"] },
    /^Cannot export 'network' as classNames must have 10 entries: it has 1$/,
  );
  rejects(good, { ...info, std: [] }, /^Cannot export 'network' as std must have 1 entries: it has 0$/);
  rejects({ ...good, values: new Map() }, info, /^Cannot export 'stem.conv' as the contents of arena 'weights' must/);
  const graph = new Graph(), variables = new NetworkVariables(), images = networkImages(graph, MNIST_NET, 2);
  const { logits } = buildNetwork(new Builder(graph, variables, true), MNIST_NET, images);
  const training = { graph, images, logits, variables, values: randomContents(variables) };
  rejects(
    training,
    info,
    /^Cannot export node 'stem.bn\/stats' \(bn_stats\) to ONNX .*: build the network for inference$/,
  );
  const other = graph.input("other", image(1, 2, 28, 28));
  rejects(
    { ...training, images: other },
    info,
    /^Cannot export node 'stem.conv' \(conv2d\) .* the host's input 'images'$/,
  );
});

Deno.test("a constant channel counts as one of deviation 1", () => {
  assert.deepEqual(describeModel({ ...mnistModel, std: [0] }).std, [1]);
});

Deno.test("safetensors hold the weights, the running statistics and the metadata", () => {
  const { tensors, metadata } = decodeTensors(exportWeights(mnistModel), "test");
  const given = [...mnistModel.tensors], running = given.filter(([name]) => name.startsWith("running/"));
  assert.equal(tensors.size, given.length + running.length);
  for (const [path, { shape, data }] of given) {
    const [arena, name] = path.split("/"), c = shape[1];
    if (arena === "weights") assert.deepEqual(tensors.get(name), { shape, data });
    else {
      assert.deepEqual(tensors.get(`${name}.running_mean`), { shape: [c], data: data.slice(0, c) });
      assert.deepEqual(tensors.get(`${name}.running_var`), { shape: [c], data: data.slice(c) });
    }
  }
  assert.deepEqual(JSON.parse(metadata.get("classes")!), CLASSES);
  assert.equal(JSON.parse(metadata.get("preprocessing")!).normalization, "by the caller");
});
