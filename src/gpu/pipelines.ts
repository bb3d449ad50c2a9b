/**
 * Makes variants of shaders, each once, and compiles them.
 * @module
 */
import { type Gpu, INT64 } from "./device.ts";
import { storeArrays } from "./storage.ts";
import { type Constants, expand } from "./template.ts";

/** A hand-written WGSL file. */
export interface Shader {
  /** File name without extension. */
  readonly name: string;
  /** Text of the file. */
  readonly source: string;
}

/** A shader with its constants filled in. */
export interface Variant {
  /** Name of the shader. */
  readonly name: string;
  /** WGSL. */
  readonly code: string;
}

/** Variants by shader and constants, and pipelines of them. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #words64: boolean;
  readonly #variants = new Map<string, Variant>();

  /** An empty cache on the device of `gpu`. */
  constructor(gpu: Gpu) {
    this.#device = gpu.device;
    this.#words64 = gpu.features.includes(INT64);
  }

  /** One variant of a shader, the same object each time. `bf16`: the bindings that are stored so. */
  variant({ name, source }: Shader, constants: Constants, bf16: readonly number[]): Variant {
    const key = `${name} ${JSON.stringify(constants)} ${bf16}`, known = this.#variants.get(key);
    if (known) return known;
    const variant = { name, code: storeArrays(expand(source, constants), bf16, this.#words64) };
    this.#variants.set(key, variant);
    return variant;
  }

  /**
   * Compiles a variant; entry point `main`, layout from the shader.
   * @throws {Error} with `where` (operation and shapes) and the compiler's message.
   */
  async compile({ name, code }: Variant, where: string): Promise<GPUComputePipeline> {
    this.#device.pushErrorScope("validation");
    const module = this.#device.createShaderModule({ label: name, code });
    const scope = this.#device.popErrorScope();
    const pipeline = this.#device.createComputePipelineAsync({
      label: name,
      layout: "auto",
      compute: { module, entryPoint: "main" },
    });
    const [error, result] = await Promise.allSettled([scope, pipeline]);
    const message = error.status === "fulfilled" ? error.value?.message : String(error.reason);
    if (message !== undefined || result.status === "rejected") {
      const reason = message ?? (result as PromiseRejectedResult).reason;
      throw new Error(
        `Cannot compile shader '${name}' for ${where}: ${reason}`,
      );
    }
    return result.value;
  }
}
