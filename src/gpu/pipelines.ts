/**
 * Compiles shaders, each variant once per device, in parallel.
 * @module
 */
import { storeAsBf16 } from "./bf16.ts";
import { type Constants, expand } from "./template.ts";

/** A hand-written WGSL file. */
export interface Shader {
  /** File name without extension. */
  readonly name: string;
  /** Text of the file. */
  readonly source: string;
}

/** Compute pipelines by shader and constants. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();

  /** An empty cache on `device`. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Number of distinct pipelines asked for so far. */
  get size(): number {
    return this.#pipelines.size;
  }

  /**
   * The pipeline of one variant of a shader; entry point `main`, layout from the shader. `bf16`: the bindings that
   * are stored so.
   * @throws {Error} with `where` (operation and shapes) and the compiler's message.
   */
  get(
    shader: Shader,
    constants: Constants,
    bf16: readonly number[],
    where: string,
  ): Promise<GPUComputePipeline> {
    const key = `${shader.name} ${JSON.stringify(constants)} ${bf16}`;
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      pipeline = this.#compile(shader.name, storeAsBf16(expand(shader.source, constants), bf16), where);
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  async #compile(
    name: string,
    code: string,
    where: string,
  ): Promise<GPUComputePipeline> {
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
