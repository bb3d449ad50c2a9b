/**
 * {@linkcode TrainOptions}. Generated from the list in `config.ts` by `deno task generate`: change it there.
 * @module
 */
import type { Tuning } from "../graph/tuning.ts";

/** What is trained and how, see {@linkcode train}; `resolveTrainConfig` fills in the defaults. */
export interface TrainOptions {
  /**
   * Mnist, cifar10 or cifar100 (once fetched), or the path of IDX files, CIFAR or a folder of images. Default "mnist".
   */
  readonly data?: string;
  /**
   * Folders of images: side of the square that each is cropped and resized to (default: 64, of auto 32). A whole number
   * from 8 to 1024.
   */
  readonly imageSize?: number | null;
  /**
   * Folders of images: what they are taken as; auto: grey if all of up to 2,048 that are looked at are. Default "auto".
   */
  readonly colours?: "auto" | "grey" | "rgb";
  /**
   * Folders of images without test/ and val/: share of each class that is kept for testing. A number from 0.01 to 0.9.
   * Default 0.2.
   */
  readonly testFraction?: number;
  /** Training images to use in all, those held out for validation among them (default: all). A whole number from 2. */
  readonly images?: number | null;
  /**
   * Images to choose the best epoch by, of val/ where the data have it, else held out of those for training; 0 = none,
   * the last epoch is kept (default: all of val/, else a tenth). A whole number from 0.
   */
  readonly valImages?: number | null;
  /** Pixels of padding for random crops (default: as suits the data). A whole number from 0 to 64. */
  readonly pad?: number | null;
  /**
   * Whether images are flipped at random; auto: as suits the data (folders of images and CIFAR are, MNIST is not).
   * Default "auto".
   */
  readonly flip?: "auto" | "on" | "off";
  /**
   * Side of the square that is blanked at random; 0 = none (default: as suits the data, 16 for CIFAR). A whole number
   * from 0 to 512.
   */
  readonly cutout?: number | null;
  /**
   * Smallest share of the area that a random resized crop takes; 1 = none (default: as suits the data). A number from
   * 0.01 to 1.
   */
  readonly resizedCrop?: number | null;
  /**
   * How far brightness, contrast and saturation change; 0 = not at all (default: as suits the data). A number from 0 to
   * 1.
   */
  readonly jitter?: number | null;
  /**
   * Share of the steps whose images get a part of another one, and two classes (CutMix); 0 = none. A number from 0 to
   * 1. Default 0.
   */
  readonly cutmix?: number;
  /** Which stem. Default "cifar". */
  readonly form?: "cifar" | "imagenet";
  /**
   * What the classifier sees: each channel's mean, or also its means over 4 x 4 parts of the image. Default "global".
   */
  readonly pooling?: "global" | "pyramid";
  /** Channels of the first cells; even (default: 36, imagenet form 48). A whole number from 2 to 1024. */
  readonly initChannels?: number | null;
  /** Number of cells (default: 20, imagenet form 14). A whole number from 3 to 64. */
  readonly cells?: number | null;
  /** Most parameters, for example 1M: picks channels (and cells). */
  readonly params?: string | null;
  /** Most multiply-accumulates of an image, for example 50M: picks channels (and cells). */
  readonly macs?: string | null;
  /** Passes over the images. A whole number from 1 to 100000. Default 600. */
  readonly epochs?: number;
  /** Images per step. A whole number from 2 to 4096. Default 96. */
  readonly batchSize?: number;
  /**
   * Steps of an epoch, of several passes over the images where they are more (default: one pass). A whole number from
   * 1.
   */
  readonly stepsPerEpoch?: number | null;
  /** Same seed and adapter: same bits. A whole number from 0 to 4503599627370496. Default 0. */
  readonly seed?: number;
  /**
   * How weights are updated; muon: those of convolutions but depthwise ones by Muon, at a fifth of lr, others by SGD.
   * Default "sgd".
   */
  readonly optimizer?: "sgd" | "muon";
  /** Learning rate of SGD. A number above 0. Default 0.025. */
  readonly lr?: number;
  /** Learning rate at the end (schedules cosine and linear). A number from 0. Default 0. */
  readonly lrMin?: number;
  /** How the learning rate falls, from step to step. Default "cosine". */
  readonly schedule?: "cosine" | "linear" | "exponential";
  /** Factor per epoch (schedule exponential). A number above 0 and up to 1. Default 0.97. */
  readonly lrDecay?: number;
  /** Epochs in which the learning rate rises to its full value first. A whole number from 0. Default 0. */
  readonly warmupEpochs?: number;
  /** Momentum. A number from 0 to 0.9999. Default 0.9. */
  readonly momentum?: number;
  /** Weight decay. A number from 0. Default 0.0003. */
  readonly weightDecay?: number;
  /**
   * How training steps and the validation after each epoch store activations and gradients; weights and sums are f32
   * always, and test images are measured with activations as bf16, as predict does. Default "bf16".
   */
  readonly precision?: "bf16" | "f32";
  /** Largest global norm of the gradient; 0 = no clipping. A number from 0. Default 5. */
  readonly clip?: number;
  /** Label smoothing of the training loss. A number from 0 to 0.9. Default 0. */
  readonly labelSmoothing?: number;
  /** Weight of the auxiliary classifier's loss; 0 = without it. A number from 0. Default 0.4. */
  readonly auxiliaryWeight?: number;
  /** Share of dropped paths at the end, rising from 0; 0 = none. A number from 0 to 0.9. Default 0.2. */
  readonly dropPath?: number;
  /** Write a checkpoint every so many steps, besides after each epoch. A whole number from 1. Default 500. */
  readonly checkpointSteps?: number;
  /** Refuse a plan of more MiB of GPU memory than this. A whole number from 1. */
  readonly memoryLimit?: number | null;
  /** Which of several kernels runs an operation: the ones for this kind of adapter, or measured ones. Default "off". */
  readonly tuning?: "off" | Tuning;
}
