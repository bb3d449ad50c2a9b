/**
 * The cells that a discretisation came to, by name: those of each rule, both ways to keep. Not responsible for how they
 * were chosen.
 * @module
 */
import type { Keep } from "../space/space.ts";
import type { MethodReport, Selection } from "./choice.ts";
import type { DiscretizationReport } from "./discretize.ts";

/** The cells of a rule. */
export interface Decision {
  /** Name of the rule. */
  readonly rule: string;
  /** What nodes keep; `edges` also where every edge stays. */
  readonly keep: Keep;
}

/** What a decision is called in names of files and in studies: `zca`, and `zca.operations` for the other way to keep. */
export function decisionName({ rule, keep }: Decision): string {
  return keep === "edges" ? rule : `${rule}.${keep}`;
}

/** The decision of that name. */
export function parseDecision(name: string): Decision {
  const [rule, keep = "edges"] = name.split("."); // no name of a rule holds a dot
  return { rule, keep: keep as Keep };
}

/** The other way to keep. */
export function otherKeep(keep: Keep): Keep {
  return keep === "edges" ? "operations" : "edges";
}

/** Every decision of a report with its cells, those that are the rule's first. */
export function decisionsOf(
  { methods, keep = "edges" }: Pick<DiscretizationReport, "methods" | "keep">,
): (Decision & { readonly name: string; readonly cells: Selection })[] {
  const named = (rule: string, keep: Keep, cells: Selection) => (
    { rule, keep, name: decisionName({ rule, keep }), cells }
  );
  const others = ({ method, other: cells }: MethodReport) => cells ? [named(method, otherKeep(keep), cells)] : [];
  return [...methods.map((each) => named(each.method, keep, each)), ...methods.flatMap(others)];
}
