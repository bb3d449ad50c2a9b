/**
 * An ensemble: networks of one kind that were trained apart, as one model that answers with the mean of their logits
 * (deep ensembles, arXiv 1612.01474, which take the mean of the probabilities). Not responsible for training them.
 * @module
 */
import type { TensorEntry } from "../base/safetensors.ts";
import { memberPrefix } from "../space/derived.ts";
import { type Model, networkTexts } from "./model_file.ts";

/** Weights that are the last ones before the logits. */
const LAST_WEIGHTS: ReadonlySet<string> = new Set(["weights/classifier.weight", "weights/classifier.bias"]);

/**
 * The ensemble of some models. The network adds logits up: each member's classifier is divided by how many there are.
 * Its notes are those of the first one; a single model is returned as it is.
 * @throws {RangeError} for none, for ensembles, and where network, class names or preprocessing are not the same.
 */
export function ensembleOf(models: readonly Model[]): Model {
  const [first, ...others] = models, members = models.length;
  if (members === 0) throw new RangeError("Cannot make an ensemble of no models");
  const kind = ({ network, classNames, mean, std }: Model): string =>
    JSON.stringify([networkTexts(network), classNames, mean, std]);
  const odd = others.some((other) => kind(other) !== kind(first));
  if (odd || models.some(({ network }) => (network.members ?? 1) > 1)) {
    throw new RangeError(
      "Cannot make an ensemble of these models as they must be single networks of one kind for the same classes and preprocessing",
    );
  }
  if (members === 1) return first;
  const tensors = models.flatMap((model, member) =>
    [...model.tensors].map(([path, tensor]): [string, TensorEntry] => {
      const slash = path.indexOf("/") + 1, last = LAST_WEIGHTS.has(path);
      const data = last ? (tensor.data as Float32Array<ArrayBuffer>).map((value) => value / members) : tensor.data;
      return [path.slice(0, slash) + memberPrefix(member) + path.slice(slash), { ...tensor, data }];
    })
  );
  return { ...first, network: { ...first.network, members }, tensors: new Map(tensors) };
}
