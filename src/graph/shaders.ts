/**
 * The shaders of planned programs: which variant each dispatch needs, compiled once each, on several threads where that
 * helps.
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import { PipelineCache } from "../gpu/pipelines.ts";
import type { Variant } from "../gpu/shader_text.ts";
import { type ShaderText, warmUp } from "../gpu/warm_up.ts";
import type { Node } from "./graph.ts";
import type { Dispatch } from "./op.ts";
import type { Plan, PlannedNode } from "./plan.ts";
import { typeText } from "./tensor_type.ts";

/** A shader that this device has compiled. */
export interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** A dispatch of a program, and its shader. */
export interface ShadedDispatch {
  readonly plan: Plan;
  readonly node: PlannedNode;
  readonly dispatch: Dispatch;
  readonly variant: Variant;
}

/** Which bindings of a dispatch are stored as bf16. @throws {TypeError} where the kernel does not take that. */
export function bf16Bindings(node: Node, { kernel, bindings, interface: bound }: Dispatch): number[] {
  return bindings.flatMap(({ from, index }, binding) => {
    const tensor = from === "input" ? node.inputs[index] : from === "output" ? node.outputs[index] : undefined;
    if (tensor?.type.dtype !== "bf16") return [];
    const array = bound.arrays[binding];
    if (!array.mayBeBf16) {
      throw new TypeError(
        `Cannot run kernel '${kernel.name}' for ${node.op.name} at '${node.label}': '${array.name}' is bf16, which the ` +
          `kernel's declaration does not allow`,
      );
    }
    return [binding];
  });
}

/** A shader as threads are told of it. */
function textOf({ variant, dispatch: { bindings, params } }: ShadedDispatch): ShaderText {
  return { code: variant.code, bindings: bindings.length + (params ? 1 : 0) };
}

/** What a device has compiled. */
export class Shaders {
  readonly #gpu: Gpu;
  readonly #cache: PipelineCache;
  readonly #compiled = new Map<Variant, Compiled>();

  /** None yet. */
  constructor(gpu: Gpu) {
    this.#gpu = gpu;
    this.#cache = new PipelineCache(gpu);
  }

  /** The dispatches of programs in order, each with its shader. */
  dispatchesOf(plans: readonly Plan[]): ShadedDispatch[] {
    return plans.flatMap((plan) =>
      plan.nodes.flatMap((node) =>
        node.dispatches.map((dispatch) => {
          const bf16 = bf16Bindings(node.node, dispatch);
          return { plan, node, dispatch, variant: this.#cache.variant(dispatch, bf16) };
        })
      )
    );
  }

  /** A dispatch of each shader among these that is not compiled yet. */
  #missing(dispatches: readonly ShadedDispatch[]): ShadedDispatch[] {
    const missing = dispatches.filter(({ variant }) => !this.#compiled.has(variant));
    return [...new Map(missing.map((one) => [one.variant, one])).values()];
  }

  /** Compiles what these programs need for whichever device runs them, on several threads where that helps. */
  async compileAhead(plans: readonly Plan[]): Promise<void> {
    await warmUp(this.#gpu, this.#missing(this.dispatchesOf(plans)).map(textOf));
  }

  /**
   * Compiles what is missing. Nothing else should run meanwhile, since it is timed whether a shader is compiled yet.
   * What other threads compile is translated here only after they have ended: that keeps the memory of both apart.
   * @throws {Error} with operation, shapes and the compiler's message.
   */
  async compile(dispatches: readonly ShadedDispatch[]): Promise<void> {
    const missing = new Map(this.#missing(dispatches).map((one) => [textOf(one), one]));
    await warmUp(this.#gpu, [...missing.keys()], (text) => this.#compileOne(missing.get(text)!));
    await Promise.all(this.#missing(dispatches).map((one) => this.#compileOne(one)));
  }

  async #compileOne({ variant, node: { node } }: ShadedDispatch): Promise<GPUComputePipeline> {
    const operands = node.inputs.map((t) => typeText(t.type)).join(", ");
    const pipeline = await this.#cache.compile(variant, `${node.op.name} at '${node.label}' (${operands})`);
    this.#compiled.set(variant, { pipeline, layout: pipeline.getBindGroupLayout(0) });
    return pipeline;
  }

  /** A shader that was compiled. */
  get(variant: Variant): Compiled {
    return this.#compiled.get(variant)!;
  }
}
