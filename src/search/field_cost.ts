/**
 * What a search costs in the field's terms, before it is run: GPU-days on well-known cards and core-hours, from the
 * multiply-accumulates and bytes of its plan. Needs no device and measures nothing. What is assumed:
 *
 * - an operation takes as long as its arithmetic or its bytes do at the device's rate, whichever is longer (roofline,
 *   Williams et al. 2009), and operations do not overlap;
 * - a multiply-accumulate is two FLOPs in 32 bits, tensor cores are not used; other arithmetic costs nothing;
 * - an operation reads its inputs and writes its outputs and scratch once in memory: caches save nothing between
 *   operations, and everything between the dispatches of one;
 * - for cards: launches cost nothing and their published rates are reached. Real programs reach a part of them, so this
 *   is the least time that a card could take. For a core: the rates are those that this program reaches.
 * @module
 */
import { BOUNDLESS_LIMITS, type GpuLimits } from "../gpu/device.ts";
import type { Plan } from "../graph/plan.ts";
import { removalsOf } from "../discretize/removals.ts";
import { needsRemovals } from "../discretize/registry.ts";
import type { SupernetConfig } from "../space/supernet.ts";
import type { SearchConfig } from "./config.ts";
import { planSearch, type ProgramName } from "./programs.ts";

/** How fast a device is. */
export interface DeviceRates {
  /** What it is called. */
  readonly name: string;
  /** 10^12 operations a second in 32 bits, a multiply-accumulate being two. */
  readonly teraflops: number;
  /** 10^9 bytes of its memory a second. */
  readonly gigabytes: number;
}

/** Cards and what their makers publish of them: single precision at the boost clock, memory bandwidth. */
export const CARDS: readonly DeviceRates[] = [
  { name: "GeForce GTX 1080 Ti", teraflops: 11.3, gigabytes: 484 },
  { name: "Tesla P100 (PCIe)", teraflops: 9.3, gigabytes: 732 },
  { name: "Tesla V100 (SXM2)", teraflops: 15.7, gigabytes: 900 },
  { name: "GeForce RTX 2080 Ti", teraflops: 13.4, gigabytes: 616 },
  { name: "GeForce RTX 3090", teraflops: 35.6, gigabytes: 936 },
  { name: "A100 (SXM, 40 GB)", teraflops: 19.5, gigabytes: 1555 },
  { name: "H100 (SXM)", teraflops: 67, gigabytes: 3350 },
  { name: "Apple M1 (8 cores)", teraflops: 2.6, gigabytes: 68 },
];

/**
 * One core of a server (AMD EPYC) that runs Mesa's llvmpipe, as it was reached: what fits 20 measured steps best
 * (`bench/core_rates.ts`).
 */
export const CORE: DeviceRates = { name: "a core (AMD EPYC, llvmpipe)", teraflops: 0.032, gigabytes: 2.2 };

/** What the paper says that its searches took (arXiv 2108.11014), in GPU-days; not on which card. */
export const PAPER_GPU_DAYS: Readonly<Record<"CIFAR-10" | "ImageNet", number>> = { "CIFAR-10": 0.2, ImageNet: 1.9 };

/** What is planned for: cards, and cores whose subgroups have eight lanes. */
const CARD_TARGET: GpuLimits = BOUNDLESS_LIMITS;
const CORE_TARGET: GpuLimits = {
  ...BOUNDLESS_LIMITS,
  ...{ software: true, subgroupSize: 8, maxStorageBuffersPerShaderStage: 32 },
};

/** An operation with its multiply-accumulates and its bytes. */
export interface Work {
  readonly macs: number;
  readonly bytes: number;
}

/** What the operations of a program do. */
export function workOf({ nodes }: Plan): Work[] {
  return nodes.map(({ macs, traffic, inputs, outputs, scratch }) => ({
    macs,
    bytes: Math.min(traffic, [...inputs, ...outputs, ...scratch].reduce((sum, { bytes }) => sum + bytes, 0)),
  }));
}

/** Seconds that operations take at the rates of a device. */
export function rooflineSeconds(
  work: readonly Work[],
  { teraflops, gigabytes }: DeviceRates,
): number {
  return work.reduce((sum, { macs, bytes }) => sum + Math.max(2e-12 * macs / teraflops, 1e-9 * bytes / gigabytes), 0);
}

/** How often each program runs. */
export type ProgramRuns = Readonly<Partial<Record<ProgramName, number>>>;

/**
 * How often each program of a search runs, if no rule ends it early.
 * @param images that it searches on; undefined where that is not known
 * @returns undefined where the number of steps does not follow from the options
 */
export function programRuns(
  config: SearchConfig,
  { space, alphaStep }: { readonly space: SupernetConfig["space"]; readonly alphaStep: readonly ProgramName[] },
  images: number | undefined,
): ProgramRuns | undefined {
  const { batchSize, epochs, alphaWarmupEpochs, stepsPerEpoch } = config;
  const used = images === undefined ? config.images : Math.min(config.images ?? images, images);
  if (used === null && stepsPerEpoch === null) return undefined;
  const train = used === null ? Infinity : Math.floor(used / 2), half = used === null ? Infinity : used - train;
  const steps = Math.min(stepsPerEpoch ?? Infinity, Math.floor(train / batchSize));
  const whole = (wanted: number): number => Math.max(1, Math.floor(Math.min(wanted, half) / batchSize));
  const removals = needsRemovals(config.discretizer) ? removalsOf(space).length + 1 : 0;
  const evaluations = epochs * Math.ceil(Math.min(config.evalImages, half) / batchSize);
  return {
    weight_step: epochs * steps,
    ...Object.fromEntries(alphaStep.map((name) => [name, (epochs - alphaWarmupEpochs) * steps])),
    soften: evaluations,
    evaluate: evaluations + removals * whole(config.perturbationImages),
    statistics: epochs * whole(config.probeImages) + whole(config.statisticsImages),
  };
}

/** What a search takes on a device. */
export interface FieldCost {
  /** The device. */
  readonly device: DeviceRates;
  /** Seconds of a step, of the architecture and the weights. */
  readonly step: number;
  /** Seconds of the whole search; undefined where the number of its steps is not known. */
  readonly search: number | undefined;
}

/** What a search takes on each of {@linkcode CARDS}, and on {@linkcode CORE}. */
export interface FieldCosts {
  /** Steps of the search; undefined where that is not known. */
  readonly steps: number | undefined;
  /** On each card. */
  readonly cards: readonly FieldCost[];
  /** On one core. */
  readonly core: FieldCost;
}

/**
 * What a search takes.
 * @param images that it searches on; undefined where that is not known
 * @throws {UsageError} when the supernet cannot be built.
 */
export function fieldCosts(net: SupernetConfig, config: SearchConfig, images: number | undefined): FieldCosts {
  let steps: number | undefined;
  const costsOn = (target: GpuLimits, devices: readonly DeviceRates[]): FieldCost[] => {
    const { plans, alphaStep } = planSearch(net, config, target), alpha = alphaStep.map(([name]) => name);
    const runs = programRuns(config, { space: net.space, alphaStep: alpha }, images);
    steps = runs?.weight_step;
    const works = plans.map((plan) => [plan.name as ProgramName, workOf(plan)] as const);
    return devices.map((device) => {
      const seconds = new Map(works.map(([name, work]) => [name, rooflineSeconds(work, device)]));
      const sum = (of: ProgramRuns): number =>
        Object.entries(of).reduce((total, [name, times]) => total + times * seconds.get(name as ProgramName)!, 0);
      const once = Object.fromEntries(["weight_step", ...alpha].map((name) => [name, 1]));
      return { device, step: sum(once), search: runs && sum(runs) };
    });
  };
  const cards = costsOn(CARD_TARGET, CARDS), [core] = costsOn(CORE_TARGET, [CORE]);
  return { steps, cards, core };
}
