/**
 * Networks that the tests of exported files share: of random weights, in the product's own terms.
 * @module
 */
import { Random } from "../../src/base/random.ts";
import type { ModelInfo } from "../../src/export/model_info.ts";
import type { OnnxOptions } from "../../src/export/onnx.ts";
import { Graph, type Tensor } from "../../src/graph/graph.ts";
import { dense, elementCount, image } from "../../src/graph/tensor_type.ts";
import type { Arena } from "../../src/graph/variables.ts";
import { BN_EPS, Builder } from "../../src/nn/layers.ts";
import { NetworkVariables } from "../../src/nn/variables.ts";
import { concat } from "../../src/ops/concat.ts";
import { noise as noiseOp } from "../../src/ops/noise.ts";
import { normalize } from "../../src/ops/normalize.ts";
import { buildNetwork, type NetworkConfig, networkImages } from "../../src/space/derived.ts";
import { buildOnEdge, buildOnEdges, buildTogether } from "../../src/space/primitive_layers.ts";
import { PRIMITIVES } from "../../src/space/primitives.ts";
import { DARTS_V2 } from "../../src/space/published.ts";
import { decodeModel, encodeModel, type Inference, type Model } from "../../src/train/model_file.ts";

/** Normally distributed numbers, the same for a name each time. */
export const random = (name: string, count: number, mean = 0, deviation = 1): Float32Array => {
  const source = new Random(5, name);
  return new Float32Array(count).map(() => mean + deviation * source.normal());
};

/** Random weights and statistics for a network in inference. */
export function randomContents(variables: NetworkVariables): Map<Arena, Float32Array<ArrayBuffer>> {
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

/** A network in inference, with {@linkcode randomContents}. */
export function network(build: (builder: Builder) => { images: Tensor; logits: Tensor }): Inference {
  const graph = new Graph(), variables = new NetworkVariables();
  const { images, logits } = build(new Builder(graph, variables, false));
  return { graph, images, logits, variables, values: randomContents(variables) };
}

/** Names of ten classes, none of them harmless. */
export const CLASSES = Array.from({ length: 10 }, (_, i) => `class '${i}' é`);
/** What is said of a network that takes three channels. */
export const info3: ModelInfo = {
  name: "test",
  classNames: CLASSES,
  mean: [0.3, 0.4, 0.5],
  std: [0.2, 0.25, 0.3],
  version: "0.0.0-test",
  notes: {},
};

/** Every primitive, as in a derived network and as groups of a supernet with fixed statistics, side by side. */
export function primitivesNetwork(stride: 1 | 2, height: number, width: number): Inference {
  return network((builder) => {
    const { graph } = builder, images = graph.input("images", image(3, 4, height, width));
    const x = builder.affineBatchNorm(builder.conv3x3(images, "stem", 6), "stem.bn"), parts: Tensor[] = [];
    for (const primitive of PRIMITIVES) {
      const { name } = primitive;
      if (name === noiseOp.name) continue;
      const derived = buildOnEdge(primitive, { builder, x, name: `derived.${name}`, stride });
      if (derived) parts.push(derived);
      const context = { builder, x, name: `super.${name}`, edges: 2, stride };
      const [built] = buildTogether(builder, [buildOnEdges(primitive, context)], x.type.shape[0], `blocks.${name}`);
      if (!built) continue;
      const { z, stats } = built;
      parts.push(stats ? graph.apply1(normalize, [z, stats], { eps: BN_EPS, batch: false }, `super.${name}.bn`) : z);
    }
    return { images, logits: builder.classifier(graph.apply1(concat, parts, null, "concat"), 10) };
  });
}

/** A small network for MNIST. */
export const MNIST_NET: NetworkConfig = {
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
export function randomModel(config: NetworkConfig, mean: readonly number[], std: readonly number[]): Model {
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

/** {@linkcode MNIST_NET} with random weights. */
export const mnistModel = randomModel(MNIST_NET, [0.13], [0.31]);

/** Batch norms folded, and kept. */
export const FOLDING: readonly OnnxOptions[] = [{ foldBatchNorms: true }, { foldBatchNorms: false }];
