/**
 * Exports a trained network as an ONNX model that takes raw pixels and gives logits and probabilities.
 * Not responsible for files.
 * @module
 */
import { buildInference, type Inference, type Model } from "../train/model_file.ts";
import { foldBatchNorms } from "./fold.ts";
import {
  arenaValues,
  checkModelInfo,
  describeModel,
  type ExportOptions,
  inputText,
  type ModelInfo,
  modelMetadata,
  type PixelScale,
} from "./model_info.ts";
import { encodeOnnx } from "./onnx_file.ts";
import { mapGraph, mapInput, OnnxBuilder } from "./onnx_graph.ts";

/** How a network becomes ONNX. */
export interface OnnxOptions {
  /** What the input holds; `unit` if left out, so that nobody has to normalise. */
  readonly pixels?: PixelScale;
  /** Batch norms become part of the convolutions before them (the default), or stay as they are. */
  readonly foldBatchNorms?: boolean;
}

/** Name of the input. */
export const ONNX_INPUT = "images";

/**
 * Bytes of an ONNX model (operator set 13): input `images` `[N, C, H, W]`, outputs `logits` and `probabilities`
 * `[N, classes]`, all float32, any N. The metadata holds class names, preprocessing, genotype, sizes and version
 * (see `modelMetadata`). Equal models give equal bytes.
 * @throws {FailureError} when the model's tensors are not those of its network.
 */
export function exportOnnx(model: Model, options: OnnxOptions & ExportOptions = {}): Uint8Array<ArrayBuffer> {
  return inferenceToOnnx(buildInference(model, 1), describeModel(model, options), options);
}

/**
 * {@linkcode exportOnnx} for a network in a graph.
 * @throws {RangeError} where the network was not built for inference, or does not fit its description.
 */
export function inferenceToOnnx(
  network: Inference,
  info: ModelInfo,
  options: OnnxOptions = {},
): Uint8Array<ArrayBuffer> {
  checkModelInfo(info, network);
  const { pixels = "unit", foldBatchNorms: fold = true } = options, { graph, images, logits, values } = network;
  const builder = new OnnxBuilder(), input = inputText(info, images.type.shape, pixels);
  let x = mapInput(builder, ONNX_INPUT, images, input);
  const normalise = (operator: string, name: string, perChannel: readonly number[]) => {
    const constant = builder.constant(`normalization.${name}`, [perChannel.length, 1, 1], perChannel);
    x = builder.emit("normalization", operator, [x, constant]);
  };
  if (pixels === "byte") normalise("Div", "255", [255]);
  if (pixels !== "normalized") {
    normalise("Sub", "mean", info.mean);
    normalise("Div", "std", info.std);
  }
  const [result] = mapGraph(builder, graph, new Map([[images, x]]), [logits], arenaValues(values));
  const probabilities = builder.emit("", "Softmax", [result.value], { axis: -1 });
  const mapped = builder.finish({
    logits: { ...result, doc: "one for each class, in the order of the metadata's classes" },
    probabilities: { ...result, value: probabilities, doc: "softmax of the logits" },
  });
  return encodeOnnx(fold ? foldBatchNorms(mapped) : mapped, {
    name: info.name,
    producer: "idarts",
    version: info.version,
    doc: `Classifies images into ${info.classNames.length} classes. Input ${ONNX_INPUT}: ${input}.`,
    metadata: modelMetadata(info, images.type.shape, pixels),
  });
}
