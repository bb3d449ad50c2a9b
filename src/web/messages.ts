/**
 * What the page and its worker say to each other.
 * @module
 */
import type { LiveUpdate } from "../report/live_view.ts";
import type { Choices, Download } from "./job.ts";

/** What a person wants. */
export type Wish =
  /** The first message: the address of the page, beside which the decoder and the sample lie. */
  | { readonly kind: "begin"; readonly base: string }
  /** These files are the images. */
  | { readonly kind: "images"; readonly name: string; readonly files: readonly { path: string; blob: Blob }[] }
  /** The sample of MNIST is. */
  | { readonly kind: "sample" }
  /** Begin, with these options, or go on. */
  | { readonly kind: "start"; readonly options: Choices }
  /** Stop, with a checkpoint. */
  | { readonly kind: "stop" }
  /** Forget images and runs. */
  | { readonly kind: "forget" };

/**
 * Where the page is: there is no adapter or it is not known yet; images are needed; they are there; it works; it was
 * stopped and can go on; it is done.
 */
export type Stage = "waiting" | "empty" | "ready" | "running" | "stopped" | "done";

/** What a person is told; what is left out stays as it is. */
export interface PageUpdate extends LiveUpdate {
  /** Where the page is. */
  readonly stage?: Stage;
  /** The adapter. */
  readonly adapter?: string;
  /** Which images there are. */
  readonly images?: string;
  /** Whether the training has begun, with a stage. */
  readonly training?: boolean;
  /** The options of the job that there is. */
  readonly options?: Choices;
  /** What went wrong; empty: nothing. */
  readonly fault?: string;
  /** What is to be heeded. */
  readonly warning?: string;
  /** Files to take away. */
  readonly downloads?: readonly Download[];
}
