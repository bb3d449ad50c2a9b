/**
 * What idarts is made of, for those who build on it: graphs of tensor operations that are differentiated, planned and
 * run; operations with their kernels, and the check of an operation of one's own against its f64 reference and finite
 * differences; cells, supernets and the plans of searches and trainings, which need no device. More of what this module
 * and the main one mention is in `./types`.
 * @module
 */
import "./src/platform/deno.ts";

// Graphs
export { Graph, type Node, type Tensor } from "./src/graph/graph.ts";
export type { Precision, TensorType } from "./src/graph/tensor_type.ts";
export { Arena, type Variable } from "./src/graph/variables.ts";
export {
  type ChooseVariant,
  type Place,
  type Plan,
  type PlannedNode,
  type PlanTarget,
  Pool,
} from "./src/graph/plan.ts";
export { gradients, type Sum } from "./src/graph/autodiff.ts";
export { validate } from "./src/graph/passes.ts";
export { planProgram } from "./src/graph/plan.ts";
export { type DispatchTime, Runtime } from "./src/graph/runtime.ts";
export type { HostInputs } from "./src/graph/buffers.ts";
export { dense, elementCount, image, pack, unpack } from "./src/graph/tensor_type.ts";

// Operations and their kernels
export type {
  Attributes,
  Binding,
  Dispatch,
  GradientContext,
  KernelContext,
  KernelPlan,
  KernelVariant,
  OnnxAttribute,
  OnnxContext,
  OpCase,
  OpSpec,
} from "./src/graph/op.ts";
export type {
  Access,
  BoundArray,
  BufferDeclaration,
  Buffers,
  Kernel,
  KernelInterface,
  Params,
  Presence,
  Scalar,
  Table,
} from "./src/gpu/kernel.ts";
export type { Element, StoredArray } from "./src/gpu/storage.ts";
export type { Constants, Source } from "./src/gpu/template.ts";
export {
  as,
  type Bound,
  dispatch,
  type DispatchOptions,
  input,
  type OptionalKeys,
  output,
  scratch,
  uniformInput,
} from "./src/graph/dispatch.ts";
export { kernel, list, optional, read, record, table, uniform, write } from "./src/gpu/kernel.ts";
export { checkCase, type CheckResult } from "./src/ops/check.ts";
export { OPERATIONS } from "./src/ops/registry.ts";

// Cells and supernets
export { supernetConfig } from "./src/search/search.ts";
export { type BuiltCandidate, type BuiltNode, type SupernetConfig, weightCount } from "./src/space/supernet.ts";
export { type Initializer, NetworkVariables } from "./src/nn/variables.ts";
export { planSearch, type ProgramName, type SearchArenas, type SearchPlan } from "./src/search/programs.ts";
export type { SecondOrderProgram } from "./src/nn/second_order.ts";
export { planTraining, type TrainPlan } from "./src/train/programs.ts";
export type { EngineArenas, EnginePlan } from "./src/run/engine.ts";
export { candidatesOf, choosableOf, edgesOf, primitivesOf, skeletonOf } from "./src/space/space.ts";
export { resolveSpace } from "./src/space/definition.ts";

// Devices and what fits on them
export { type GpuLimits, PORTABLE_LIMITS } from "./src/gpu/device.ts";
export { type KernelTimes, tune, tuned, type TunedGpu } from "./src/graph/tuning.ts";
export {
  checkMemory,
  hostBytes,
  largestBatch,
  type MemoryBudget,
  memoryBudget,
  neededBytes,
  type Planned,
} from "./src/run/memory.ts";
