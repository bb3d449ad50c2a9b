/**
 * The memory of some programs on a device: the pool, the arenas, what the host writes, and the way back to the host.
 * Allocated once; nothing here knows what runs.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Binding } from "./op.ts";
import type { Place, Plan, PlannedNode, Pool } from "./plan.ts";
import type { Arena, Variable } from "./variables.ts";

/** Data for the host-written inputs of a program. */
export type HostInputs = Readonly<
  Record<string, Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>
>;

/** Inputs can be bound as a whole uniform range of the portable size, as weights in tests are. */
const MIN_INPUT_BYTES = 65536;
const GUARD_BYTES = 256, GUARD_WORD = 0xdeadbeef, NAN_WORD = 0x7fc00000;
const PARAM_ALIGNMENT = 256;
const paramBytes = (params: readonly number[]): number =>
  Math.ceil(params.length * 4 / PARAM_ALIGNMENT) * PARAM_ALIGNMENT;

/** Bytes of each input of some programs that the host writes. */
function inputBytes(plans: readonly Plan[]): Map<string, number> {
  const inputs = new Map<string, number>();
  for (const [name, bytes] of plans.flatMap((plan) => [...plan.inputs])) {
    inputs.set(name, Math.max(bytes, inputs.get(name) ?? 0));
  }
  return inputs;
}

/** Arenas that some programs use. */
const arenasOf = (plans: readonly Plan[]): Set<Arena> => new Set(plans.flatMap((plan) => [...plan.arenas]));

/** Bytes that a set of plans needs, known before anything is allocated. */
export function plannedBytes(plans: readonly Plan[], pool: Pool): number {
  const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);
  const dispatches = plans.flatMap((plan) => plan.nodes.flatMap((node) => node.dispatches));
  return pool.bytes + sum([...arenasOf(plans)].map((arena) => arena.bytes)) + sum(inputBytes(plans).values()) +
    sum(dispatches.map(({ params }) => params ? paramBytes(params) : 0));
}

/** The buffers of some programs. */
export class Buffers {
  readonly #gpu: Gpu;
  readonly #guard: number;
  readonly #pool: readonly GPUBuffer[];
  readonly #arenas: ReadonlyMap<Arena, GPUBuffer>;
  readonly #inputs: ReadonlyMap<string, GPUBuffer>;
  readonly #params: GPUBuffer[] = [];
  /** Of reads that are done, for the next ones. */
  readonly #staging: GPUBuffer[] = [];

  private constructor(gpu: Gpu, plans: readonly Plan[], pool: Pool, guard: boolean) {
    this.#gpu = gpu;
    this.#guard = guard ? GUARD_BYTES : 0;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM |
      GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const make = (label: string, size: number) => gpu.device.createBuffer({ label, size, usage });
    this.#pool = pool.sizes.map((bytes, i) => make(`pool ${i}`, bytes + 2 * this.#guard));
    if (guard) {
      pool.sizes.forEach((bytes, i) => {
        const words = new Uint32Array((bytes + 2 * GUARD_BYTES) / 4).fill(GUARD_WORD);
        words.fill(NAN_WORD, GUARD_BYTES / 4, (GUARD_BYTES + bytes) / 4);
        gpu.device.queue.writeBuffer(this.#pool[i], 0, words);
      });
    }
    this.#arenas = new Map([...arenasOf(plans)].map((arena) => [arena, make(arena.name, arena.bytes)]));
    this.#inputs = new Map(
      [...inputBytes(plans)].map(([name, bytes]) => [name, make(name, Math.max(bytes, MIN_INPUT_BYTES))]),
    );
  }

  /**
   * Allocates. With `guard` every pool buffer starts as NaN and lies between sentinels ({@linkcode guardsIntact}).
   * @throws {FailureError} when the device has not enough memory.
   */
  static async allocate(gpu: Gpu, plans: readonly Plan[], pool: Pool, guard: boolean): Promise<Buffers> {
    gpu.device.pushErrorScope("out-of-memory");
    gpu.device.pushErrorScope("validation");
    const buffers = new Buffers(gpu, plans, pool, guard);
    const invalid = await gpu.device.popErrorScope(), memory = await gpu.device.popErrorScope();
    if (!memory && !invalid) return buffers;
    buffers.destroy();
    const mib = (plannedBytes(plans, pool) / 2 ** 20).toFixed(0);
    throw new FailureError(
      `Cannot allocate ${mib} MiB on '${gpu.name}' (${(memory ?? invalid)!.message})`,
      { remedies: [{ kind: "lower", options: ["batch-size", "init-channels"] }] },
    );
  }

  /** What a dispatch of `node` binds. */
  bound(node: PlannedNode, { from, index, uniform }: Binding): GPUBufferBinding {
    const place = { input: node.inputs, output: node.outputs, scratch: node.scratch }[from][index];
    return { ...this.#at(place), size: uniform ?? place.bytes };
  }

  /** Puts the parameters of dispatches on the device; what each of them binds. */
  addParams(params: readonly (readonly number[] | undefined)[]): (GPUBufferBinding | undefined)[] {
    let size = 0;
    const offsets = params.map((words) => {
      const offset = size;
      size += words ? paramBytes(words) : 0;
      return offset;
    });
    if (size === 0) return params.map(() => undefined);
    const data = new Uint32Array(size / 4);
    params.forEach((words, i) => words && data.set(words, offsets[i] / 4));
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const buffer = this.#gpu.device.createBuffer({ label: "params", size, usage });
    this.#gpu.device.queue.writeBuffer(buffer, 0, data);
    this.#params.push(buffer);
    return params.map((words, i) => words && { buffer, offset: offsets[i], size: Math.ceil(words.length / 4) * 16 });
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

  /** Writes what the host gives a program. */
  writeInputs(inputs: HostInputs): void {
    for (const key in inputs) {
      const buffer = this.#inputs.get(key);
      if (!buffer) throw new RangeError(`Cannot write input '${key}': no program has it`);
      this.#gpu.device.queue.writeBuffer(buffer, 0, inputs[key]);
    }
  }

  /** Writes a variable, or a whole arena, in storage order (see `pack`). */
  write(target: Variable | Arena, data: Float32Array<ArrayBuffer>): void {
    const offset = "arena" in target ? target.offset * 4 : 0;
    const buffer = this.#arenas.get("arena" in target ? target.arena : target);
    if (buffer) this.#gpu.device.queue.writeBuffer(buffer, offset, data);
  }

  /** Reads whole arenas, slack excluded. */
  readArenas(arenas: readonly Arena[]): Promise<ArrayBuffer[]> {
    return this.#read(
      arenas.map((arena) => ({ buffer: this.#arenas.get(arena)!, offset: 0, bytes: arena.length * 4 })),
    );
  }

  /** Reads what lies at a place. */
  readPlace(place: Place): Promise<ArrayBuffer> {
    const { buffer, offset } = this.#at(place);
    return this.read(buffer, offset, place.bytes);
  }

  /** True when no kernel wrote outside of its pool buffers. */
  async guardsIntact(): Promise<boolean> {
    for (const buffer of this.#pool) {
      const words = new Uint32Array(await this.read(buffer, 0, buffer.size)), edge = this.#guard / 4;
      const guards = [words.subarray(0, edge), words.subarray(words.length - edge)];
      if (!guards.every((part) => part.every((w) => w === GUARD_WORD))) return false;
    }
    return true;
  }

  /**
   * Waits for the device and copies a part of a buffer.
   * @throws {DeviceLostError} when there is none any more.
   */
  async read(buffer: GPUBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    const [copy] = await this.#read([{ buffer, offset, bytes }]);
    return copy;
  }

  /**
   * Copies parts of buffers with one wait: in Deno each takes about 10 ms. What is copied is what they hold now: programs
   * may be run before it is there.
   */
  async #read(parts: readonly Part[]): Promise<ArrayBuffer[]> {
    const { device } = this.#gpu, total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
    const staging = this.#stagingFor(total), encoder = device.createCommandEncoder();
    let at = 0;
    for (const { buffer, offset, bytes } of parts) {
      encoder.copyBufferToBuffer(buffer, offset, staging, at, bytes);
      at += bytes;
    }
    device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, total);
    } catch (error) {
      const lost = this.#gpu.lost();
      if (lost !== undefined) throw new DeviceLostError(`The GPU device was lost (${lost})`);
      throw error;
    }
    const mapped = staging.getMappedRange(0, total);
    at = 0;
    const copies = parts.map(({ bytes }) => mapped.slice(at, at += bytes));
    staging.unmap();
    this.#staging.push(staging);
    return copies;
  }

  /** A buffer to read from that nobody uses. */
  #stagingFor(bytes: number): GPUBuffer {
    const free = this.#staging.pop();
    if (free && free.size >= bytes) return free;
    free?.destroy();
    return this.#gpu.device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  /** Frees them. */
  destroy(): void {
    for (const buffer of [...this.#pool, ...this.#arenas.values(), ...this.#inputs.values(), ...this.#params]) {
      buffer.destroy();
    }
    for (const buffer of this.#staging) buffer.destroy();
  }
}

/** A part of a buffer, in bytes. */
interface Part {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

/** The device went away in the middle of a run; the caller takes a new one and goes on from a checkpoint. */
export class DeviceLostError extends FailureError {}
