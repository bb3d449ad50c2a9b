/**
 * Learning-rate schedules.
 * @module
 */

/**
 * Cosine annealing per epoch, as PyTorch's `CosineAnnealingLR` and DARTS' code have it: `from` in epoch 0, and `to`
 * would be reached in epoch `epochs`.
 */
export function cosine(from: number, to: number, epoch: number, epochs: number): number {
  return to + (from - to) * (1 + Math.cos(Math.PI * epoch / epochs)) / 2;
}
