/**
 * How well a network does on a data set: what is counted, and on which data it can be. Not responsible for running it.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Model } from "./model_file.ts";

/** How well a model does on a data set. */
export interface Evaluation {
  /** Images that were counted. */
  readonly count: number;
  /** Mean cross-entropy. */
  readonly loss: number;
  /** Share of images whose most probable class is theirs. */
  readonly accuracy: number;
  /** The same for the images of each class; null for a class without images. */
  readonly perClass: readonly (number | null)[];
  /** Row: class of the image; column: predicted class. */
  readonly confusion: readonly (readonly number[])[];
}

/** Natural logarithms of the softmax of one row. */
export function logSoftmax(row: Float32Array): Float64Array {
  const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = row.reduce((total, v) => total + Math.exp(v - most), 0);
  return Float64Array.from(row, (v) => v - most - Math.log(sum));
}

/** Counts logits against labels. */
export class Tally {
  readonly #confusion: number[][];
  #loss = 0;
  #correct = 0;
  #count = 0;

  /** Nothing counted yet. */
  constructor(classes: number) {
    this.#confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  }

  /** Counts an image. @param row its logits */
  add(row: Float32Array, label: number): void {
    const predicted = row.indexOf(row.reduce((a, b) => Math.max(a, b), -Infinity));
    this.#loss -= logSoftmax(row)[label];
    if (predicted === label) this.#correct++;
    if (predicted >= 0) this.#confusion[label][predicted]++;
    this.#count++;
  }

  /** What was counted. */
  result(): Evaluation {
    const count = this.#count, confusion = this.#confusion;
    const perClass = confusion.map((row, k) => {
      const total = row.reduce((a, b) => a + b, 0);
      return total === 0 ? null : row[k] / total;
    });
    return { count, loss: this.#loss / count, accuracy: this.#correct / count, perClass, confusion };
  }
}

/**
 * Whether a network can be measured on a data set.
 * @throws {UsageError} when the images or classes are not those that the network knows.
 */
export function checkMeasurable({ network, classNames }: Pick<Model, "network" | "classNames">, data: Dataset): void {
  const { inputChannels, height, width, classes } = network;
  if (data.channels !== inputChannels || data.height !== height || data.width !== width) {
    throw new UsageError(
      `Cannot use images of ${data.channels}x${data.height}x${data.width} ('${data.name}') as the model takes ` +
        `${inputChannels}x${height}x${width}: take the data that it was trained on, or resize the images`,
    );
  }
  const names = (list: readonly string[]) => list.slice(0, 5).join(", ") + (list.length > 5 ? ", ..." : "");
  const reordered = data.classNames.some((name, i) => name !== classNames[i] && classNames.includes(name));
  if (data.classes !== classes || reordered) {
    throw new UsageError(
      `Cannot evaluate on '${data.name}' as its classes must be the model's ${classes} (${names(classNames)}): ` +
        `it has ${data.classes} (${names(data.classNames)})`,
    );
  }
}
