/**
 * {@linkcode DataOptions}. Generated from the list in `config.ts` by `deno task generate`: change it there.
 * @module
 */

/** Which images are taken and how they are read, see {@linkcode openData}. */
export interface DataOptions {
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
}
