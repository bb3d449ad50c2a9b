/**
 * What exported files say about themselves, to ONNX's own checker too (Debian's python3-onnx; ignored without
 * `--allow-run=/usr/bin/python3`), and what cannot be exported.
 */
import "../../src/platform/deno.ts";
import assert from "node:assert/strict";
import { decodeTensors } from "../../src/base/safetensors.ts";
import { preparationSteps } from "../../src/data/decode.ts";
import { foldBatchNorms } from "../../src/export/fold.ts";
import { describeModel, type ModelInfo } from "../../src/export/model_info.ts";
import { exportOnnx, inferenceToOnnx } from "../../src/export/onnx.ts";
import { ONNX_OPSET } from "../../src/export/onnx_file.ts";
import { OnnxBuilder } from "../../src/export/onnx_graph.ts";
import { exportWeights } from "../../src/export/weights.ts";
import { Graph } from "../../src/graph/graph.ts";
import { image } from "../../src/graph/tensor_type.ts";
import { Builder } from "../../src/nn/layers.ts";
import { NetworkVariables } from "../../src/nn/variables.ts";
import { buildNetwork, networkImages } from "../../src/space/derived.ts";
import { formatGenotypePython } from "../../src/space/genotype.ts";
import { DARTS_V2 } from "../../src/space/published.ts";
import { buildInference, type Inference } from "../../src/train/model_file.ts";
import { CLASSES, FOLDING, info3, MNIST_NET, mnistModel, primitivesNetwork, randomContents } from "./models.ts";
import { checkOnnx, withoutChecker } from "./onnx_support.ts";

Deno.test({
  name: "ONNX's checker accepts the models and reads what they say about themselves",
  ignore: withoutChecker,
  async fn() {
    for (const net of [primitivesNetwork(1, 7, 9), primitivesNetwork(2, 7, 9)]) {
      for (const options of FOLDING) await checkOnnx(inferenceToOnnx(net, info3, options));
    }
    const said = await checkOnnx(exportOnnx(mnistModel, { name: "mnist" }));
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
      ...{
        normalization: "in the graph",
        mean: [0.13],
        std: [0.31],
        steps: preparationSteps({ size: 28, channels: 1 }),
      },
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
