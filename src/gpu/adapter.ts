/**
 * What is known of an adapter by the information that implementations give, each in its own way: wgpu (Deno) has a
 * description, browsers mostly an architecture, Dawn under Node neither on some drivers. Not responsible for devices.
 * @module
 */

/** What implementations say of an adapter; none says all of it. */
export interface AdapterFacts {
  readonly info: Partial<Pick<GPUAdapterInfo, "vendor" | "architecture" | "device" | "description">> & {
    /** Where WebGPU has it now. */
    readonly isFallbackAdapter?: boolean;
  };
  /** Where WebGPU had it before. */
  readonly isFallbackAdapter?: boolean;
}

/** Drivers that let the CPU do the work. */
const SOFTWARE = /llvmpipe|lavapipe|softpipe|swiftshader|basic render|\bwarp\b/i;

/** How an adapter is called: what says most; a number says nothing. */
export function adapterName({ info }: AdapterFacts): string {
  const words = (...texts: (string | undefined)[]): string[] =>
    [...new Set(texts)].filter((text) =>
      text !== undefined && text !== "" && !/^(0x[\da-f]+|\d+)$/i.test(text)
    ) as string[];
  const own = words(info.device, info.description).join(", ");
  return own || words(info.vendor, info.architecture).join(" ") || info.vendor || "an adapter without a name";
}

/** Why an adapter is taken for one whose work is done by the CPU; undefined for a GPU. */
export function softwareReason(adapter: AdapterFacts): string | undefined {
  const { info } = adapter;
  const found = SOFTWARE.exec([info.device, info.description, info.architecture, info.vendor].join(" "))?.[0];
  if (found !== undefined) return `its driver is ${found}`;
  return info.isFallbackAdapter || adapter.isFallbackAdapter ? "the system calls it a fallback adapter" : undefined;
}
