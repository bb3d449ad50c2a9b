/**
 * The bytes of a checkpoint: a safetensors file whose metadata holds the step, everything that is no tensor as
 * JSON, and a checksum over all of it. Not responsible for where it lies.
 * @module
 */
import { platform } from "../platform/platform.ts";
import { FailureError } from "../base/errors.ts";
import { decodeTensors, encodeTensors, type TensorEntry, tensorType } from "../base/safetensors.ts";

/** The state of a run at one step. */
export interface Checkpoint {
  /** Steps done. */
  readonly step: number;
  /** Weights and optimiser state by name. */
  readonly tensors: Map<string, TensorEntry>;
  /** What is no tensor. */
  readonly state: unknown;
}

const FORMAT = "idarts-checkpoint-1";

/** Checksum over the step, the state and the tensors (names, types, shapes, bytes) in the order of their names. */
function checksum(step: string, state: string, tensors: Iterable<readonly [string, TensorEntry]>): string {
  const { crc32 } = platform();
  let sum = crc32(`${step}\n${state}`);
  const sorted = [...tensors].sort(([a], [b]) => a < b ? -1 : 1);
  for (const [name, { shape, data }] of sorted) {
    sum = crc32(`\n${name} ${tensorType(data)} [${shape}]\n`, sum);
    sum = crc32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), sum);
  }
  return sum.toString(16).padStart(8, "0");
}

/** The bytes of a checkpoint file; `state` goes through JSON, so numbers in it must be finite. Throws RangeError for a step that is no whole number from 0. */
export function encodeCheckpoint(
  step: number,
  tensors: Iterable<readonly [string, TensorEntry]>,
  state: unknown,
): Uint8Array<ArrayBuffer> {
  if (!Number.isSafeInteger(step) || step < 0 || step >= 1e15) {
    throw new RangeError(
      `Cannot write a checkpoint as the step must be a whole number from 0: current value is ${step}`,
    );
  }
  const list = [...tensors];
  const text = JSON.stringify(state) ?? "null";
  return encodeTensors(list, [
    ["format", FORMAT],
    ["step", String(step)],
    ["state", text],
    ["crc32", checksum(String(step), text, list)],
  ]);
}

/** Decodes a checkpoint; throws FailureError where its bytes are not those that were written. */
export function decodeCheckpoint(bytes: Uint8Array<ArrayBuffer>, path: string): Checkpoint {
  const { tensors, metadata } = decodeTensors(bytes, path);
  const step = metadata.get("step") ?? "";
  const text = metadata.get("state") ?? "";
  if (
    metadata.get("format") !== FORMAT || !/^\d{1,15}$/.test(step) ||
    metadata.get("crc32") !== checksum(step, text, tensors)
  ) {
    throw new FailureError(`Cannot read '${path}' as a checkpoint as its checksum does not match: the file is damaged`);
  }
  try {
    return { step: Number(step), tensors, state: JSON.parse(text) };
  } catch (error) {
    throw new FailureError(
      `Cannot read '${path}' as a checkpoint as its state must be JSON: the file is damaged`,
      { cause: error },
    );
  }
}
