/**
 * What a search costs in the field's terms, for people and for machines. Not responsible for the figures.
 * @module
 */
import { duration, significant } from "../report/numbers.ts";
import type { SearchConfig } from "../search/config.ts";
import { type FieldCost, type FieldCosts, PAPER_GPU_DAYS } from "../search/field_cost.ts";
import { count, table } from "./terminal.ts";

const HOUR = 3600, DAY = 86_400;

/** A time of which milliseconds may be a part that counts. */
const briefly = (seconds: number): string => seconds < 1 ? `${significant(1000 * seconds)} ms` : duration(seconds);

/** A table of devices, and what is assumed. */
export function fieldCostLines({ steps, cards, core }: FieldCosts, config: SearchConfig): string[] {
  const row = ({ device: { name, teraflops, gigabytes }, step, search }: FieldCost): string[] => [
    name,
    significant(teraflops),
    significant(gigabytes),
    briefly(step),
    ...search === undefined ? [] : [briefly(search), significant(search / DAY)],
  ];
  const early = config.stopSkips !== null || config.stopStableEpochs !== null;
  const long = steps === undefined
    ? "(for the whole search say --images or --steps-per-epoch; CIFAR-10 has 50,000 images)"
    : `(the whole search: ${count(steps)} steps${early ? " at most" : ""} and its measurements)`;
  const hours = core.search === undefined ? "" : `, ${significant(core.search / HOUR)} core-hours`;
  return [
    `Cost ${long}`,
    ...table(
      ["card", "TFLOP/s", "GB/s", "a step", ...steps === undefined ? [] : ["the search", "GPU-days"]],
      cards.map(row),
    ),
    `  ${core.device.name}: ${briefly(core.step)} a step${hours}, at the rates that were reached there`,
    `  the paper: ${
      PAPER_GPU_DAYS["CIFAR-10"]
    } GPU-days on CIFAR-10, ${PAPER_GPU_DAYS.ImageNet} on ImageNet, on a card ` +
    "unknown to us",
    "  Cards at their published rates: the least that they could take. Assumed: an operation takes as long as its",
    "  arithmetic (fp32, two FLOPs for each multiply-accumulate, no tensor cores) or its bytes, whichever is longer;",
    "  nothing overlaps, caches save nothing between operations, launches cost nothing.",
  ];
}

/** The same for machines: seconds, GPU-days and core-hours. */
export function fieldCostRecord({ steps, cards, core }: FieldCosts): Readonly<Record<string, unknown>> {
  const of = ({ device, step, search }: FieldCost) => ({ ...device, secondsPerStep: step, seconds: search ?? null });
  const inUnits = ({ search }: FieldCost, unit: number): number | null => search === undefined ? null : search / unit;
  return {
    steps: steps ?? null,
    core: { ...of(core), coreHours: inUnits(core, HOUR) },
    cards: cards.map((card) => ({ ...of(card), gpuDays: inUnits(card, DAY) })),
  };
}
