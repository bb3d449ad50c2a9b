/**
 * What an operation has to say about itself. The graph runtime, the tests, the plan printer and the cost model
 * read these descriptions; nobody switches on an operation's name.
 * @module
 */
import type { GpuLimits } from "../gpu/device.ts";
import type { Dispatch } from "./dispatch.ts";
import type { TensorType } from "./tensor_type.ts";
import type { Graph, Node, Tensor } from "./graph.ts";

export {
  as,
  type Binding,
  type Bound,
  type Dispatch,
  dispatch,
  input,
  output,
  scratch,
  uniformInput,
} from "./dispatch.ts";

/** Attributes of a node: plain data, part of its identity for the shared-subexpression pass. */
// deno-lint-ignore no-explicit-any
export type Attributes = any;

/** How an operation runs: dispatches in order, and the lengths (4-byte elements) of its scratch buffers. */
export interface KernelPlan {
  /** Dispatches in order. */
  readonly dispatches: readonly Dispatch[];
  /** Lengths of the scratch buffers in 4-byte elements. */
  readonly scratch?: readonly number[];
}

/** One of several ways to run an operation. */
export interface KernelVariant {
  /** Says what is special about it; what a tuning remembers. */
  readonly name: string;
  /** How it runs; asked only of variants that are wanted, since planning is done often. */
  plan(): KernelPlan;
}

/** What kernel choice may depend on. */
export interface KernelContext<A = Attributes> {
  /** Types of the inputs. */
  readonly inputs: readonly TensorType[];
  /** Types of the outputs. */
  readonly outputs: readonly TensorType[];
  /** Attributes of the node. */
  readonly attrs: A;
  /** Limits of the adapter. */
  readonly limits: GpuLimits;
}

/** What a gradient rule gets. */
export interface GradientContext<A = Attributes> {
  /** Graph to add nodes to. */
  readonly graph: Graph;
  /** The forward node: its inputs, outputs and attributes. */
  readonly node: Node<A>;
  /** Gradient of the loss for each output; null where it does not depend on it. */
  readonly grads: readonly (Tensor | null)[];
  /** Which inputs need a gradient. */
  readonly needs: readonly boolean[];
}

/** One test case of an operation. */
export interface OpCase<A = Attributes> {
  /** Says what is special about it. */
  readonly name: string;
  /** Types of the inputs. */
  readonly inputs: readonly TensorType[];
  /** Attributes of the node. */
  readonly attrs: A;
  /** Relative tolerance of the forward pass against the f64 reference; default 1e-5. */
  readonly tolerance?: number;
  /** Relative tolerance of gradients against finite differences; default 1e-4. */
  readonly gradTolerance?: number;
  /** How often what becomes a result is rounded on its way where images are stored as bf16; default 1. */
  readonly roundings?: number;
  /** Inputs whose gradient is compared; default every f32 input. */
  readonly wrt?: readonly number[];
  /**
   * Computes input `index` from the inputs before it (for example batch statistics from the tensor that they
   * belong to); undefined: filled as usual.
   */
  readonly derive?: (index: number, inputs: readonly Float64Array[]) => Float64Array | undefined;
  /** Outputs that get a cotangent in the gradient test; default every f32 output. */
  readonly through?: readonly number[];
  /** Makes input `index`, element by element; default standard normal. `u` is uniform in [0, 1). */
  readonly fill?: (
    index: number,
    element: number,
    normal: number,
    u: number,
  ) => number;
}

/** Attribute of an ONNX node: a whole number, a list of them, or a float. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number };

/** What an ONNX mapping gets to write its node with. Values go by name; images are `[N, C, H, W]` there, N dynamic. */
export interface OnnxContext<A = Attributes> {
  /** The node to map. */
  readonly node: Node<A>;
  /** Name of input `index`; a variable becomes a constant of its own shape. */
  input(index: number): string;
  /**
   * Logical elements of input `index`, row-major.
   * @throws {RangeError} where it is computed instead of stored in a variable.
   */
  elements(index: number): Float64Array;
  /** Adds a constant `name`, or finds the same one; returns the name it has. */
  constant(name: string, shape: readonly number[], elements: ArrayLike<number>, type?: "float" | "int64"): string;
  /** Name of an image that the caller feeds: it knows how many images there are. */
  fed(): string;
  /** Adds an ONNX node, or finds an equal one; returns the name of its output. */
  emit(operator: string, inputs: readonly string[], attributes?: Readonly<Record<string, OnnxAttribute>>): string;
}

/** An operation. `A` is the type of its attributes. */
export interface OpSpec<A = Attributes> {
  /** Unique name. */
  readonly name: string;
  /**
   * Types of the outputs.
   * @throws {RangeError} with the shapes it saw.
   */
  infer(inputs: readonly TensorType[], attrs: A): TensorType[];
  /** How it runs: one way, or several, of which the first is taken unless a tuning says otherwise. */
  kernels(context: KernelContext<A>): KernelPlan | readonly KernelVariant[];
  /** `inPlace[o] = i`: output `o` always takes over the buffer of input `i`, which nobody may use afterwards. */
  inPlace?(inputs: readonly TensorType[], attrs: A): Readonly<Record<number, number>>;
  /**
   * Its kernels only copy: `join` puts the inputs behind each other into its output, `cut` takes its input apart again.
   * The plan lets the parts lie in the whole where it can, and then there is nothing to run.
   */
  copies?(attrs: A): "join" | "cut" | null;
  /** Gradients for the inputs as graph nodes. Absent: not differentiable (backward kernels, optimisers). */
  gradient?(context: GradientContext<A>): (Tensor | null)[];
  /** Slow and obvious f64 version over logical row-major elements. */
  reference?(inputs: readonly Float64Array[], types: readonly TensorType[], attrs: A): Float64Array[];
  /** Name of the forward operation whose finite-difference test covers this one (instead of `reference`). */
  readonly testedBy?: string;
  /** Test cases; every operation with a reference has some. */
  cases?(): OpCase<A>[];
  /** Multiply-accumulates of one run; default 0. */
  macs?(inputs: readonly TensorType[], outputs: readonly TensorType[], attrs: A): number;
  /** Writes the forward pass as ONNX nodes; returns the names of its outputs. Absent: it cannot be exported. */
  onnx?(context: OnnxContext<A>): string[];
}
