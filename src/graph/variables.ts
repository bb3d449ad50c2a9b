/**
 * Variables: tensors that outlive a step (weights, gradients, momenta, statistics). Variables of one purpose lie
 * side by side in an arena, one buffer, so that an optimiser updates all of them in one dispatch and a checkpoint
 * reads them in one copy.
 * @module
 */
import { dense, elementCount, storageLength, type TensorType } from "./tensor_type.ts";

/** A named tensor in an arena. */
export interface Variable {
  /** Unique in its arena. */
  readonly name: string;
  /** Shape, layout and element type. */
  readonly type: TensorType;
  /** Where it lies. */
  readonly arena: Arena;
  /**
   * Offset in the arena in 4-byte elements: a multiple of 64, since WebGPU binds at multiples of 256 bytes, unless the
   * variable is a part of a block ({@linkcode Arena.addBlock}).
   */
  readonly offset: number;
}

/** WebGPU binds ranges of buffers at multiples of so many bytes. */
export const BINDING_BYTES = 256;

const ALIGNMENT = BINDING_BYTES / 4;

/** Variables of one purpose in one buffer. Gaps between them are zeros. */
export class Arena {
  /** Variables in order of offset, the parts of blocks among them. */
  readonly variables: Variable[] = [];
  /** What graphs read and write whole, in order of offset: blocks, and variables that are not in one. */
  readonly units: Variable[] = [];
  readonly #byName = new Map<string, Variable>();
  #length = 0;

  /**
   * An empty arena. `slack` bytes stay free behind the last variable, for kernels that bind a fixed-size uniform
   * range.
   */
  constructor(readonly name: string, readonly slack = 0) {}

  /** Length in 4-byte elements, gaps included, slack excluded. */
  get length(): number {
    return this.#length;
  }

  /** Size of its buffer in bytes. */
  get bytes(): number {
    return Math.max(this.#length * 4, 256) + this.slack;
  }

  /** Number of logical elements of all variables. */
  get elements(): number {
    return this.variables.reduce((sum, v) => sum + elementCount(v.type), 0);
  }

  /** Adds a variable. */
  add(name: string, type: TensorType): Variable {
    const variable = this.#addUnit(name, type);
    this.variables.push(variable);
    return variable;
  }

  /**
   * Adds dense variables of the same row length without gaps between them, for operations that read all of them as one
   * block.
   * @returns the block, of all their rows.
   */
  addBlock(name: string, parts: readonly (readonly [name: string, type: TensorType])[]): Variable {
    const rows = parts.reduce((sum, [, { shape }]) => sum + shape[0], 0);
    const block = this.#addUnit(name, dense([rows, ...parts[0][1].shape.slice(1)]));
    let { offset } = block;
    for (const [part, type] of parts) {
      this.variables.push(this.#named({ name: part, type, arena: this, offset }));
      offset += elementCount(type);
    }
    return block;
  }

  #addUnit(name: string, type: TensorType): Variable {
    const unit = this.#named({ name, type, arena: this, offset: this.#length });
    this.#length += Math.ceil(storageLength(type) / ALIGNMENT) * ALIGNMENT;
    this.units.push(unit);
    return unit;
  }

  #named(variable: Variable): Variable {
    if (this.#byName.has(variable.name)) {
      throw new TypeError(`Cannot add variable '${variable.name}' to '${this.name}' twice`);
    }
    this.#byName.set(variable.name, variable);
    return variable;
  }

  /** The variable or block called `name`, if there is one. */
  find(name: string): Variable | undefined {
    return this.#byName.get(name);
  }

  /** The variable or block called `name`. */
  get(name: string): Variable {
    const variable = this.#byName.get(name);
    if (!variable) {
      throw new RangeError(`Cannot find variable '${name}' in '${this.name}'`);
    }
    return variable;
  }

  /** An arena with the same variables and blocks at the same offsets, for gradients and optimiser state. */
  like(name: string): Arena {
    const twin = new Arena(name, this.slack);
    for (const v of this.#byName.values()) twin.#named({ ...v, arena: twin });
    twin.units.push(...this.units.map((v) => twin.get(v.name)));
    twin.variables.push(...this.variables.map((v) => twin.get(v.name)));
    twin.#length = this.#length;
    return twin;
  }

  /** The whole arena as one flat variable, for operations that treat all variables alike. Call it when complete. */
  whole(): Variable {
    return this.#whole ??= {
      name: this.name,
      type: dense([this.#length]),
      arena: this,
      offset: 0,
    };
  }
  #whole?: Variable;
}
