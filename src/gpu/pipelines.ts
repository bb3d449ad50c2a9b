/**
 * Makes variants of shaders, each once, and compiles them.
 * @module
 */
import type { Gpu } from "./device.ts";
import type { Kernel, KernelInterface } from "./kernel.ts";
import { type Dialect, dialectOf, locatedMessage, shaderText, type Variant } from "./shader_text.ts";
import type { Constants } from "./template.ts";

/** What a variant is made from. */
export interface VariantRequest {
  readonly kernel: Kernel;
  readonly constants: Constants;
  readonly interface: KernelInterface;
}

/** Variants by kernel and constants, and pipelines of them. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #dialect: Dialect;
  readonly #variants = new Map<Kernel, Map<string, Variant>>();

  /** An empty cache on the device of `gpu`. */
  constructor(gpu: Gpu) {
    this.#device = gpu.device;
    this.#dialect = dialectOf(gpu);
  }

  /**
   * One variant of a kernel, the same object each time. `bf16`: the bindings that are stored so.
   * @throws {SyntaxError} that names file and line of what is wrong with the shader.
   */
  variant({ kernel, constants, interface: bound }: VariantRequest, bf16: readonly number[]): Variant {
    const variants = this.#variants.get(kernel) ?? new Map<string, Variant>();
    const key = JSON.stringify([constants, bound, bf16]), known = variants.get(key);
    if (known) return known;
    const variant = shaderText(kernel, bound, constants, new Set(bf16.map((i) => bound.arrays[i].name)), this.#dialect);
    this.#variants.set(kernel, variants.set(key, variant));
    return variant;
  }

  /**
   * Compiles a variant; entry point `main`, layout from the shader.
   * @throws {Error} with `where` (operation and shapes), the compiler's message, and file and line of the shader.
   */
  async compile(variant: Variant, where: string): Promise<GPUComputePipeline> {
    const { name, code } = variant;
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
    if (message === undefined && result.status === "fulfilled") return result.value;
    const { messages } = await module.getCompilationInfo(), errors = messages.filter(({ type }) => type === "error");
    const reasons = errors.map(({ message, lineNum }) => locatedMessage(variant, message, lineNum));
    throw new Error(
      `Cannot compile shader '${name}' for ${where}: ${
        reasons.length > 0 ? reasons.join("\n") : message ?? (result as PromiseRejectedResult).reason
      }`,
    );
  }
}
