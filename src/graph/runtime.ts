/**
 * Runs planned programs: compiles a program and records its bind groups before it is first run, and replays it as one
 * command buffer with one submit. Nothing is allocated, compiled or read back in a step.
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import { Buffers, type HostInputs } from "./buffers.ts";
import type { Dispatch } from "./op.ts";
import type { Plan, PlannedNode, Pool } from "./plan.ts";
import { Shaders } from "./shaders.ts";
import { typeText } from "./tensor_type.ts";
import type { Arena, Variable } from "./variables.ts";

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
  /** Name of its operation. */
  readonly op: string;
  /** Name of its shader. */
  readonly shader: string;
  /** Types of the inputs of its node. */
  readonly operands: string;
  /** Nanoseconds. */
  readonly nanoseconds: number;
}

/** Programs on a device. */
export class Runtime {
  readonly #buffers: Buffers;
  readonly #shaders: Shaders;
  readonly #plans: ReadonlyMap<string, Plan>;
  /** Of the programs that were prepared. */
  readonly #steps = new Map<string, Step[]>();
  #compileSeconds = 0;

  private constructor(
    /** The device. */
    readonly gpu: Gpu,
    plans: readonly Plan[],
    buffers: Buffers,
  ) {
    this.#buffers = buffers;
    this.#shaders = new Shaders(gpu);
    this.#plans = new Map(plans.map((p) => [p.name, p]));
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
    const runtime = new Runtime(gpu, plans, await Buffers.allocate(gpu, plans, pool, options.guard ?? false));
    await runtime.prepare(options.prepared);
    return runtime;
  }

  /**
   * Compiles programs, all unless told otherwise, and records their bind groups, so that they can be run. Costs nothing
   * for those that are prepared, else it waits for the device first (see `Shaders.compile`).
   */
  async prepare(names: readonly string[] = [...this.#plans.keys()]): Promise<void> {
    if (names.every((name) => this.#steps.has(name))) return;
    const fresh = [...new Set(names)].filter((name) => !this.#steps.has(name)).map((name) => {
      const plan = this.#plans.get(name);
      if (!plan) throw new RangeError(`Cannot find program '${name}'`);
      return plan;
    });
    await this.idle();
    const began = performance.now();
    const { device } = this.gpu, dispatches = this.#shaders.dispatchesOf(fresh);
    await this.#shaders.compile(dispatches);
    const params = this.#buffers.addParams(dispatches.map(({ dispatch }) => dispatch.params));
    const recorded = new Map(fresh.map(({ name }) => [name, [] as Step[]]));
    device.pushErrorScope("validation");
    dispatches.forEach(({ plan, node, dispatch, variant }, i) => {
      const { pipeline, layout } = this.#shaders.get(variant), own = params[i];
      const resources = [...dispatch.bindings.map((b) => this.#buffers.bound(node, b)), ...(own ? [own] : [])];
      const entries = resources.map((resource, binding) => ({ binding, resource }));
      const group = device.createBindGroup({ layout, entries });
      recorded.get(plan.name)!.push({ pipeline, group, workgroups: dispatch.workgroups, node, dispatch });
    });
    const error = await device.popErrorScope();
    if (error) throw new Error(`Cannot bind the buffers of a program: ${error.message}`);
    recorded.forEach((steps, name) => this.#steps.set(name, steps));
    this.#compileSeconds += (performance.now() - began) / 1000;
  }

  /** Seconds that {@linkcode prepare} has taken so far, what the device still had to do not counted. */
  get compileSeconds(): number {
    return this.#compileSeconds;
  }

  #stepsOf(name: string): readonly Step[] {
    const steps = this.#steps.get(name);
    if (!steps) throw new Error(`Cannot run program '${name}': it is not prepared`);
    return steps;
  }

  /** Writes the inputs of a prepared program and runs it: one submit, no waiting. */
  run(name: string, inputs: HostInputs = {}): void {
    const { device } = this.gpu;
    this.#buffers.writeInputs(inputs);
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
  async profile(name: string, inputs: HostInputs = {}): Promise<DispatchTime[]> {
    const { device } = this.gpu,
      steps = this.#stepsOf(name),
      chunk = 2048,
      times: DispatchTime[] = [];
    this.#buffers.writeInputs(inputs);
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
      const stamps = new BigUint64Array(await this.#buffers.read(resolved, 0, count * 8));
      part.forEach((step, i) =>
        times.push({
          label: step.node.node.label,
          op: step.node.node.op.name,
          shader: step.dispatch.kernel.name,
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
    this.#buffers.write(target, data);
  }

  /** Reads a whole arena, slack excluded. */
  async readArena(arena: Arena): Promise<Float32Array<ArrayBuffer>> {
    const [data] = await this.readArenas([arena]);
    return data;
  }

  /** Reads whole arenas, slack excluded, with one wait for the device. */
  async readArenas(arenas: readonly Arena[]): Promise<Float32Array<ArrayBuffer>[]> {
    return (await this.#buffers.readArenas(arenas)).map((data) => new Float32Array(data));
  }

  /**
   * Reads a result of a program's last run, in storage order. Other programs must not have run since; they may before it
   * is there.
   */
  async readResult(program: string, result: string): Promise<Float32Array<ArrayBuffer>> {
    return new Float32Array(await this.#buffers.readPlace(this.#plans.get(program)!.results.get(result)!));
  }

  /** True when no kernel wrote outside of its pool buffers. */
  guardsIntact(): Promise<boolean> {
    return this.#buffers.guardsIntact();
  }

  /** Waits until everything submitted has run. */
  async idle(): Promise<void> {
    await this.gpu.device.queue.onSubmittedWorkDone();
  }

  /** Frees the buffers. */
  destroy(): void {
    this.#buffers.destroy();
  }
}
