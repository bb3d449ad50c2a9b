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
  /** Offset in the arena in 4-byte elements; a multiple of 64, since WebGPU binds at multiples of 256 bytes. */
  readonly offset: number;
}

const ALIGNMENT = 64;

/** Variables of one purpose in one buffer. Gaps between them are zeros. */
export class Arena {
  /** Variables in order of offset. */
  readonly variables: Variable[] = [];
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
    if (this.#byName.has(name)) {
      throw new TypeError(
        `Cannot add variable '${name}' to '${this.name}' twice`,
      );
    }
    const variable: Variable = {
      name,
      type,
      arena: this,
      offset: this.#length,
    };
    this.#length += Math.ceil(storageLength(type) / ALIGNMENT) * ALIGNMENT;
    this.variables.push(variable);
    this.#byName.set(name, variable);
    return variable;
  }

  /** The variable called `name`. */
  get(name: string): Variable {
    const variable = this.#byName.get(name);
    if (!variable) {
      throw new RangeError(`Cannot find variable '${name}' in '${this.name}'`);
    }
    return variable;
  }

  /** An arena with the same variables at the same offsets, for gradients and optimiser state. */
  like(name: string): Arena {
    const twin = new Arena(name, this.slack);
    for (const v of this.variables) twin.add(v.name, v.type);
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
