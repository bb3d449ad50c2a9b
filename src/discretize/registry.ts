/**
 * The only list of rules; help, checks, reports, tests and docs follow it.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { DARTS, findNamed, type Space } from "../space/space.ts";
import { ALPHA, ALPHA_NOT_NONE } from "./alpha.ts";
import { PERTURBATION } from "./perturbation.ts";
import type { Rule } from "./rule.ts";
import { SEMIPARTIAL } from "./semipartial.ts";
import { SIMILARITY } from "./similarity.ts";
import { ZCA } from "./zca.ts";

/** The built-in rules, the default first. */
export const RULES: readonly Rule[] = [SEMIPARTIAL, ZCA, SIMILARITY, ALPHA, ALPHA_NOT_NONE, PERTURBATION];

/**
 * The rule called `name`.
 * @param rules where to look
 * @throws {UsageError} when there is none; the message suggests the nearest name.
 */
function findRule(name: string, rules: readonly Rule[] = RULES): Rule {
  return findNamed(name, rules, "discretise by a method");
}

/**
 * The rules meant by their names or given as they are.
 * @param methods if left out, all built-in ones that can decide at any time and say something of their own there
 * @param chosen name of a rule that must be among them; it comes last if it is not
 * @param space in which they decide
 * @throws {UsageError} for a name of no rule, one that cannot be a file's, and two rules of one name.
 */
export function rulesOf(methods?: readonly (string | Rule)[], chosen?: string, space: Space = DARTS): Rule[] {
  const rules = methods?.map((each) => typeof each === "string" ? findRule(each) : each) ??
    RULES.filter((rule) => !needsRemovals(rule) && differsIn(space, rule));
  for (const [i, { name }] of rules.entries()) {
    const known = RULES.find((rule) => rule.name === name), twice = rules.findIndex((rule) => rule.name === name) < i;
    const why = !/^[a-z][a-z0-9-]*$/.test(name)
      ? "it must be of lower-case letters, digits and dashes"
      : twice || known && known !== rules[i]
      ? "each rule must have a name of its own"
      : undefined;
    if (why) {
      throw new UsageError(
        `Cannot discretise by a rule of this name, ${why}: current value is ${JSON.stringify(name)}`,
      );
    }
  }
  if (chosen === undefined || rules.some(({ name }) => name === chosen)) return rules;
  return [...rules, findRule(chosen, withBuiltIn(rules))];
}

/** `rules`, and the built-in ones that are not among them: what may be named. */
export function withBuiltIn(rules: readonly Rule[]): Rule[] {
  return [...rules, ...RULES.filter((rule) => !rules.includes(rule))];
}

/** Whether a rule may say something of its own in a space. */
export function differsIn(space: Space, rule: string | Rule): boolean {
  const found = typeof rule === "string" ? RULES.find(({ name }) => name === rule) : rule;
  return found?.differs?.(space) ?? true;
}

/**
 * Whether a rule has to measure the supernet without each operation, so that it decides only at the end and when asked for;
 * false for a name of no built-in rule.
 */
export function needsRemovals(rule: string | Rule): boolean {
  const found = typeof rule === "string" ? RULES.find(({ name }) => name === rule) : rule;
  return found?.needs?.includes("removals") ?? false;
}
