/**
 * The formats of data sets, the only list of them: opening, detection, help and default augmentation go by it.
 * @module
 */
import { CIFAR } from "./cifar.ts";
import type { DataFormat } from "./format.ts";
import { IDX } from "./idx_dataset.ts";
import { IMAGE_FOLDER } from "./image_folder.ts";

/** In the order in which they are tried. */
export const FORMATS: readonly DataFormat[] = [IDX, CIFAR, IMAGE_FOLDER];
