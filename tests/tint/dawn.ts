/**
 * Chrome's compiler of shaders, Tint, as Dawn has it: the npm package `webgpu` with its null backend, which checks and
 * compiles and needs no driver. Not responsible for which shaders.
 * @module
 */

/** What is used of the package. */
interface Package {
  create(flags: readonly string[]): GPU;
}

/**
 * Deno downloads all that the lock file names for any program of this project, and this package is large: a specifier
 * that is put together at run time stays out of the lock.
 */
const PACKAGE = ["npm:webgpu", "0.6.2"].join("@");

/** Bytes that an engine is told of for each module: a module's own memory, which it does not see, is about so much. */
const MODULE_BYTES = 1 << 20;

/** Dawn's checks for one kind of device. */
export class Dawn implements Disposable {
  private constructor(
    /** Once the engine takes it for garbage, Dawn is gone under the device. */
    readonly owners: readonly unknown[],
    readonly device: GPUDevice,
  ) {}

  /** Opens a device without a driver. */
  static async open(features: readonly GPUFeatureName[]): Promise<Dawn> {
    const { create } = await import(PACKAGE) as Package, gpu = create(["backend=null"]);
    const adapter = await gpu.requestAdapter();
    if (!adapter) throw new Error("Cannot open Dawn's null backend");
    return new Dawn([gpu, adapter], await adapter.requestDevice({ requiredFeatures: [...features] }));
  }

  /** What Tint has against a shader, or Dawn against its pipeline where one is to be made; undefined: nothing. */
  async problem(code: string, pipeline: boolean): Promise<string | undefined> {
    new ArrayBuffer(MODULE_BYTES); // garbage, so that modules are collected before there are gigabytes of them
    this.device.pushErrorScope("validation");
    const module = this.device.createShaderModule({ code });
    if (pipeline) this.device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
    return (await this.device.popErrorScope())?.message;
  }

  [Symbol.dispose](): void {
    this.device.destroy();
  }
}
