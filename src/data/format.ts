/**
 * What a format of data sets is. Not responsible for which there are (`formats.ts`).
 * @module
 */
import type { Remedy } from "../base/errors.ts";
import type { Augment } from "./augment.ts";
import type { Dataset, OpenDataOptions, Split } from "./dataset.ts";

/** Where a data set lies. */
export interface DataPlace {
  /** Folder or file. */
  readonly path: string;
  /** Its name if it was named; else the path says it. */
  readonly name?: string;
  /** What to do when it is not as it must be. */
  readonly remedies: readonly (Remedy | string)[];
}

/** A data set that is found by name. */
export interface KnownData {
  /** What the user writes. */
  readonly name: string;
  /** Where it may lie; the first that exists is taken. */
  readonly paths: readonly string[];
  /** How to get it. */
  readonly remedies: readonly (Remedy | string)[];
}

/** A format of data sets. */
export interface DataFormat {
  /** One word. */
  readonly name: string;
  /** What it is, in a few words, for help. */
  readonly noun: string;
  /** What it is, for errors. */
  readonly help: string;
  /** Data sets of this format that have names. */
  readonly known: readonly KnownData[];
  /** What to do when a data set is not as it must be. */
  readonly remedies: readonly (Remedy | string)[];
  /** Whether `path`, which exists, looks like this format. Throws FailureError where it may not be read. */
  detect(path: string): boolean;
  /** The parts that the data set at `path` has; train and test if left out. */
  parts?(path: string): readonly Split[];
  /** Opens it; throws FailureError where it cannot be done. */
  open(place: DataPlace, options: OpenDataOptions): Promise<Dataset>;
  /** The random changes that suit its images in training. */
  augment(data: Pick<Dataset, "name" | "height" | "width" | "channels">): Augment;
}
