/**
 * Exports the weights of a trained network as a safetensors file for other programs. Files for idarts itself are
 * `train/model_file.ts`'s.
 * @module
 */
import { encodeTensors, type TensorEntry } from "../base/safetensors.ts";
import { buildInference, type Model } from "../train/model_file.ts";
import { arenaValues, checkModelInfo, describeModel, type ExportOptions, modelMetadata } from "./model_info.ts";

/**
 * Bytes of a safetensors file: every weight by its name, the running statistics of batch norm `x` as
 * `x.running_mean` and `x.running_var`, and the metadata of an ONNX model whose caller normalises pixels.
 * Weights of 1x1 convolutions are `[out, in]`, of depthwise ones `[channels, K, K]`, of others `[out, in, K, K]`. Names of
 * an ensemble's begin with `members.0.`, `members.1.`, ...: its logits are the sum of theirs. Where the metadata
 * say that the network is mirrored, the logits are the sum of those for the image and for its mirror image.
 * @throws {FailureError} when the model's tensors are not those of its network.
 */
export function exportWeights(model: Model, options: ExportOptions = {}): Uint8Array<ArrayBuffer> {
  const network = buildInference(model, 1), { images, variables: { weights, running } } = network;
  const info = describeModel(model, options), values = arenaValues(network.values);
  checkModelInfo(info, network);
  const tensors = new Map<string, TensorEntry>();
  for (const variable of [...weights.variables, ...running.variables]) {
    const data = Float32Array.from(values(variable)), { name, arena, type: { shape } } = variable;
    if (arena === running) {
      const channels = shape[1];
      tensors.set(`${name}.running_mean`, { shape: [channels], data: data.slice(0, channels) });
      tensors.set(`${name}.running_var`, { shape: [channels], data: data.slice(channels) });
    } else tensors.set(name, { shape, data });
  }
  return encodeTensors(tensors, Object.entries(modelMetadata(info, images.type.shape, "normalized")));
}
