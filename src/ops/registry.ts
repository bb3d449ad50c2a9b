/**
 * The only list of operations. Tests, the plan printer and `doctor` iterate it.
 * @module
 */
import type { OpSpec } from "../graph/op.ts";
import { accumulateTally } from "./accumulate_tally.ts";
import { adam } from "./adam.ts";
import { addN } from "./add_n.ts";
import { batchNorm } from "./batch_norm.ts";
import { bnGrad, bnGradSums } from "./bn_grad.ts";
import { bnStats } from "./bn_stats.ts";
import { combine } from "./combine.ts";
import { concat, split, zeros } from "./concat.ts";
import { conv2d, conv2dInputGrad, conv2dWeightGrad } from "./conv2d.ts";
import { crossEntropy, crossEntropyGrad } from "./cross_entropy.ts";
import { depthwise } from "./depthwise.ts";
import { depthwiseGrad, depthwiseInputGrad } from "./depthwise_grad.ts";
import { dropPath } from "./drop_path.ts";
import { edgeWeights, edgeWeightsGrad } from "./edge_weights.ts";
import { globalAvgPool, globalAvgPoolGrad } from "./global_avg_pool.ts";
import { gram } from "./gram.ts";
import { linear, linearInputGrad, linearWeightGrad } from "./linear.ts";
import { maxPool2x2, maxPool2x2Grad } from "./max_pool_2x2.ts";
import { meanSquare } from "./mean_square.ts";
import { mirror } from "./mirror.ts";
import { mixed, mixedGradSums, mixedInputGrad, mixedWeightGrad } from "./mixed.ts";
import { multiplyAdd } from "./multiply_add.ts";
import { muon } from "./muon.ts";
import { noise } from "./noise.ts";
import { normalize, normalizeGrad } from "./normalize.ts";
import { pointwise } from "./pointwise.ts";
import { pointwiseNorm } from "./pointwise_norm.ts";
import { pointwiseGrad, pointwiseInputGrad, pointwiseWeightGrad } from "./pointwise_grad.ts";
import { avgPool, avgPoolGrad, bothPools, bothPoolsGrad, maxPool, maxPoolGrad } from "./pool.ts";
import { pyramidPool, pyramidPoolGrad } from "./pyramid_pool.ts";
import { relu, reluGrad } from "./relu.ts";
import { runningUpdate } from "./running_update.ts";
import { sampleNorm, sampleNormGrad } from "./sample_norm.ts";
import { sgd } from "./sgd.ts";
import { softmax, softmaxGrad } from "./softmax.ts";
import { spaceToPhases, spaceToPhasesGrad } from "./space_to_phases.ts";
import { squareSum } from "./square_sum.ts";
import { windowMean, windowMeanGrad } from "./window_mean.ts";

/** Every operation of the graph runtime. */
export const OPERATIONS: readonly OpSpec[] = [
  conv2d,
  conv2dInputGrad,
  conv2dWeightGrad,
  pointwise,
  pointwiseInputGrad,
  pointwiseWeightGrad,
  pointwiseGrad,
  pointwiseNorm,
  depthwise,
  depthwiseGrad,
  depthwiseInputGrad,
  maxPool,
  maxPoolGrad,
  avgPool,
  avgPoolGrad,
  bothPools,
  bothPoolsGrad,
  maxPool2x2,
  maxPool2x2Grad,
  spaceToPhases,
  spaceToPhasesGrad,
  bnStats,
  batchNorm,
  bnGradSums,
  bnGrad,
  normalize,
  normalizeGrad,
  sampleNorm,
  sampleNormGrad,
  mixed,
  mixedGradSums,
  mixedInputGrad,
  mixedWeightGrad,
  softmax,
  softmaxGrad,
  edgeWeights,
  edgeWeightsGrad,
  concat,
  split,
  zeros,
  addN,
  globalAvgPool,
  globalAvgPoolGrad,
  pyramidPool,
  pyramidPoolGrad,
  linear,
  linearInputGrad,
  linearWeightGrad,
  crossEntropy,
  crossEntropyGrad,
  squareSum,
  sgd,
  muon,
  adam,
  combine,
  runningUpdate,
  accumulateTally,
  meanSquare,
  gram,
  dropPath,
  noise,
  relu,
  reluGrad,
  windowMean,
  windowMeanGrad,
  multiplyAdd,
  mirror,
];
