/**
 * Compiles shaders on several threads before they are needed. Mesa's software driver compiles a shader when it is first
 * dispatched, on one thread, which takes 0.02 to 1.5 s, and keeps the result on disk for every device of this user. So
 * some threads open a device each and dispatch their share of the shaders over no workgroups, as this one does on its
 * own device, which finds the others' on disk. Nothing happens where that cannot help: on GPUs, whose drivers compile
 * elsewhere, where the shaders are on disk already, and where there is no such disk.
 * @module
 */
import { type Gpu, LIMIT_NAMES } from "./device.ts";

/** A shader to compile. */
export interface ShaderText {
  /** WGSL with entry point `main`; its bindings are buffers of group 0. */
  readonly code: string;
  /** How many bindings it has. */
  readonly bindings: number;
}

/** What was compiled ahead. */
export interface WarmUp {
  /** Threads that took part, this one included. */
  readonly threads: number;
  /** Shaders that they dispatched, those among them that are none. */
  readonly compiled: number;
  /** What is wrong with them; whoever needs them is told as well. */
  readonly errors: readonly string[];
}

/** Threads at work. */
export interface Ahead {
  /**
   * Lets this thread take its part and waits for all.
   * @param pipelineOf pipelines of the device where it has them, so that nothing is translated twice
   */
  join(pipelineOf?: (shader: ShaderText) => GPUComputePipeline): Promise<WarmUp>;
}

/** Fewer shaders are not worth a thread. */
const FEWEST = 16;
/** A shader that is on disk takes about 10 ms to be dispatched for the first time. */
const COLD_MS = 60;
/** Every thread but this one costs about 50 MiB and 0.1 s. */
const MOST_THREADS = 8;

/** What a thread is told. */
interface Job {
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
  readonly shaders: readonly ShaderText[];
  /** Milliseconds that the first shader took to compile, which is on disk by now. */
  readonly coldMs: number;
  /** Index of the next shader that nobody has taken. */
  readonly next: SharedArrayBuffer;
}

// The four functions below are handed over to threads as text, so they use nothing from around them.

/** Makes the pipeline of a shader. */
function translate(device: GPUDevice, { code }: ShaderText): GPUComputePipeline {
  const module = device.createShaderModule({ code });
  return device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
}

/** Dispatches a shader over no workgroups. @returns milliseconds that this took. */
async function compile(device: GPUDevice, pipeline: GPUComputePipeline, bindings: number): Promise<number> {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM;
  const buffers = Array.from({ length: bindings }, () => device.createBuffer({ size: 65536, usage }));
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const encoder = device.createCommandEncoder(), pass = encoder.beginComputePass(), began = performance.now();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(0);
  pass.end();
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  buffers.forEach((buffer) => buffer.destroy());
  return performance.now() - began;
}

/** Compiles shaders that nobody has taken until none is left. @returns how many */
async function compileShare(
  { shaders, next }: Pick<Job, "shaders" | "next">,
  compileOne: (shader: ShaderText) => Promise<number>,
): Promise<number> {
  const taken = new Int32Array(next);
  let compiled = 0;
  for (let i = Atomics.add(taken, 0, 1); i < shaders.length; i = Atomics.add(taken, 0, 1)) {
    await compileOne(shaders[i]);
    compiled++;
  }
  return compiled;
}

/** A thread's work. */
function work(translateOne: typeof translate, compileOne: typeof compile, share: typeof compileShare): void {
  self.addEventListener("message", async (event) => {
    const job = (event as MessageEvent<Job>).data, { limits, features, shaders, coldMs, next } = job;
    const errors: string[] = [];
    let compiled = 0;
    try {
      const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
      const device = await adapter!.requestDevice({
        requiredLimits: limits,
        requiredFeatures: features as GPUFeatureName[],
      });
      device.addEventListener(
        "uncapturederror",
        (event) => errors.push((event as GPUUncapturedErrorEvent).error.message),
      );
      const run = (shader: ShaderText) => compileOne(device, translateOne(device, shader), shader.bindings);
      const shared = await run(shaders[0]) < coldMs / 2;
      if (!shared) Atomics.store(new Int32Array(next), 0, shaders.length);
      compiled = await share(job, run);
    } catch (error) {
      errors.push(String(error));
    }
    (self as unknown as { postMessage(message: unknown): void }).postMessage({ compiled, errors });
    self.close(); // and the device with it: to destroy it and to terminate the thread has crashed the driver
  });
}

/** Lets threads compile `shaders` where that helps. @returns undefined where it does not */
export async function warmUp(gpu: Gpu, shaders: readonly ShaderText[]): Promise<Ahead | undefined> {
  if (!gpu.software || shaders.length < FEWEST || navigator.hardwareConcurrency < 2) return undefined;
  const longestFirst = shaders.toSorted((a, b) => b.code.length - a.code.length), [longest] = longestFirst;
  gpu.device.pushErrorScope("validation");
  const coldMs = await compile(gpu.device, translate(gpu.device, longest), longest.bindings);
  if (await gpu.device.popErrorScope() || coldMs < COLD_MS) return undefined;
  return compileAhead(gpu, longestFirst, coldMs);
}

/**
 * Lets threads compile `shaders` but the first, which somebody has compiled within `coldMs` milliseconds: a thread that
 * needs more than half of that for it concludes that results are not shared, and all stop.
 */
export function compileAhead(gpu: Gpu, shaders: readonly ShaderText[], coldMs: number): Ahead {
  const next = new SharedArrayBuffer(4), limits = Object.fromEntries(LIMIT_NAMES.map((n) => [n, gpu.limits[n]]));
  Atomics.store(new Int32Array(next), 0, 1);
  const threads = Math.min(MOST_THREADS, navigator.hardwareConcurrency, Math.ceil(shaders.length / 8));
  const job: Job = { limits, features: gpu.features, shaders, coldMs, next }, { device } = gpu;
  const others = Promise.all(Array.from({ length: threads - 1 }, () => startThread(job)));
  return {
    async join(pipelineOf = (shader) => translate(device, shader)) {
      device.pushErrorScope("validation");
      const own = await compileShare(job, (shader) => compile(device, pipelineOf(shader), shader.bindings));
      const error = await device.popErrorScope(), shares = await others;
      return {
        threads,
        compiled: shares.reduce((sum, { compiled }) => sum + compiled, own),
        errors: [...error ? [error.message] : [], ...shares.flatMap(({ errors }) => errors)],
      };
    },
  };
}

/** Starts a thread. @returns what its share was */
function startThread(job: Job): Promise<Omit<WarmUp, "threads">> {
  const text = `(${work})(${translate}, ${compile}, ${compileShare})`;
  const url = `data:application/javascript,${encodeURIComponent(text)}`;
  const thread = new Worker(url, { type: "module", name: "compiler" });
  const { promise, resolve } = Promise.withResolvers<Omit<WarmUp, "threads">>();
  thread.onmessage = ({ data }) => resolve(data);
  thread.onerror = (event) => {
    event.preventDefault();
    resolve({ compiled: 0, errors: [event.message] });
  };
  thread.postMessage(job);
  return promise;
}
