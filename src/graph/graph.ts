/**
 * A static graph of tensor operations: defined once, then differentiated, planned and replayed.
 * @module
 */
import { type Precision, sameType, storedAs, type TensorType, typeText } from "./tensor_type.ts";
import type { Attributes, OpSpec } from "./op.ts";
import type { Variable } from "./variables.ts";

/** A value in the graph. Leaves have no node: they are variables or inputs written by the host. */
export interface Tensor {
  /** Unique in its graph, in order of creation. */
  readonly id: number;
  /** Shape, layout and element type. */
  readonly type: TensorType;
  /** Producer, or null for a leaf. */
  readonly node: Node | null;
  /** Which output of the producer. */
  readonly index: number;
  /** Storage outside the pool: the tensor is (a leaf) or is written into (an output) this variable. */
  variable?: Variable;
  /** Name of a leaf that the host writes before each run. */
  readonly inputName?: string;
}

/** One application of an operation. */
export interface Node<A = Attributes> {
  /** The operation. */
  readonly op: OpSpec<A>;
  /** What it reads. */
  inputs: readonly Tensor[];
  /** Its attributes. */
  readonly attrs: A;
  /** What it makes. */
  readonly outputs: readonly Tensor[];
  /** Path of the layer that made it, for messages and plans, for example `cells.0/node2/sep_conv_3x3`. */
  readonly label: string;
}

/** Builder and container of nodes in execution order. */
export class Graph {
  /** Nodes in execution order; inputs precede their users. */
  nodes: Node[] = [];
  /** Leaves that the host writes, by name. */
  readonly inputs: Map<string, Tensor> = new Map();
  readonly #variables = new Map<Variable, Tensor>();
  #scope: string[] = [];
  #nextId = 0;

  /** `precision` is that of the images which operations make; leaves keep theirs. */
  constructor(readonly precision: Precision = "f32") {}

  /** Types of the outputs of an operation in this graph. @throws {RangeError} from shape inference. */
  infer<A>(op: OpSpec<A>, inputs: readonly Tensor[], attrs: A): TensorType[] {
    return op.infer(inputs.map((t) => t.type), attrs).map((type) => storedAs(type, this.precision));
  }

  /** Runs `body` with `name` appended to the labels of the nodes it makes. */
  scope<T>(name: string, body: () => T): T {
    this.#scope.push(name);
    try {
      return body();
    } finally {
      this.#scope.pop();
    }
  }

  /** The leaf that stands for a variable; one leaf per variable. */
  variable(variable: Variable): Tensor {
    let tensor = this.#variables.get(variable);
    if (!tensor) {
      tensor = {
        id: this.#nextId++,
        type: variable.type,
        node: null,
        index: 0,
        variable,
      };
      this.#variables.set(variable, tensor);
    }
    return tensor;
  }

  /** A leaf that the host writes before each run. */
  input(name: string, type: TensorType): Tensor {
    const known = this.inputs.get(name);
    if (known) {
      if (!sameType(known.type, type)) {
        throw new TypeError(`Cannot declare graph input '${name}' with two types`);
      }
      return known;
    }
    const tensor: Tensor = {
      id: this.#nextId++,
      type,
      node: null,
      index: 0,
      inputName: name,
    };
    this.inputs.set(name, tensor);
    return tensor;
  }

  /**
   * Applies an operation.
   * @throws {RangeError} from shape inference, with the node's label in front.
   */
  apply<A>(
    op: OpSpec<A>,
    inputs: readonly Tensor[],
    attrs: A,
    label?: string,
  ): Tensor[] {
    const path = [...this.#scope, ...(label ? [label] : [])].join("/") ||
      op.name;
    let types: TensorType[];
    try {
      types = this.infer(op, inputs, attrs);
    } catch (error) {
      const shapes = inputs.map((t) => typeText(t.type)).join(", ");
      throw new RangeError(`Cannot add ${op.name} at '${path}' to (${shapes}): ${(error as Error).message}`);
    }
    const outputs: Tensor[] = [];
    const node: Node<A> = { op, inputs, attrs, outputs, label: path };
    types.forEach((type, index) => outputs.push({ id: this.#nextId++, type, node, index }));
    this.nodes.push(node);
    return outputs;
  }

  /** {@linkcode apply} for operations with one output. */
  apply1<A>(
    op: OpSpec<A>,
    inputs: readonly Tensor[],
    attrs: A,
    label?: string,
  ): Tensor {
    return this.apply(op, inputs, attrs, label)[0];
  }

  /** Makes the producer of `tensor` write straight into `variable`. */
  place(tensor: Tensor, variable: Variable): void {
    if (!tensor.node || tensor.variable) {
      throw new TypeError(`Cannot place tensor ${tensor.id} into '${variable.name}': it must be a fresh output`);
    }
    if (!sameType(tensor.type, variable.type)) {
      throw new RangeError(
        `Cannot place ${typeText(tensor.type)} into '${variable.name}': it is ${typeText(variable.type)}`,
      );
    }
    tensor.variable = variable;
  }
}
