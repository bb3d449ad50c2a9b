/**
 * What is thrown where images were there when a data set was opened and are gone now.
 * @module
 */
import { FailureError } from "../base/errors.ts";

/** Images of a data set went away while they were needed: a disk or a network that does not answer, deleted files. */
export class ImagesLostError extends FailureError {
  /** Name shown in stack traces. */
  override readonly name = "ImagesLostError";
}
