/**
 * {@linkcode AutoOptions}. Generated from the list in `config.ts` by `deno task generate`: change it there.
 * @module
 */

/** What may be spent and what is wanted, see {@linkcode auto}; `resolveAutoConfig` fills in the defaults. */
export interface AutoOptions {
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
  /** How long it may take, all in all: 90s, 10m, 2h, 1h30m. Default "10m". */
  readonly time?: string;
  /**
   * Training steps in all, instead of a time: the same call gives the same bits. A whole number from 20 to 1000000000.
   */
  readonly steps?: number | null;
  /** Most weights of the network, for example 100k. */
  readonly params?: string | null;
  /** Most multiply-accumulates of an image, for example 20M. */
  readonly macs?: string | null;
  /** Largest ONNX file, for example 500KB or 2MB. */
  readonly size?: string | null;
  /** Longest time for one image on this machine, as measured, for example 20ms. */
  readonly latency?: string | null;
  /** Whether cells are searched on these images; auto: where there are seven minutes or more. Default "auto". */
  readonly search?: "auto" | "on" | "off";
  /**
   * Most networks, trained apart, that answer together where there is time to train each of them well. A whole number
   * from 1 to 16. Default 4.
   */
  readonly members?: number;
  /**
   * Whether the answer to the mirror image of an image counts too, for twice the multiply-accumulates; auto: where
   * images may be flipped and what the network may cost allows it. Default "auto".
   */
  readonly mirror?: "auto" | "off";
  /** Of everything drawn at random. A whole number from 0 to 4503599627370496. Default 0. */
  readonly seed?: number;
}
