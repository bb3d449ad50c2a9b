/**
 * Compiles shaders on several threads before they are needed. Mesa's software driver compiles a shader when it is first
 * dispatched, on one thread, which takes 0.02 to 1.5 s, and keeps the result on disk for every device of this user. So
 * some threads open a device each and dispatch their share of the shaders over no workgroups, as this one does on its
 * own device, which finds the others' on disk. Nothing happens where that cannot help: on GPUs, whose drivers compile
 * elsewhere, where the shaders are on disk already, and where there is no such disk.
 * @module
 */
import { platform } from "../platform/platform.ts";
import { type Gpu, LIMIT_NAMES } from "./device.ts";

/** A shader to compile. */
export interface ShaderText {
  /** WGSL with entry point `main`; its bindings are buffers of group 0. */
  readonly code: string;
  /** How many bindings it has. */
  readonly bindings: number;
}

/** Makes the pipeline of a shader on the device that takes part. */
export type PipelineOf = (shader: ShaderText) => Promise<GPUComputePipeline>;

/** What a thread compiled. */
interface Share {
  /** How many shaders. */
  readonly compiled: number;
  /** What is wrong with others; whoever needs them is told as well. */
  readonly errors: readonly string[];
}

/** What was compiled, the first shader not counted. */
export interface WarmUp extends Share {
  /** Threads that took part, this one included. */
  readonly threads: number;
}

/** Fewer shaders are not worth a thread. */
const FEWEST = 16;
/** A shader that is on disk takes about 10 ms to be dispatched for the first time. */
const COLD_MS = 60;
/** Every thread but this one costs about 70 MB, its shaders among them, and 0.1 s. */
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

/** Makes the pipeline of a shader. @throws {Error} with what is wrong with it */
async function translate(device: GPUDevice, { code }: ShaderText): Promise<GPUComputePipeline> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const error = await device.popErrorScope();
  if (error) throw new Error(error.message);
  return pipeline;
}

/** Dispatches a shader over no workgroups. @returns milliseconds that this took */
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

/** Compiles shaders that nobody has taken until none is left. */
async function compileShare(
  { shaders, next }: Pick<Job, "shaders" | "next">,
  compileOne: (shader: ShaderText) => Promise<number>,
): Promise<Share> {
  const taken = new Int32Array(next), errors: string[] = [];
  let compiled = 0;
  for (let i = Atomics.add(taken, 0, 1); i < shaders.length; i = Atomics.add(taken, 0, 1)) {
    try {
      await compileOne(shaders[i]);
      compiled++;
    } catch (error) {
      errors.push(String(error));
    }
  }
  return { compiled, errors };
}

/** A thread's work. */
function work(translateOne: typeof translate, compileOne: typeof compile, share: typeof compileShare): void {
  self.addEventListener("message", async (event) => {
    const job = (event as MessageEvent<Job>).data, { limits, features, shaders, coldMs, next } = job;
    let result: Share;
    try {
      const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
      const device = await adapter!.requestDevice({
        requiredLimits: limits,
        requiredFeatures: features as GPUFeatureName[],
      });
      const run = async (shader: ShaderText) => {
        return compileOne(device, await translateOne(device, shader), shader.bindings);
      };
      const shared = await run(shaders[0]) < coldMs / 2;
      if (!shared) Atomics.store(new Int32Array(next), 0, shaders.length);
      result = await share(job, run);
    } catch (error) {
      result = { compiled: 0, errors: [String(error)] };
    }
    (self as unknown as { postMessage(message: Share): void }).postMessage(result);
    self.close(); // and the device with it: to destroy it and to terminate the thread has crashed the driver
  });
}

/**
 * Compiles `shaders` on several threads where that helps, and waits until their results are on disk.
 * @param pipelineOf makes the pipelines of this thread's share, so that whoever needs them has them
 * @returns undefined where it does not help
 */
export async function warmUp(
  gpu: Gpu,
  shaders: readonly ShaderText[],
  pipelineOf?: PipelineOf,
): Promise<WarmUp | undefined> {
  if (!gpu.software || !platform().sharesShaders || shaders.length < FEWEST || navigator.hardwareConcurrency < 2) {
    return undefined;
  }
  const longestFirst = shaders.toSorted((a, b) => b.code.length - a.code.length), [longest] = longestFirst;
  const coldMs = await compileHere(gpu, longest, pipelineOf).catch(() => 0);
  return coldMs < COLD_MS ? undefined : compileOnThreads(gpu, longestFirst, coldMs, pipelineOf);
}

async function compileHere({ device }: Gpu, shader: ShaderText, pipelineOf?: PipelineOf): Promise<number> {
  return compile(device, await (pipelineOf?.(shader) ?? translate(device, shader)), shader.bindings);
}

/**
 * Compiles `shaders` but the first, which somebody has compiled within `coldMs` milliseconds: a thread that needs more
 * than half of that for it concludes that results are not shared, and all stop.
 */
export async function compileOnThreads(
  gpu: Gpu,
  shaders: readonly ShaderText[],
  coldMs: number,
  pipelineOf?: PipelineOf,
): Promise<WarmUp> {
  const next = new SharedArrayBuffer(4), limits = Object.fromEntries(LIMIT_NAMES.map((n) => [n, gpu.limits[n]]));
  Atomics.store(new Int32Array(next), 0, 1);
  const threads = Math.min(MOST_THREADS, navigator.hardwareConcurrency, Math.ceil(shaders.length / 8));
  const job: Job = { limits, features: gpu.features, shaders, coldMs, next };
  const shares = await Promise.all([
    ...Array.from({ length: threads - 1 }, () => startThread(job)),
    compileShare(job, (shader) => compileHere(gpu, shader, pipelineOf)),
  ]);
  return {
    threads,
    compiled: shares.reduce((sum, { compiled }) => sum + compiled, 0),
    errors: shares.flatMap(({ errors }) => errors),
  };
}

/** Starts a thread. @returns what its share was */
function startThread(job: Job): Promise<Share> {
  const text = `(${work})(${translate}, ${compile}, ${compileShare})`;
  const url = `data:application/javascript,${encodeURIComponent(text)}`;
  const thread = new Worker(url, { type: "module", name: "compiler" });
  const { promise, resolve } = Promise.withResolvers<Share>();
  thread.onmessage = ({ data }) => resolve(data);
  thread.onerror = (event) => {
    event.preventDefault();
    resolve({ compiled: 0, errors: [event.message] });
  };
  thread.postMessage(job);
  return promise;
}
