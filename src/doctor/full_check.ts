/**
 * Everything that can be found out about a device in some minutes, for those who write the kernels: whether each of them
 * computes right in every form that the adapter takes, whether networks agree with PyTorch's, and how fast it is. Not
 * responsible for how that is shown.
 * @module
 */
import { VERSION } from "../base/version.ts";
import { adapterText } from "../graph/tuning.ts";
import type { GpuLimits } from "../gpu/device.ts";
import { closeForms, type Form, openForms } from "./forms.ts";
import { checkGolden, type GoldenCheck } from "./golden_digest.ts";
import { GOLDEN_NETWORKS } from "./golden_digests.ts";
import { checkKernels, type KernelChecks } from "./kernels.ts";
import { type Ceilings, measureCeilings } from "./speed.ts";
import { type StepTiming, timeSearch, timeTraining, timeVariants, type VariantTiming } from "./timings.ts";

/** What {@linkcode fullCheck} found. */
export interface FullCheck {
  readonly version: string;
  readonly deno: string;
  readonly system: string;
  /** Name of the adapter and what it offers, as tunings have it. */
  readonly adapter: string;
  /** What else it says of itself. */
  readonly info: Readonly<Record<string, string>>;
  readonly software: boolean;
  readonly features: readonly string[];
  readonly limits: GpuLimits;
  /** The forms in which kernels were run. */
  readonly forms: readonly string[];
  readonly kernels: KernelChecks;
  readonly golden: readonly GoldenCheck[];
  readonly ceilings: Ceilings;
  readonly steps: readonly StepTiming[];
  readonly variants: readonly VariantTiming[];
  /** What there was no time for, a sentence each. */
  readonly leftOut: readonly string[];
  /** What is wrong, a sentence each; empty when all is well. */
  readonly problems: readonly string[];
  readonly seconds: number;
}

/** Callbacks and limits of {@linkcode fullCheck}. */
export interface FullCheckOptions {
  /** What the adapter says of itself. */
  readonly info?: Readonly<Record<string, string>>;
  /** About how long it may take; what is not begun then is left out. */
  readonly seconds: number;
  /** Told what is done now. */
  readonly onProgress?: (what: string) => void;
}

/** Shares of the time after which kernels, networks and steps are no longer begun. */
const KERNELS_UNTIL = 0.4, GOLDEN_UNTIL = 0.65, STEPS_UNTIL = 0.8, VARIANTS_UNTIL = 0.87;

/** Checks and times a device. @throws {FailureError} where there is no adapter */
export async function fullCheck({ info = {}, seconds, onProgress }: FullCheckOptions): Promise<FullCheck> {
  const began = performance.now(), until = (share: number): number => began + seconds * 1000 * share;
  const forms = await openForms();
  try {
    const kernels = await checkKernels(forms, until(KERNELS_UNTIL), onProgress), [{ gpu }] = forms;
    const { golden, skipped } = await checkNetworks(forms, until(GOLDEN_UNTIL), onProgress);
    onProgress?.("what the adapter can do");
    const ceilings = await measureCeilings(gpu), steps: StepTiming[] = [];
    for (const [name, time] of [["a training", timeTraining], ["a search", timeSearch]] as const) {
      onProgress?.(`a step of ${name}`);
      if (performance.now() < until(STEPS_UNTIL)) steps.push(await time(gpu));
      else skipped.push(`a step of ${name}`);
    }
    const { variants, leftOut } = await timeVariants(
      gpu,
      until(VARIANTS_UNTIL),
      (done, all) => onProgress?.(`variants of kernel ${done} of ${all}`),
    );
    const { done, all } = kernels;
    if (done < all) {
      skipped.unshift(`${all - done} of ${all} cases of operations`);
    }
    if (leftOut > 0) skipped.push(`the speed of ${leftOut} kernels with variants`);
    return {
      version: VERSION,
      deno: Deno.version.deno,
      system: `${Deno.build.os} ${Deno.build.arch}`,
      adapter: adapterText(gpu),
      info,
      ...{ software: gpu.software, features: gpu.features, limits: gpu.limits, forms: forms.map(({ name }) => name) },
      ...{ kernels, golden, ceilings, steps, variants, leftOut: skipped, problems: problemsOf(kernels, golden) },
      seconds: (performance.now() - began) / 1000,
    };
  } finally {
    closeForms(forms);
  }
}

async function checkNetworks(forms: readonly Form[], until: number, onProgress?: (what: string) => void) {
  const golden: GoldenCheck[] = [], skipped: string[] = [];
  for (const network of GOLDEN_NETWORKS) {
    onProgress?.(`network ${network.name}`);
    if (performance.now() < until) golden.push(await checkGolden(forms[0].gpu, network));
    else skipped.push(`network '${network.name}'`);
  }
  return { golden, skipped };
}

function problemsOf({ kernels }: KernelChecks, golden: readonly GoldenCheck[]): string[] {
  return [
    ...kernels.flatMap(({ op, variant, failures }) => failures.map((text) => `${op} (${variant}), ${text}`)),
    ...golden.flatMap(({ name, failures }) => failures.map((text) => `network '${name}': ${text}`)),
  ];
}
