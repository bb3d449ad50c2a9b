/**
 * Several answers as one: networks of one kind that were trained apart, as one model that answers with the mean of their
 * logits (deep ensembles, arXiv 1612.01474, which take the mean of the probabilities), and a network that looks at the
 * mirror image of each image, too. Not responsible for training them.
 * @module
 */
import type { TensorEntry } from "../base/safetensors.ts";
import { memberPrefix } from "../space/derived.ts";
import { type Model, networkTexts } from "./model_file.ts";

/** Weights that are the last ones before the logits, a member's among them. */
const LAST_WEIGHT = /^weights\/(?:members\.\d+\.)?classifier\.(?:weight|bias)$/;

/** A tensor, divided where it is one of the last weights: logits that are added up then are their mean. */
function shared([path, tensor]: readonly [string, TensorEntry], answers: number): TensorEntry {
  if (!LAST_WEIGHT.test(path)) return tensor;
  return { ...tensor, data: (tensor.data as Float32Array<ArrayBuffer>).map((value) => value / answers) };
}

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
  if (odd || models.some(({ network }) => (network.members ?? 1) > 1 || network.mirrored)) {
    throw new RangeError(
      "Cannot make an ensemble of these models as they must be single networks of one kind for the same classes and preprocessing",
    );
  }
  if (members === 1) return first;
  const tensors = models.flatMap((model, member) =>
    [...model.tensors].map((entry): [string, TensorEntry] => {
      const [path] = entry, slash = path.indexOf("/") + 1;
      return [path.slice(0, slash) + memberPrefix(member) + path.slice(slash), shared(entry, members)];
    })
  );
  return { ...first, network: { ...first.network, members }, tensors: new Map(tensors) };
}

/**
 * The model that answers with the mean of its logits for an image and for its mirror image: twice the multiply-accumulates
 * and no more weights. Use it for networks that were trained with flips.
 * @param model a network or an ensemble; one that does so already is returned as it is
 */
export function mirroredOf(model: Model): Model {
  if (model.network.mirrored) return model;
  const tensors = [...model.tensors].map((entry): [string, TensorEntry] => [entry[0], shared(entry, 2)]);
  return { ...model, network: { ...model.network, mirrored: true }, tensors: new Map(tensors) };
}
