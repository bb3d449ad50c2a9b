/**
 * A graph of ONNX nodes, and how one is made from ours: every operation maps itself (`OpSpec.onnx`), nothing here
 * knows an operation. Not responsible for bytes (`onnx_file.ts`), nor for what goes around a network (`onnx.ts`).
 * @module
 */
import type { Graph, Node, Tensor } from "../graph/graph.ts";
import type { OnnxAttribute, OnnxContext } from "../graph/op.ts";
import { elementCount, type TensorType } from "../graph/tensor_type.ts";
import type { Variable } from "../graph/variables.ts";

/** A constant. */
export interface OnnxTensor {
  /** Unique among the values of its graph. */
  readonly name: string;
  /** Shape as ONNX sees it. */
  readonly shape: readonly number[];
  /** Elements, row-major. */
  readonly data: Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;
}

/** An ONNX node; each has one output, called like the node. */
export interface OnnxNode {
  /** Unique in its graph. */
  readonly name: string;
  /** Operator, for example `"Conv"`. */
  readonly operator: string;
  /** Names of values: outputs of nodes before it, constants, inputs of the graph. */
  readonly inputs: readonly string[];
  /** Attributes by name. */
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** An f32 input or output of an ONNX graph, whose first dimension is left open. */
export interface OnnxPort {
  /** Name of the value. */
  readonly name: string;
  /** Shape without the first dimension. */
  readonly shape: readonly number[];
  /** What it holds, for people. */
  readonly doc?: string;
}

/** A graph of ONNX nodes in execution order. */
export interface OnnxGraph {
  /** What a caller feeds. */
  readonly inputs: readonly OnnxPort[];
  /** Nodes; what they read comes before them. */
  readonly nodes: readonly OnnxNode[];
  /** Weights and what else never changes. */
  readonly constants: readonly OnnxTensor[];
  /** What a caller gets; each is called like a node. */
  readonly outputs: readonly OnnxPort[];
}

/** Elements of a variable, row-major and without padding. */
export type VariableValues = (variable: Variable) => ArrayLike<number>;

/** Shape without the batch: images `[C, N, H, W]` are `[N, C, H, W]` in ONNX, everything else has N in front. */
function shapeAfterBatch(type: TensorType): number[] {
  return type.layout === "image" ? [type.shape[0], ...type.shape.slice(2)] : type.shape.slice(1);
}

/** Collects an ONNX graph. Equal nodes and equal constants become one. */
export class OnnxBuilder {
  readonly #inputs: OnnxPort[] = [];
  readonly #nodes: OnnxNode[] = [];
  readonly #constants = new Map<string, OnnxTensor>();
  readonly #names = new Set<string>();
  readonly #known = new Map<string, string>();

  /** Declares an input. */
  input(name: string, shape: readonly number[], doc?: string): string {
    if (this.#names.has(name)) throw new TypeError(`Cannot declare ONNX input '${name}' as the name must be unused`);
    this.#names.add(name);
    this.#inputs.push({ name, shape, doc });
    return name;
  }

  /** Name of the first input. */
  fed(): string {
    if (this.#inputs.length > 0) return this.#inputs[0].name;
    throw new TypeError("Cannot tell how many images there are in an ONNX graph as it must have an input: it has none");
  }

  /** Adds a constant, or finds the same one; returns the name it has. */
  constant(
    name: string,
    shape: readonly number[],
    elements: ArrayLike<number>,
    type: "float" | "int64" = "float",
  ): string {
    const data = type === "float"
      ? Float32Array.from(elements)
      : BigInt64Array.from(Array.from(elements, (v) => BigInt(v)));
    for (let count = 0;; count++) {
      const candidate = count === 0 ? name : `${name}_${count}`, known = this.#constants.get(candidate);
      if (known && sameTensor(known, shape, data)) return candidate;
      if (this.#names.has(candidate)) continue;
      this.#names.add(candidate);
      this.#constants.set(candidate, { name: candidate, shape, data });
      return candidate;
    }
  }

  /** Adds a node called after `label` and its operator, or finds an equal one; returns the name of its output. */
  emit(
    label: string,
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): string {
    const key = JSON.stringify([operator, inputs, attributes]), known = this.#known.get(key);
    if (known !== undefined) return known;
    const base = label === "" ? operator : `${label}/${operator}`;
    let name = base;
    for (let count = 1; this.#names.has(name); count++) name = `${base}_${count}`;
    this.#names.add(name);
    this.#nodes.push({ name, operator, inputs, attributes });
    this.#known.set(key, name);
    return name;
  }

  /**
   * The finished graph with named outputs; a value that is an input of the graph, or has two names, goes through an
   * Identity. `docs` describes outputs.
   */
  finish(
    outputs: Readonly<Record<string, { readonly value: string; readonly shape: readonly number[]; doc?: string }>>,
  ): OnnxGraph {
    const renamed = new Map<string, string>(), ports: OnnxPort[] = [], copies: OnnxNode[] = [];
    for (const [name, { value, shape, doc }] of Object.entries(outputs)) {
      if (this.#names.has(name)) throw new TypeError(`Cannot name an ONNX output '${name}': the name must be unused`);
      if (this.#nodes.some((n) => n.name === value) && !renamed.has(value)) renamed.set(value, name);
      else copies.push({ name, operator: "Identity", inputs: [value], attributes: {} });
      ports.push({ name, shape, doc });
    }
    const rename = (value: string) => renamed.get(value) ?? value;
    const nodes = [...this.#nodes, ...copies].map((n) => ({
      ...n,
      name: rename(n.name),
      inputs: n.inputs.map(rename),
    }));
    return { inputs: this.#inputs, nodes, constants: [...this.#constants.values()], outputs: ports };
  }
}

function sameTensor(known: OnnxTensor, shape: readonly number[], data: OnnxTensor["data"]): boolean {
  return known.shape.length === shape.length && known.shape.every((d, i) => d === shape[i]) &&
    known.data.constructor === data.constructor && known.data.length === data.length &&
    known.data.every((v: number | bigint, i: number) => Object.is(v, data[i]));
}

/** Nodes that `results` depend on, in execution order. */
function neededNodes(graph: Graph, results: readonly Tensor[]): Node[] {
  const wanted = new Set(results), nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((t) => wanted.has(t))) continue;
    node.inputs.forEach((t) => wanted.add(t));
    nodes.push(node);
  }
  return nodes.reverse();
}

/**
 * Writes what `results` depend on into `builder`.
 * @param leaves names of the values that stand for leaves of the graph or for tensors on the way.
 * @returns the name of the value of each result, and its shape without the batch.
 * @throws {RangeError} naming the node, for an operation without an ONNX mapping or an input that is not known.
 */
export function mapGraph(
  builder: OnnxBuilder,
  graph: Graph,
  leaves: ReadonlyMap<Tensor, string>,
  results: readonly Tensor[],
  values: VariableValues,
): { readonly value: string; readonly shape: readonly number[] }[] {
  const names = new Map(leaves);
  const named = (tensor: Tensor, where: string): string => {
    const name = names.get(tensor);
    if (name !== undefined) return name;
    const { variable } = tensor;
    if (tensor.node || !variable) {
      const what = tensor.inputName ? `the host's input '${tensor.inputName}'` : `output ${tensor.index} of its source`;
      throw new RangeError(`Cannot export ${where} to ONNX as each of its inputs must be known: it reads ${what}`);
    }
    const constant = builder.constant(variable.name, tensor.type.shape, values(variable));
    names.set(tensor, constant);
    return constant;
  };
  for (const node of neededNodes(graph, results)) {
    if (node.outputs.every((t) => names.has(t))) continue;
    const where = `node '${node.label}' (${node.op.name})`;
    if (!node.op.onnx) {
      throw new RangeError(
        `Cannot export ${where} to ONNX as the operation must have an ONNX mapping: build the network for inference`,
      );
    }
    const context: OnnxContext = {
      node,
      input: (i) => named(node.inputs[i], where),
      elements(i) {
        const { variable, node: source, type } = node.inputs[i];
        if (source || !variable) {
          throw new RangeError(
            `Cannot export ${where} to ONNX as its input ${i} must be a variable: build the network for inference`,
          );
        }
        const elements = Float64Array.from(values(variable));
        if (elements.length === elementCount(type)) return elements;
        throw new RangeError(
          `Cannot export '${variable.name}' as it must have ${elementCount(type)} elements: it has ${elements.length}`,
        );
      },
      constant: (...args) => builder.constant(...args),
      fed: () => builder.fed(),
      emit: (operator, inputs, attributes) => builder.emit(node.label, operator, inputs, attributes),
    };
    node.op.onnx(context).forEach((name, i) => names.set(node.outputs[i], name));
  }
  return results.map((t) => ({ value: named(t, "the result"), shape: shapeAfterBatch(t.type) }));
}

/** Declares `tensor`, an input written by the host, as input `name` of the ONNX graph. */
export function mapInput(builder: OnnxBuilder, name: string, tensor: Tensor, doc?: string): string {
  return builder.input(name, shapeAfterBatch(tensor.type), doc);
}
