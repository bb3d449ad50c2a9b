/**
 * What the results of a study say: means over searches with their uncertainty, and comparisons. What is repeated is
 * the search, or the random cell; several trainings of one cell count once, by their mean.
 * @module
 */
import { parseGenotype } from "../space/genotype.ts";
import { type Agreement, agreementOf } from "./agreement.ts";
import type { SearchResult, TrainingResult } from "./results.ts";
import { parseDecision } from "../discretize/decisions.ts";
import { difference, type Estimate, estimate, type Verdict, verdictOf } from "./statistics.ts";
import { spaceOfSetting, type Study } from "./study_file.ts";

/** The searches of a setting when they are read off. */
export interface SearchSummary {
  readonly setting: string;
  readonly evalAccuracy: Estimate;
  readonly entropy: Estimate;
  readonly none: Estimate;
  /** Correlation of the outputs of two operations of an edge, by pair. */
  readonly alike: Readonly<Record<string, Estimate>>;
  readonly imbalanceBefore: Estimate;
  readonly imbalanceAfter: Estimate;
  /** Skip-connections by rule. */
  readonly skips: Readonly<Record<string, Estimate>>;
}

/** The retrained cells of a rule in a setting, or random ones. */
export interface AccuracySummary {
  readonly setting: string;
  /** The rule; `random` for random cells. */
  readonly rule: string;
  readonly accuracy: Estimate;
  /** The values behind it: one for each search or random cell. */
  readonly values: readonly number[];
  /** Different cells among them. */
  readonly cells: number;
  readonly skips: Estimate;
  readonly parameterFree: Estimate;
}

/** Two groups of retrained cells side by side. */
export interface Comparison {
  readonly setting: string;
  /** What is compared: `semipartial − random`. */
  readonly what: string;
  /** Whether values of the same search were subtracted from each other first. */
  readonly paired: boolean;
  /** Difference of accuracies. */
  readonly difference: Estimate;
  readonly verdict: Verdict;
}

/** How far the cells of a decision agree over the searches of a setting, and how certain each of them is. */
export interface AgreementSummary extends Agreement {
  readonly setting: string;
  readonly rule: string;
  /** Rank correlation of scores between the halves of the images. */
  readonly ranks: Estimate;
  /** Share of samples of the images in which a node keeps the same operations. */
  readonly same: Estimate;
}

/** Everything that tables say. */
export interface Summary {
  readonly searches: readonly SearchSummary[];
  readonly agreements: readonly AgreementSummary[];
  readonly accuracies: readonly AccuracySummary[];
  readonly comparisons: readonly Comparison[];
}

/** What random cells are called. */
export const RANDOM = "random";

/** The trainings of one group, one value for each search or random cell. */
function unitsOf(trainings: readonly TrainingResult[], setting: number, rule: string | null): Map<string, number> {
  const own = trainings.filter((each) => each.setting === setting && each.rule === rule);
  return new Map(
    [...Map.groupBy(own, ({ unit }) => unit)].map((
      [unit, runs],
    ) => [unit, runs.reduce((sum, { accuracy }) => sum + accuracy, 0) / runs.length]),
  );
}

/** Summarises what there is. */
export function summarise(
  study: Study,
  { searches, trainings }: {
    readonly searches: readonly SearchResult[];
    readonly trainings: readonly TrainingResult[];
  },
): Summary {
  const units = (setting: number, rule: string | null): number[] => [...unitsOf(trainings, setting, rule).values()];
  const accuracies: AccuracySummary[] = [], comparisons: Comparison[] = [];
  const compare = (setting: string, what: string, paired: boolean, of: Estimate): void => {
    if (of.n > 0) comparisons.push({ setting, what, paired, difference: of, verdict: verdictOf(of) });
  };
  const pairedDifference = (setting: number, rule: string, other: number, base: string): Estimate => {
    const first = unitsOf(trainings, other, base);
    const pairs = [...unitsOf(trainings, setting, rule)].filter(([unit]) => first.has(unit));
    return estimate(pairs.map(([unit, value]) => value - first.get(unit)!));
  };
  study.settings.forEach(({ label, decisions, control }, setting) => {
    for (const rule of [...decisions, ...(control === setting ? [null] : [])]) {
      const own = trainings.filter((each) => each.setting === setting && each.rule === rule);
      if (own.length === 0) continue;
      const byUnit = [...new Map(own.map((each) => [each.unit, each])).values()];
      accuracies.push({
        setting: rule === null ? controlLabel(study, setting) : label,
        rule: rule ?? RANDOM,
        accuracy: estimate(units(setting, rule)),
        values: units(setting, rule),
        cells: new Set(own.map(({ cell }) => cell)).size,
        skips: estimate(byUnit.map(({ skips }) => skips)),
        parameterFree: estimate(byUnit.map(({ parameterFree }) => parameterFree)),
      });
    }
    for (const rule of decisions) {
      compare(label, `${rule} − ${RANDOM}`, false, difference(units(setting, rule), units(control, null)));
    }
    for (const [rule, base] of pairedDecisions(decisions)) {
      compare(label, `${rule} − ${base}`, true, pairedDifference(setting, rule, setting, base));
    }
    for (const { base, paired } of basesOf(study, setting)) {
      for (const rule of decisions) {
        const what = `${rule}, this setting − '${study.settings[base].label}'`;
        const found = paired
          ? pairedDifference(setting, rule, base, rule)
          : difference(units(setting, rule), units(base, rule));
        compare(label, what, paired, found);
      }
    }
  });
  const agreements = summariseAgreement(study, searches);
  return { searches: summariseSearches(study, searches), agreements, accuracies, comparisons };
}

/**
 * Settings to compare a setting with: the first one, or what is read off its searches as early; and what is read off the
 * same searches first.
 */
function basesOf({ settings }: Study, setting: number): { readonly base: number; readonly paired: boolean }[] {
  const { source } = settings[setting], first = setting - source;
  return [
    ...(source > 0 ? [{ base: first, paired: false }] : []),
    ...(source < setting ? [{ base: source, paired: true }] : []),
  ];
}

/** Settings with two searches or more. */
function summariseAgreement(study: Study, searches: readonly SearchResult[]): AgreementSummary[] {
  const known = (values: readonly (number | null)[]): Estimate => estimate(values.filter((value) => value !== null));
  return study.settings.flatMap(({ label, decisions }, setting) => {
    const own = searches.filter((each) => each.setting === setting), space = spaceOfSetting(study, setting);
    return decisions.flatMap((rule) => {
      const found = own.flatMap(({ rules }) => rules.filter((each) => each.rule === rule));
      const cells = found.map(({ cell }) => parseGenotype(cell, "a cell of the study"));
      const agreement = agreementOf(space, parseDecision(rule).keep, cells);
      const certain = { ranks: known(found.map(({ ranks }) => ranks)), same: known(found.map(({ same }) => same)) };
      return agreement ? [{ ...agreement, setting: label, rule, ...certain }] : [];
    });
  });
}

/** Decisions to be compared in the same searches: each with the first one, and both ways to keep of each rule. */
function pairedDecisions([first, ...others]: readonly string[]): (readonly [decision: string, base: string])[] {
  return others.flatMap((name) => {
    const { rule, keep } = parseDecision(name), twin = keep !== "edges" && others.includes(rule) ? [rule] : [];
    return [first, ...twin].map((base) => [name, base] as const);
  });
}

/** What random cells of a space and a data set are a control for. */
function controlLabel(study: Study, control: number): string {
  const labels = study.settings.filter((each) => each.control === control).map(({ label }) => label);
  return labels.length === study.settings.length ? "all settings" : labels.join("; ");
}

function summariseSearches(study: Study, searches: readonly SearchResult[]): SearchSummary[] {
  const known = (values: readonly (number | null)[]): Estimate => estimate(values.filter((value) => value !== null));
  return study.settings.flatMap(({ label, after }, setting) => {
    const own = searches.filter((each) => each.setting === setting);
    const last = own.flatMap(({ epochs }) => epochs.slice(0, after).slice(-1));
    if (last.length === 0) return [];
    return [{
      setting: label,
      evalAccuracy: estimate(last.map((e) => e.evalAccuracy)),
      entropy: estimate(last.map((e) => e.entropy)),
      none: known(last.map((e) => e.none)),
      alike: Object.fromEntries(
        Object.keys(last[0].alike).map((pair) => [pair, estimate(last.map((e) => e.alike[pair]))]),
      ),
      imbalanceBefore: estimate(last.map((e) => e.imbalance.before)),
      imbalanceAfter: estimate(last.map((e) => e.imbalance.after)),
      skips: Object.fromEntries(
        study.decisions.map((rule) => [
          rule,
          estimate(own.flatMap(({ rules }) => rules.filter((each) => each.rule === rule).map(({ skips }) => skips))),
        ]),
      ),
    }];
  });
}
