/**
 * The forms in which an adapter can run kernels: its own, and those of other kinds of adapters as far as it takes them.
 * Tests check every kernel in each form; so does `doctor --full`.
 * @module
 */
import { type Gpu, openGpu, PORTABLE_LIMITS } from "../gpu/device.ts";

/** A device that plans get kernels of one kind on. */
export interface Form {
  /** What is special about it. */
  readonly name: string;
  readonly gpu: Gpu;
}

/** Opens a device in every form, the adapter's own first. @throws {FailureError} where there is no adapter */
export async function openForms(): Promise<Form[]> {
  const own = await openGpu(), { maxStorageBuffersPerShaderStage } = PORTABLE_LIMITS;
  const portable = await openGpu({ limits: { maxStorageBuffersPerShaderStage, software: false } });
  const forms: Form[] = [
    { name: "its own", gpu: own },
    { name: `for GPUs, ${maxStorageBuffersPerShaderStage} storage buffers`, gpu: portable },
  ];
  const cpu = own.software ? own : await openGpu({ limits: { software: true } });
  if (cpu !== own) forms.push({ name: "for CPUs", gpu: cpu });
  if (cpu.limits.subgroupSize > 0) {
    const plain = { ...cpu, features: [], limits: { ...cpu.limits, subgroupSize: 0 } };
    forms.push({ name: "for CPUs, without subgroups", gpu: plain });
  }
  return forms;
}

/** Gives the devices back. */
export function closeForms(forms: readonly Form[]): void {
  for (const device of new Set(forms.map(({ gpu }) => gpu.device))) device.destroy();
}
