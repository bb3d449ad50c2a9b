/**
 * What a study consists of: searches, discretisations that measure the supernet of a search, and trainings; each with a
 * name that says what is computed and nothing else, so that equal work has one name and is done once. Not responsible
 * for who does it.
 * @module
 */
import { createHash } from "node:crypto";
import { parseDecision } from "../discretize/decisions.ts";
import { needsRemovals } from "../discretize/registry.ts";
import type { SearchConfig } from "../search/config.ts";
import { resolveSpace } from "../space/definition.ts";
import type { Genotype } from "../space/genotype.ts";
import { randomGenotype } from "../space/random_genotype.ts";
import type { TrainConfig } from "../train/config.ts";
import { ownValues, searchLabel, type Study } from "./study_file.ts";

/** A search to be done. */
export interface SearchTask {
  readonly kind: "search";
  /** Name of its run folder. */
  readonly name: string;
  readonly config: SearchConfig;
}

/** A finished search to be discretised by a rule that has to measure its supernet. */
export interface DiscretizeTask {
  readonly kind: "discretize";
  /** Name of its folder. */
  readonly name: string;
  /** Configuration of the search. */
  readonly config: SearchConfig;
  /** Name of the search. */
  readonly search: string;
  readonly rule: string;
}

/** A training to be done. */
export interface TrainTask {
  readonly kind: "train";
  /** Name of its run folder. */
  readonly name: string;
  readonly config: TrainConfig;
  readonly genotype: Genotype;
}

/** One run of a study. */
export type Task = SearchTask | DiscretizeTask | TrainTask;

/** Cells that are compared with others: those of a rule in a setting, or random ones of a space. */
export interface Group {
  /** Index of the setting; for random cells the first one of this space and these data. */
  readonly setting: number;
  /** Name of the decision that the cells are of: the rule, and how operations are kept; null: nobody's. */
  readonly rule: string | null;
}

/** A training with what it is evidence for. Uses share trainings: the same cell may be found twice. */
export interface Use extends Group {
  /** What is repeated: the name of the search, or the number of the random cell. */
  readonly unit: string;
  readonly task: TrainTask;
}

/** Options that say what is picked, which has no effect on what is computed but where it decides when a search stops. */
const PICKING: readonly string[] = ["discretizer", "keep"];

/** Options that have no effect on what is computed. */
const HARMLESS: readonly string[] = ["perturbation-images", "checkpoint-steps", "memory-limit"];

/** Seed that random cells are drawn with. */
const RANDOM_SEED = 0;

/** A short name of what `value` is, the same for the same JSON. */
function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 12);
}

function nameOf(kind: "search" | "train", config: SearchConfig | TrainConfig, cell: unknown): string {
  const own = ownValues(config, kind), stops = Object.keys(own).some((key) => key.startsWith("stop-"));
  const harmless = stops ? HARMLESS : [...HARMLESS, ...PICKING];
  const values = Object.entries(own).filter(([key]) => !harmless.includes(key)).sort();
  return `${kind}-${digest([kind, values, cell])}`;
}

/** Name of a cell's file. */
export function cellName(genotype: Genotype): string {
  return digest(genotype);
}

/** The search with this configuration. */
export function searchTask(config: SearchConfig): SearchTask {
  return { kind: "search", name: nameOf("search", config, null), config };
}

/** The discretisation of a search by a rule that has to measure its supernet. */
export function discretizeTask({ name: search, config }: SearchTask, rule: string): DiscretizeTask {
  const name = `discretize-${digest(["discretize", search, rule, config.perturbationImages])}`;
  return { kind: "discretize", name, config, search, rule };
}

/** Name of the run that holds the cells of decision `name` in a search. */
export function cellRun(search: SearchTask, name: string): string {
  const { rule } = parseDecision(name);
  return needsRemovals(rule) ? discretizeTask(search, rule).name : search.name;
}

/** The training of a cell with this configuration. */
function trainTask(config: TrainConfig, genotype: Genotype): TrainTask {
  return { kind: "train", name: nameOf("train", config, genotype), config, genotype };
}

/** All searches, seed by seed, so that every setting has a first result early. */
export function searchTasks({ settings }: Study): SearchTask[] {
  const seeds = Math.max(...settings.map(({ configs }) => configs.length)), own = settings.filter(isSource);
  return Array.from({ length: seeds }, (_, i) => own.map(({ configs }) => searchTask(configs[i]))).flat();
}

/** Whether the searches of a setting are not those of one before. */
export function isSource({ source }: Pick<Study["settings"][number], "source">, setting: number): boolean {
  return source === setting;
}

/** Rules of the study that measure the supernet, in runs of their own. */
export function measuringRules({ decisions }: Study): string[] {
  return [...new Set(decisions.map((name) => parseDecision(name).rule))].filter(needsRemovals);
}

/** Trainings of the cell of decision `rule` in a search. */
export function cellUses(study: Study, setting: number, search: SearchTask, rule: string, genotype: Genotype): Use[] {
  const configs = study.trainConfigs?.(search.config, search.config.seed) ?? [];
  return configs.map((config) => ({ setting, rule, unit: search.name, task: trainTask(config, genotype) }));
}

/** Trainings of random cells, for each space and data set; without seeds in the file, cell i is trained with seed i. */
export function randomUses(study: Study): Use[] {
  return study.settings.flatMap(({ configs: [config], control }, setting) => {
    if (control !== setting) return [];
    return Array.from({ length: study.random }, (_, i) => {
      const genotype = randomGenotype(resolveSpace(config.space), RANDOM_SEED, i);
      return study.trainConfigs!(config, i).map((each) => ({
        setting,
        rule: null,
        unit: `random ${i}`,
        task: trainTask(each, genotype),
      }));
    }).flat();
  });
}

/** The tasks, each once. */
export function distinctTasks<T extends Task>(tasks: readonly T[]): T[] {
  return [...new Map(tasks.map((task) => [task.name, task])).values()];
}

/** What every task is about, in words, by its name. */
export function describeTasks(study: Study, { uses }: { readonly uses: readonly Use[] }): Map<string, string> {
  const labels = new Map<string, string>();
  study.settings.filter(isSource).forEach((setting) =>
    setting.configs.map(searchTask).forEach((search) => {
      const of = `${searchLabel(setting)}, seed ${search.config.seed}`;
      labels.set(search.name, of);
      measuringRules(study).forEach((rule) =>
        labels.set(discretizeTask(search, rule).name, `${of}, measured for rule ${rule}`)
      );
    })
  );
  const names = new Map(labels);
  for (const [name, of] of Map.groupBy(uses, ({ task }) => task.name)) {
    const [{ rule, unit, task, setting }] = of, { after } = study.settings[setting];
    const also = of.length > 1 ? ` (and ${of.length - 1} more uses)` : "";
    const cell = rule === null
      ? `${unit} cell`
      : `cell by ${rule} of ${labels.get(unit) ?? unit}${after ? ` after ${after} epochs` : ""}`;
    names.set(name, `${cell}, trained with seed ${task.config.seed}${also}`);
  }
  return names;
}
