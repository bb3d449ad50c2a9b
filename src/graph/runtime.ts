/**
 * Runs planned programs: allocates the buffers once, compiles the pipelines in parallel before a program is first run,
 * records the bind groups, and replays a program as one command buffer with one submit. Nothing is allocated, compiled
 * or read back in a step.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { PipelineCache, type Variant } from "../gpu/pipelines.ts";
import { warmUp } from "../gpu/warm_up.ts";
import type { Binding, Dispatch } from "./op.ts";
import type { Place, Plan, PlannedNode, Pool } from "./plan.ts";
import { typeText } from "./tensor_type.ts";
import type { Arena, Variable } from "./variables.ts";

/** A shader that this device has compiled. */
interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
  readonly node: PlannedNode;
  readonly dispatch: Dispatch;
}

/** GPU time of one dispatch. */
export interface DispatchTime {
  /** Label of its node. */
  readonly label: string;
  readonly op: string;
  readonly shader: string;
  /** Types of the inputs of its node. */
  readonly operands: string;
  /** Nanoseconds. */
  readonly nanoseconds: number;
}

/** Data for the host-written inputs of a program. */
export type HostInputs = Readonly<
  Record<string, Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>
>;

/** Bytes that a set of plans needs, known before anything is allocated. */
export function plannedBytes(plans: readonly Plan[], pool: Pool): number {
  const arenas = new Set<Arena>(), inputs = new Map<string, number>();
  let uniforms = 0;
  for (const plan of plans) {
    plan.arenas.forEach((a) => arenas.add(a));
    for (const [name, bytes] of plan.inputs) {
      inputs.set(name, Math.max(bytes, inputs.get(name) ?? 0));
    }
    for (const node of plan.nodes) {
      for (const d of node.dispatches) {
        if (d.params) uniforms += paramBytes(d.params);
      }
    }
  }
  const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);
  return pool.bytes + sum([...arenas].map((a) => a.bytes)) +
    sum(inputs.values()) + uniforms;
}

/** Inputs can be bound as a whole uniform range of the portable size, as weights in tests are. */
const MIN_INPUT_BYTES = 65536;
const GUARD_BYTES = 256, GUARD_WORD = 0xdeadbeef, NAN_WORD = 0x7fc00000;
const PARAM_ALIGNMENT = 256;
const paramBytes = (params: readonly number[]): number =>
  Math.ceil(params.length * 4 / PARAM_ALIGNMENT) * PARAM_ALIGNMENT;

function bf16Bindings({ node }: PlannedNode, dispatch: Dispatch): number[] {
  return dispatch.bindings.flatMap(({ from, index }, binding) => {
    const tensor = from === "input" ? node.inputs[index] : from === "output" ? node.outputs[index] : undefined;
    return tensor?.type.dtype === "bf16" ? [binding] : [];
  });
}

/** A dispatch of a program, and its shader. */
interface Recorded {
  readonly plan: Plan;
  readonly node: PlannedNode;
  readonly d: Dispatch;
  readonly variant: Variant;
}

function dispatchesOf(plans: readonly Plan[], cache: PipelineCache): Recorded[] {
  return plans.flatMap((plan) =>
    plan.nodes.flatMap((node) =>
      node.dispatches.map((d) => {
        return { plan, node, d, variant: cache.variant(d.shader, d.constants, bf16Bindings(node, d)) };
      })
    )
  );
}

/** The different shaders, each with a dispatch of it. */
const shadersOf = (all: readonly Recorded[]): ReadonlyMap<Variant, Recorded> =>
  new Map(all.map((one) => [one.variant, one]));

/** Lets threads compile shaders where that helps (see `warm_up.ts`). */
function compileOnThreads(gpu: Gpu, shaders: ReadonlyMap<Variant, Recorded>) {
  return warmUp(
    gpu,
    [...shaders].map(([{ code }, { d }]) => ({ code, bindings: d.bindings.length + (d.params ? 1 : 0) })),
  );
}

/** Compiles the shaders of programs that are about to be run, where threads can do that ahead. */
export async function prepareShaders(gpu: Gpu, plans: readonly Plan[]): Promise<void> {
  const ahead = await compileOnThreads(gpu, shadersOf(dispatchesOf(plans, new PipelineCache(gpu))));
  await ahead?.ended;
}

/** A device with the buffers of some programs. */
export class Runtime {
  readonly #pool: GPUBuffer[];
  readonly #arenas = new Map<Arena, GPUBuffer>();
  readonly #inputs = new Map<string, GPUBuffer>();
  readonly #params: GPUBuffer[] = [];
  readonly #cache: PipelineCache;
  readonly #pipelines = new Map<Variant, Compiled>();
  /** Programs that were prepared. */
  readonly #steps = new Map<string, Step[]>();
  readonly #plans: ReadonlyMap<string, Plan>;
  readonly #guard: number;
  #staging?: GPUBuffer;

  private constructor(
    /** The device. */
    readonly gpu: Gpu,
    plans: readonly Plan[],
    pool: Pool,
    guard: boolean,
  ) {
    this.#guard = guard ? GUARD_BYTES : 0;
    this.#cache = new PipelineCache(gpu);
    this.#plans = new Map(plans.map((p) => [p.name, p]));
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM |
      GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const make = (label: string, size: number) => gpu.device.createBuffer({ label, size, usage });
    this.#pool = pool.sizes.map((bytes, i) => make(`pool ${i}`, bytes + 2 * this.#guard));
    if (guard) {
      pool.sizes.forEach((bytes, i) => {
        const words = new Uint32Array((bytes + 2 * GUARD_BYTES) / 4).fill(
          GUARD_WORD,
        );
        words.fill(NAN_WORD, GUARD_BYTES / 4, (GUARD_BYTES + bytes) / 4);
        gpu.device.queue.writeBuffer(this.#pool[i], 0, words);
      });
    }
    for (const plan of plans) {
      for (const arena of plan.arenas) {
        if (!this.#arenas.has(arena)) {
          this.#arenas.set(arena, make(arena.name, arena.bytes));
        }
      }
      for (const [name, bytes] of plan.inputs) {
        const known = this.#inputs.get(name);
        if (known && known.size >= bytes) continue;
        known?.destroy();
        this.#inputs.set(name, make(name, Math.max(bytes, MIN_INPUT_BYTES)));
      }
    }
  }

  /**
   * Allocates, and compiles the programs `prepared`, all unless told otherwise. With `guard` every pool buffer starts as
   * NaN and lies between sentinels ({@linkcode guardsIntact}); tests use it.
   * @throws {FailureError} when the device has not enough memory.
   */
  static async create(
    gpu: Gpu,
    plans: readonly Plan[],
    pool: Pool,
    options: { guard?: boolean; prepared?: readonly string[] } = {},
  ): Promise<Runtime> {
    gpu.device.pushErrorScope("out-of-memory");
    gpu.device.pushErrorScope("validation");
    const runtime = new Runtime(gpu, plans, pool, options.guard ?? false);
    const invalid = await gpu.device.popErrorScope(),
      memory = await gpu.device.popErrorScope();
    if (memory || invalid) {
      runtime.destroy();
      const mib = (plannedBytes(plans, pool) / 2 ** 20).toFixed(0);
      throw new FailureError(
        `Cannot allocate ${mib} MiB on '${gpu.name}': use a smaller --batch-size or --init-channels ` +
          `(${(memory ?? invalid)!.message})`,
      );
    }
    await runtime.prepare(options.prepared);
    return runtime;
  }

  /**
   * Compiles programs, all unless told otherwise, and records their bind groups, so that they can be run. Costs nothing
   * for those that are prepared. Nothing else should run meanwhile, since it is timed whether a shader is compiled yet.
   */
  async prepare(names: readonly string[] = [...this.#plans.keys()]): Promise<void> {
    const fresh = [...new Set(names)].filter((name) => !this.#steps.has(name)).map((name) => {
      const plan = this.#plans.get(name);
      if (!plan) throw new RangeError(`Cannot find program '${name}'`);
      return plan;
    });
    if (fresh.length > 0) await this.#record(fresh);
  }

  async #record(plans: readonly Plan[]): Promise<void> {
    const { device } = this.gpu, all = dispatchesOf(plans, this.#cache), shaders = shadersOf(all);
    const missing = new Map([...shaders].filter(([variant]) => !this.#pipelines.has(variant)));
    const ahead = await compileOnThreads(this.gpu, missing);
    await Promise.all([...missing].map(async ([variant, { node: { node } }]) => {
      const operands = node.inputs.map((t) => typeText(t.type)).join(", ");
      const pipeline = await this.#cache.compile(variant, `${node.op.name} at '${node.label}' (${operands})`);
      this.#pipelines.set(variant, { pipeline, layout: pipeline.getBindGroupLayout(0) });
    }));
    await ahead?.ended;
    const params = this.#writeParams(all.map(({ d }) => d.params));
    const recorded = new Map(plans.map(({ name }) => [name, [] as Step[]]));
    device.pushErrorScope("validation");
    all.forEach(({ plan, node, d, variant }, i) => {
      const entries = d.bindings.map((b, binding) => ({
        binding,
        resource: this.#resource(node, b),
      }));
      const slot = params.slots[i];
      if (slot) {
        entries.push({
          binding: entries.length,
          resource: { buffer: params.buffer!, ...slot },
        });
      }
      const { pipeline, layout } = this.#pipelines.get(variant)!;
      const group = device.createBindGroup({ layout, entries });
      recorded.get(plan.name)!.push({ pipeline, group, workgroups: d.workgroups, node, dispatch: d });
    });
    const error = await device.popErrorScope();
    if (error) throw new Error(`Cannot bind the buffers of a program: ${error.message}`);
    recorded.forEach((steps, name) => this.#steps.set(name, steps));
  }

  #writeParams(params: readonly (readonly number[] | undefined)[]) {
    let size = 0;
    const slots = params.map((words) => {
      if (!words) return undefined;
      const slot = { offset: size, size: Math.ceil(words.length / 4) * 16 };
      size += paramBytes(words);
      return slot;
    });
    if (size === 0) return { slots };
    const data = new Uint32Array(size / 4);
    params.forEach((words, i) => words && data.set(words, slots[i]!.offset / 4));
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const buffer = this.gpu.device.createBuffer({
      label: "params",
      size,
      usage,
    });
    this.gpu.device.queue.writeBuffer(buffer, 0, data);
    this.#params.push(buffer);
    return { slots, buffer };
  }

  #resource(node: PlannedNode, binding: Binding): GPUBufferBinding {
    const places = {
      input: node.inputs,
      output: node.outputs,
      scratch: node.scratch,
    }[binding.from];
    const place = places[binding.index];
    const { buffer, offset } = this.#at(place);
    return { buffer, offset, size: binding.uniform ?? place.bytes };
  }

  #at(place: Place): { buffer: GPUBuffer; offset: number } {
    switch (place.kind) {
      case "pool":
        return { buffer: this.#pool[place.buffer], offset: this.#guard + place.offset };
      case "arena":
        return { buffer: this.#arenas.get(place.arena)!, offset: place.offset };
      case "input":
        return { buffer: this.#inputs.get(place.name)!, offset: 0 };
    }
  }

  #stepsOf(name: string): readonly Step[] {
    const steps = this.#steps.get(name);
    if (!steps) throw new Error(`Cannot run program '${name}': it is not prepared`);
    return steps;
  }

  /** Writes the inputs of a prepared program and runs it: one submit, no waiting. */
  run(name: string, inputs: HostInputs = {}): void {
    const { device } = this.gpu;
    for (const key in inputs) {
      device.queue.writeBuffer(this.#inputs.get(key)!, 0, inputs[key]);
    }
    const encoder = device.createCommandEncoder(),
      pass = encoder.beginComputePass();
    for (const { pipeline, group, workgroups } of this.#stepsOf(name)) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  /** Runs a prepared program with every dispatch timed by itself (needs the `timestamp-query` feature). */
  async profile(
    name: string,
    inputs: HostInputs = {},
  ): Promise<DispatchTime[]> {
    const { device } = this.gpu,
      steps = this.#stepsOf(name),
      chunk = 2048,
      times: DispatchTime[] = [];
    for (const key in inputs) {
      device.queue.writeBuffer(this.#inputs.get(key)!, 0, inputs[key]);
    }
    for (let from = 0; from < steps.length; from += chunk) {
      const part = steps.slice(from, from + chunk), count = part.length * 2;
      const querySet = device.createQuerySet({ type: "timestamp", count });
      const resolved = device.createBuffer({
        size: count * 8,
        usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
      });
      const encoder = device.createCommandEncoder();
      part.forEach((step, i) => {
        const pass = encoder.beginComputePass({
          timestampWrites: {
            querySet,
            beginningOfPassWriteIndex: 2 * i,
            endOfPassWriteIndex: 2 * i + 1,
          },
        });
        pass.setPipeline(step.pipeline);
        pass.setBindGroup(0, step.group);
        pass.dispatchWorkgroups(...step.workgroups);
        pass.end();
      });
      encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
      device.queue.submit([encoder.finish()]);
      const stamps = new BigUint64Array(
        await this.#readBuffer(resolved, 0, count * 8),
      );
      part.forEach((step, i) =>
        times.push({
          label: step.node.node.label,
          op: step.node.node.op.name,
          shader: step.dispatch.shader.name,
          operands: step.node.node.inputs.map((t) => typeText(t.type)).join(", "),
          nanoseconds: Number(stamps[2 * i + 1] - stamps[2 * i]),
        })
      );
      querySet.destroy();
      resolved.destroy();
    }
    return times;
  }

  /** Writes a variable, or a whole arena, in storage order (see `pack`). */
  write(target: Variable | Arena, data: Float32Array<ArrayBuffer>): void {
    const offset = "arena" in target ? target.offset * 4 : 0;
    const buffer = this.#arenas.get("arena" in target ? target.arena : target);
    if (buffer) this.gpu.device.queue.writeBuffer(buffer, offset, data);
  }

  /** Reads a whole arena, slack excluded. */
  async readArena(arena: Arena): Promise<Float32Array<ArrayBuffer>> {
    return new Float32Array(
      await this.#readBuffer(this.#arenas.get(arena)!, 0, arena.length * 4),
    );
  }

  /** Reads a result of a program's last run, in storage order. Other programs must not have run since. */
  async readResult(
    program: string,
    result: string,
  ): Promise<Float32Array<ArrayBuffer>> {
    const place = this.#plans.get(program)!.results.get(result)!,
      { buffer, offset } = this.#at(place);
    return new Float32Array(
      await this.#readBuffer(buffer, offset, place.bytes),
    );
  }

  /** True when no kernel wrote outside of its pool buffers. */
  async guardsIntact(): Promise<boolean> {
    for (const buffer of this.#pool) {
      const words = new Uint32Array(
          await this.#readBuffer(buffer, 0, buffer.size),
        ),
        edge = this.#guard / 4;
      const guards = [
        words.subarray(0, edge),
        words.subarray(words.length - edge),
      ];
      if (!guards.every((part) => part.every((w) => w === GUARD_WORD))) {
        return false;
      }
    }
    return true;
  }

  async #readBuffer(
    buffer: GPUBuffer,
    offset: number,
    bytes: number,
  ): Promise<ArrayBuffer> {
    const { device } = this.gpu;
    if (!this.#staging || this.#staging.size < bytes) {
      this.#staging?.destroy();
      this.#staging = device.createBuffer({
        size: bytes,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      });
    }
    const staging = this.#staging, encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, bytes);
    device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, bytes);
    } catch (error) {
      const lost = this.gpu.lost();
      if (lost !== undefined) {
        throw new DeviceLostError(`The GPU device was lost (${lost})`);
      }
      throw error;
    }
    const copy = staging.getMappedRange(0, bytes).slice(0);
    staging.unmap();
    return copy;
  }

  /** Waits until everything submitted has run. */
  async idle(): Promise<void> {
    await this.gpu.device.queue.onSubmittedWorkDone();
  }

  /** Frees the buffers. */
  destroy(): void {
    for (
      const b of [
        ...this.#pool,
        ...this.#arenas.values(),
        ...this.#inputs.values(),
        ...this.#params,
      ]
    ) b.destroy();
    this.#staging?.destroy();
  }
}

/** The device went away in the middle of a run; the caller takes a new one and goes on from a checkpoint. */
export class DeviceLostError extends FailureError {}
