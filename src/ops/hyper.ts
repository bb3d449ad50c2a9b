/**
 * The input `hyper` of the optimisers: numbers that change from step to step and that the host writes, by name.
 * @module
 */
import { type BufferDeclaration, record } from "../gpu/kernel.ts";
import { type Binding, uniformInput } from "../graph/op.ts";

/**
 * The numbers, in the order of the elements of `hyper`: learning rate of the weights (SGD), learning rate of the
 * architecture (Adam), and Adam's bias corrections 1 - beta1^t and 1 - beta2^t in its step t = 1, 2, ...
 */
export const HYPER_NAMES = ["weightLr", "alphaLr", "alphaCorrection1", "alphaCorrection2"] as const;

/** Elements of the input; those without a name are 0. */
export const HYPER_LENGTH = 8;

/** The input as a buffer of kernels. */
export const hyperRecord: BufferDeclaration<"always"> = record(...HYPER_NAMES);

/** Input `index` of a node, bound as such a buffer. */
export const boundHyper = (index: number): Binding => uniformInput(index, 4 * HYPER_LENGTH);
