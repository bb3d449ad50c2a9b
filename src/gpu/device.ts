/**
 * Opens the WebGPU device. Knows adapters, limits and driver names; knows nothing of tensors.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { platform } from "../platform/platform.ts";
import { adapterName, softwareReason } from "./adapter.ts";

/** What kernels and the memory plan depend on: a subset of `GPUSupportedLimits`, and two things more. */
export interface GpuLimits {
  /** Storage buffers that one dispatch may bind. */
  readonly maxStorageBuffersPerShaderStage: number;
  /** Largest range of a storage buffer that may be bound, in bytes. */
  readonly maxStorageBufferBindingSize: number;
  /** Largest range of a uniform buffer that may be bound, in bytes. */
  readonly maxUniformBufferBindingSize: number;
  /** Largest buffer, in bytes. */
  readonly maxBufferSize: number;
  /** True for a CPU adapter, which other kernels suit than a GPU. */
  readonly software: boolean;
  /** Lanes of every subgroup, between which kernels may exchange values; 0: no such kernels (always so on a GPU). */
  readonly subgroupSize: number;
}

/** The limits that a device is opened with. */
export const LIMIT_NAMES = [
  "maxStorageBuffersPerShaderStage",
  "maxStorageBufferBindingSize",
  "maxUniformBufferBindingSize",
  "maxBufferSize",
] as const;

/** Largest number of workgroups in one dimension that WebGPU guarantees. */
export const MOST_WORKGROUPS = 65535;

/** What WebGPU guarantees everywhere; plans made for these limits run on every adapter. */
export const PORTABLE_LIMITS: GpuLimits = {
  maxStorageBuffersPerShaderStage: 8,
  maxStorageBufferBindingSize: 134217728,
  maxUniformBufferBindingSize: 65536,
  maxBufferSize: 268435456,
  software: false,
  subgroupSize: 0,
};

/** No limit of any adapter: plans made for these are those of the work, not of a machine. */
export const BOUNDLESS_LIMITS: GpuLimits = {
  ...PORTABLE_LIMITS,
  maxStorageBufferBindingSize: Number.MAX_SAFE_INTEGER,
  maxBufferSize: Number.MAX_SAFE_INTEGER,
};

/** An open device and what is known about it. */
export interface Gpu {
  /** The WebGPU device. */
  readonly device: GPUDevice;
  /** Name of the adapter, for example `"llvmpipe (LLVM 15.0.6, 256 bits)"`. */
  readonly name: string;
  /** Limits the device was opened with. */
  readonly limits: GpuLimits;
  /** Optional features that the device has: `"timestamp-query"`, on CPU adapters also {@linkcode INT64} and subgroups. */
  readonly features: readonly string[];
  /** True for a CPU adapter (Mesa's llvmpipe, SwiftShader). */
  readonly software: boolean;
  /** Whether shaders that exchange values in subgroups must say so, as WebGPU has it; wgpu does not know the words. */
  readonly enableSubgroups: boolean;
  /** Why the device was lost, once it was. */
  readonly lost: () => string | undefined;
}

/** Deno's name of 64-bit integers in shaders, which WebGPU does not have. */
export const INT64 = "wgpu-shader-int64";

/** Features that kernels for CPU adapters use, the most first, each with a shader that must be taken. */
const EXTENSIONS: readonly {
  readonly features: readonly string[];
  readonly enable: boolean;
  readonly probe: string;
}[] = (["u64", "u32"] as const).flatMap((word) =>
  [false, true].map((enable) => ({
    features: word === "u64" ? [INT64, "subgroups"] : ["subgroups"],
    enable,
    probe: `${enable ? "enable subgroups;\n" : ""}@group(0) @binding(0) var<storage, read_write> words: array<${word}>;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lane: u32) {
  words[lane] = ${word}(subgroupShuffle(u32(words[lane] >> 16u), 3u));
}`,
  }))
);

/** A device with some of {@linkcode EXTENSIONS}. */
interface Extended {
  readonly device: GPUDevice;
  readonly features: readonly string[];
  readonly enable: boolean;
}

/** Opens a device with what it offers of {@linkcode EXTENSIONS}. @returns undefined where it knows none of them */
async function openExtended(
  common: readonly string[],
  requiredLimits: Record<string, number>,
): Promise<Extended | undefined> {
  for (const { features, enable, probe } of EXTENSIONS) {
    let device: GPUDevice | undefined;
    try {
      const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
      const requiredFeatures = [...common, ...features] as GPUFeatureName[];
      device = await adapter!.requestDevice({ requiredFeatures, requiredLimits });
      device.pushErrorScope("validation");
      device.createShaderModule({ code: probe });
      if (!await device.popErrorScope()) return { device, features: requiredFeatures, enable };
    } catch {
      // Adapters do not list what WebGPU does not have. An unknown name is a TypeError, a missing feature an
      // OperationError: both mean that it is not to be had.
    }
    device?.destroy();
  }
  return undefined;
}

/**
 * Opens a device on the default adapter with the adapter's own limits, or with `limits` where a
 * caller wants less (tests of portable plans do).
 * @throws {FailureError} when there is no adapter or it refuses the limits.
 */
export async function openGpu(options: { limits?: Partial<GpuLimits> } = {}): Promise<Gpu> {
  platform().prepareDriver();
  const adapter = await navigator.gpu?.requestAdapter({
    powerPreference: "high-performance",
  });
  if (!adapter) {
    throw new FailureError("Cannot find a WebGPU adapter", { remedies: [{ kind: "driver" }] });
  }
  const requiredLimits: Record<string, number> = {};
  for (const name of LIMIT_NAMES) {
    const offered = adapter.limits[name],
      wanted = options.limits?.[name] ?? offered;
    if (wanted > offered) {
      throw new FailureError(
        `Cannot open adapter '${adapterName(adapter)}': limit ${name} must be at least ${wanted}, it offers ${offered}`,
      );
    }
    requiredLimits[name] = wanted;
  }
  const name = adapterName(adapter), isCpu = softwareReason(adapter) !== undefined;
  const software = options.limits?.software ?? isCpu;
  const common = (["timestamp-query"] as const).filter((f) => adapter.features.has(f));
  const extended = software ? await openExtended(common, requiredLimits) : undefined;
  const device = extended?.device ?? await adapter.requestDevice({ requiredFeatures: common, requiredLimits });
  const { subgroupMinSize, subgroupMaxSize } = adapter.info;
  const subgroups = extended && subgroupMinSize === subgroupMaxSize;
  let lost: string | undefined;
  device.lost.then((info) => lost = info.message || info.reason || "unknown reason");
  return {
    device,
    name,
    limits: {
      ...requiredLimits as unknown as GpuLimits,
      software,
      subgroupSize: options.limits?.subgroupSize ?? (subgroups ? subgroupMinSize : 0),
    },
    features: extended?.features ?? common,
    software: isCpu,
    enableSubgroups: extended?.enable ?? false,
    lost: () => lost,
  };
}
