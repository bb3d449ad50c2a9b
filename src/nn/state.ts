/**
 * What lives on the device between steps, to and from the host: tensors of checkpoints by `arena/variable`, and the
 * tallies of losses. Shared by everything that trains.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import type { TensorEntry } from "../base/safetensors.ts";
import type { Runtime } from "../graph/runtime.ts";
import { dense, elementCount } from "../graph/tensor_type.ts";
import { Arena } from "../graph/variables.ts";

/** A batch on the host: images `[C, N, H, W]` in storage order, labels `[N]`. */
export interface HostBatch {
  readonly images: Float32Array<ArrayBuffer>;
  readonly labels: Int32Array<ArrayBuffer>;
}

/** Sums over the steps since the last reset. */
export interface Tally {
  /** Mean loss per counted image. */
  readonly loss: number;
  /** Share of correct answers. */
  readonly accuracy: number;
  /** Counted images. */
  readonly count: number;
  /** 1-based step since the reset whose loss was first not finite; 0 if none. */
  readonly firstBadStep: number;
}

/** An arena of tallies for `accumulate_tally`, one for each name. */
export function tallyArena(names: readonly string[]): Arena {
  const arena = new Arena("metrics");
  for (const name of names) arena.add(name, dense([8]));
  return arena;
}

/** Forgets tallies. */
export function resetTallies(runtime: Runtime, metrics: Arena, names: readonly string[]): void {
  for (const name of names) runtime.write(metrics.get(name), new Float32Array(8));
}

/** Waits for the device and reads the tallies of an arena by name. */
export async function readTallies<Name extends string>(runtime: Runtime, metrics: Arena): Promise<Record<Name, Tally>> {
  const data = await runtime.readArena(metrics);
  return Object.fromEntries(metrics.variables.map(({ name, offset }) => {
    const [loss, correct, count, _steps, firstBadStep] = data.subarray(offset, offset + 8);
    return [name, { loss: loss / count, accuracy: correct / count, count, firstBadStep }];
  })) as Record<Name, Tally>;
}

/** Fills an arena with zeros. */
export function clearArena(runtime: Runtime, arena: Arena): void {
  runtime.write(arena, new Float32Array(arena.length));
}

/**
 * Reads every variable of some arenas, by `arena/variable`.
 * @throws {FailureError} when a value is not finite.
 */
export async function saveArenas(runtime: Runtime, arenas: readonly Arena[]): Promise<[string, TensorEntry][]> {
  const out: [string, TensorEntry][] = [], contents = await runtime.readArenas(arenas);
  for (const [i, arena] of arenas.entries()) {
    const data = contents[i];
    for (const { name, type, offset } of arena.variables) {
      const values = data.subarray(offset, offset + elementCount(type));
      if (!values.every(Number.isFinite)) {
        throw new FailureError(`Tensor '${arena.name}/${name}' holds what is no longer a finite number`);
      }
      out.push([`${arena.name}/${name}`, { shape: [...type.shape], data: values }]);
    }
  }
  return out;
}

/**
 * The contents of some arenas from tensors by `arena/variable`, which must be exactly theirs.
 * @param file what to blame
 * @param network what the tensors should belong to, for messages: "supernet" or "network"
 * @throws {FailureError} when a tensor is missing, too many, or of another shape.
 */
export function fillArenas(
  arenas: readonly Arena[],
  tensors: ReadonlyMap<string, TensorEntry>,
  file: string,
  network: string,
): Float32Array<ArrayBuffer>[] {
  const expected = arenas.reduce((n, a) => n + a.variables.length, 0);
  if (tensors.size !== expected) {
    throw new FailureError(
      `Cannot use '${file}' as it must hold the ${expected} tensors of this ${network}: it holds ${tensors.size}`,
    );
  }
  // All of them first: a file that says it is of a huge network has no such tensors, and must cost no memory.
  const found = arenas.map((arena) =>
    arena.variables.map(({ name, type, offset }) => {
      const entry = tensors.get(`${arena.name}/${name}`);
      if (!entry || !(entry.data instanceof Float32Array) || entry.shape.join() !== type.shape.join()) {
        throw new FailureError(
          `Cannot use '${file}' as tensor '${arena.name}/${name}' must be F32 [${type.shape}]: ` +
            (entry ? `it is [${entry.shape}]` : "it is missing"),
        );
      }
      return { data: entry.data, offset };
    })
  );
  return arenas.map((arena, i) => {
    const data = new Float32Array(arena.length);
    for (const part of found[i]) data.set(part.data, part.offset);
    return data;
  });
}

/** {@linkcode fillArenas}, written to the device. */
export function loadArenas(
  runtime: Runtime,
  arenas: readonly Arena[],
  tensors: ReadonlyMap<string, TensorEntry>,
  file: string,
  network: string,
): void {
  const filled = fillArenas(arenas, tensors, file, network);
  arenas.forEach((arena, i) => runtime.write(arena, filled[i]));
}
