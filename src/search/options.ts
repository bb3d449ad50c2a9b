/**
 * {@linkcode SearchOptions}. Generated from the list in `config.ts` by `deno task generate`: change it there.
 * @module
 */
import type { Tuning } from "../graph/tuning.ts";
import type { SpaceDefinition } from "../space/definition.ts";

/** What is searched and how, see {@linkcode search}; `resolveSearchConfig` fills in the defaults. */
export interface SearchOptions {
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
  /**
   * Training images to use in all; half of them train the weights, half the architecture (default: all). A whole number
   * from 2.
   */
  readonly images?: number | null;
  /** Pixels of padding for random crops. A whole number from 0 to 64. Default 4. */
  readonly pad?: number;
  /**
   * Whether images are flipped at random; auto: as suits the data (folders of images and CIFAR are, MNIST is not).
   * Default "auto".
   */
  readonly flip?: "auto" | "on" | "off";
  /** Search space, or the definition of one's own. Default "darts". */
  readonly space?: "darts" | "s1" | "s2" | "s3" | "s4" | "nas-bench-201" | SpaceDefinition;
  /** Channels of the first cells; even. A whole number from 2 to 512. Default 16. */
  readonly initChannels?: number;
  /** Number of cells. A whole number from 3 to 64. Default 8. */
  readonly cells?: number;
  /** Normalisation of the nodes ('none' is plain DARTS). Default "rms". */
  readonly nodeNorm?: "none" | "batch" | "sample" | "rms";
  /**
   * K: only the first 1/K of the channels go through the operations, the others bypass them (PC-DARTS: 4). A whole
   * number from 1 to 512. Default 1.
   */
  readonly partialChannels?: number;
  /** Learn how much each of the edges that enter a node weighs (PC-DARTS). Default false. */
  readonly edgeWeights?: boolean;
  /** How activations and their gradients are stored; weights, sums and statistics are f32 always. Default "bf16". */
  readonly precision?: "bf16" | "f32";
  /** Passes over the images. A whole number from 1 to 100000. Default 50. */
  readonly epochs?: number;
  /** Images per step. A whole number from 2 to 4096. Default 64. */
  readonly batchSize?: number;
  /** Steps of an epoch (default: as many as the images give). A whole number from 1. */
  readonly stepsPerEpoch?: number | null;
  /**
   * End the search once the discretizer would pick so many skip-connections in the normal cell (default: never). A
   * whole number from 1.
   */
  readonly stopSkips?: number | null;
  /**
   * End the search once the discretizer would have picked the same cells for so many epochs (default: never). A whole
   * number from 2.
   */
  readonly stopStableEpochs?: number | null;
  /** Same seed and adapter: same bits. A whole number from 0 to 4503599627370496. Default 0. */
  readonly seed?: number;
  /** Learning rate of the weights (SGD), at the start. A number above 0. Default 0.025. */
  readonly weightLr?: number;
  /** The same at the end (cosine schedule). A number from 0. Default 0.001. */
  readonly weightLrMin?: number;
  /** Momentum of SGD. A number from 0 to 0.9999. Default 0.9. */
  readonly momentum?: number;
  /** Weight decay of the weights. A number from 0. Default 0.0003. */
  readonly weightDecay?: number;
  /** Largest global norm of the weights' gradient; 0 = no clipping. A number from 0. Default 5. */
  readonly clip?: number;
  /** Label smoothing of the training loss. A number from 0 to 0.9. Default 0. */
  readonly labelSmoothing?: number;
  /**
   * Order of the architecture's gradient: 1, or 2 to look one weight step ahead (a step costs about 2.6 times as much).
   * A whole number from 1 to 2. Default 1.
   */
  readonly order?: number;
  /** Learning rate of the architecture (Adam). A number from 0. Default 0.0003. */
  readonly alphaLr?: number;
  /** Adam's beta 1. A number from 0 to 0.9999. Default 0.5. */
  readonly alphaBeta1?: number;
  /** Adam's beta 2. A number from 0 to 0.99999. Default 0.999. */
  readonly alphaBeta2?: number;
  /** Weight decay of the architecture. A number from 0. Default 0.001. */
  readonly alphaWeightDecay?: number;
  /**
   * Epochs at the start in which only the weights are trained and the architecture stays as it began. A whole number
   * from 0. Default 0.
   */
  readonly alphaWarmupEpochs?: number;
  /** Standard deviation of the first alphas. A number from 0. Default 0.001. */
  readonly alphaInit?: number;
  /**
   * Rule whose cell is the result (the others are written beside it; perturbation only when it is this one). Default
   * "semipartial".
   */
  readonly discretizer?:
    | "semipartial"
    | "zca"
    | "similarity"
    | "alpha"
    | "alpha-not-none"
    | "perturbation"
    | (string & Record<never, never>);
  /**
   * What a node keeps: its two best edges with one operation each (DARTS), or its two best operations, of one edge too.
   * Default "edges".
   */
  readonly keep?: "edges" | "operations";
  /** Decorrelate all candidates of a node, or those of one edge. Default "node". */
  readonly scope?: "node" | "edge";
  /** Weight of the identity in the correlation matrix that is inverted. A number from 0 to 1. Default 0.001. */
  readonly shrinkage?: number;
  /** Images of the architecture half for the final statistics. A whole number from 1. Default 512. */
  readonly statisticsImages?: number;
  /** The same after each epoch, for node norms and what each rule would pick. A whole number from 1. Default 128. */
  readonly probeImages?: number;
  /**
   * Images of the architecture half on which rule perturbation evaluates the supernet, once for each removal. A whole
   * number from 1. Default 512.
   */
  readonly perturbationImages?: number;
  /**
   * Images of the architecture half that the supernet is evaluated on after each epoch. A whole number from 1. Default
   * 2000.
   */
  readonly evalImages?: number;
  /** Write a checkpoint every so many steps, besides after each epoch. A whole number from 1. Default 100. */
  readonly checkpointSteps?: number;
  /** Refuse a plan of more MiB of GPU memory than this. A whole number from 1. */
  readonly memoryLimit?: number | null;
  /** Which of several kernels runs an operation: the ones for this kind of adapter, or measured ones. Default "off". */
  readonly tuning?: "off" | Tuning;
}
