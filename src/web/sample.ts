/**
 * The images that come with the page: digits of MNIST.
 * @module
 */

/** The folder beside the page that they lie in. */
export const SAMPLE_FOLDER = "mnist-sample";

/** Its files. */
export const SAMPLE_FILES: readonly string[] = ["train", "t10k"].flatMap((
  part,
) => [`${part}-images-idx3-ubyte`, `${part}-labels-idx1-ubyte`]);
