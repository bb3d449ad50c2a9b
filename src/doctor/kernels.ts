/**
 * Every kernel that an adapter can take, against f64 references: all cases of all operations, in every form of device,
 * each variant, images stored as f32 and as bf16, within a time. Not responsible for what the cases are.
 * @module
 */
import type { OpCase, OpSpec } from "../graph/op.ts";
import { elementCount, type Precision } from "../graph/tensor_type.ts";
import { type ChooseVariant, planProgram, Pool } from "../graph/plan.ts";
import { CaseCheck, caseGraphs, checkVariants, TriedVariants } from "../ops/check.ts";
import { OPERATIONS } from "../ops/registry.ts";
import type { Form } from "./forms.ts";

/** How one kernel does: a variant of an operation. */
export interface KernelCheck {
  /** The operation. */
  readonly op: string;
  /** The variant, sizes of its blocks left out; "-": there is one way only. */
  readonly variant: string;
  /** Runs of it that were compared with a reference. */
  readonly runs: number;
  /** Largest error relative to the largest magnitude of what was compared, by how images are stored. */
  readonly errors: Readonly<Partial<Record<Precision, number>>>;
  /** What is wrong, a sentence for each run; empty when all is well. */
  readonly failures: readonly string[];
}

/** What {@linkcode checkKernels} found. */
export interface KernelChecks {
  readonly kernels: readonly KernelCheck[];
  /** Cases that were run, in whatever form, and how many there are. */
  readonly done: number;
  readonly all: number;
  /** Operations whose cases were not all run, for want of time. */
  readonly leftOut: readonly string[];
}

/** The variant of an operation that has one kernel only. */
const ONE = "-";

/** A variant's name without the sizes of its blocks: "held; blocks" of "held 4x24; blocks 8x4, strands 1". */
const kindOf = (variant: string): string => variant.split("; ").map((part) => part.split(/[ ,]/)[0]).join("; ");

/** One thing to run. */
interface Job {
  readonly op: OpSpec;
  readonly testCase: OpCase;
}

/** Operations and kinds of kernels that a case runs in some form. */
function kindsOf({ op, testCase }: Job, forms: readonly Form[]): Set<string> {
  const kinds = new Set([op.name]);
  const choose: ChooseVariant = (key, names) => {
    names.forEach((name) => kinds.add(`${key.slice(0, key.indexOf(" "))}: ${kindOf(name)}`));
    return names[0];
  };
  for (const graph of caseGraphs(op, testCase, "f32")) {
    for (const { gpu } of forms) planProgram("kinds", graph, {}, { ...gpu.limits, choose }, new Pool());
  }
  return kinds;
}

/** The cases, small ones first, but before all others those that together run every operation and kind of kernel. */
function jobsOf(operations: readonly OpSpec[], forms: readonly Form[]): Job[] {
  const size = ({ testCase: { inputs } }: Job): number => inputs.reduce((sum, type) => sum + elementCount(type), 0);
  const jobs = operations.filter((op) => op.reference)
    .flatMap((op) => (op.cases?.() ?? []).map((testCase): Job => ({ op, testCase })))
    .sort((a, b) => size(a) - size(b));
  const seen = new Set<string>(),
    isNew = (job: Job): boolean => {
      const before = seen.size;
      kindsOf(job, forms).forEach((kind) => seen.add(kind));
      return seen.size > before;
    };
  const first = jobs.filter(isNew);
  return [...first, ...jobs.filter((job) => !first.includes(job))];
}

/** Notes of the kernels so far. */
class Notes {
  readonly #kernels = new Map<
    string,
    { errors: Partial<Record<Precision, number>>; failures: string[]; runs: number }
  >();

  add(kernel: string, precision: Precision, error: number, failures: readonly string[]): void {
    const known = this.#kernels.get(kernel) ?? { errors: {}, failures: [], runs: 0 };
    known.runs++;
    known.errors[precision] = Math.max(error, known.errors[precision] ?? 0);
    known.failures.push(...failures);
    this.#kernels.set(kernel, known);
  }

  kernels(): KernelCheck[] {
    return [...this.#kernels].map(([kernel, notes]) => {
      const [op, variant] = kernel.split(": ");
      return { op, variant, ...notes };
    }).sort((a, b) => `${a.op} ${a.variant}` < `${b.op} ${b.variant}` ? -1 : 1);
  }
}

/**
 * Runs the cases until all is done or the time is up; the first one in any case.
 * @param until when to stop, by `performance.now()`
 * @param onProgress told what is checked now
 * @param operations the registry's unless a test has others
 */
export async function checkKernels(
  forms: readonly Form[],
  until: number,
  onProgress?: (what: string) => void,
  operations: readonly OpSpec[] = OPERATIONS,
): Promise<KernelChecks> {
  const notes = new Notes(), all = jobsOf(operations, forms), leftOut = new Set<string>();
  let done = 0;
  for (const job of all) {
    if (done > 0 && performance.now() > until) leftOut.add(job.op.name);
    else {
      done++;
      onProgress?.(`${job.op.name}, case ${done} of ${all.length}`);
      await runCase(job, forms, notes);
    }
  }
  return { kernels: notes.kernels(), done, all: all.length, leftOut: [...leftOut] };
}

/** Whether a failure of a case is one of its gradients. */
const isBackward = (text: string): boolean => /^(gradient|backward) /.test(text);

/** Runs a case in every form with every variant, stored in both ways. */
async function runCase({ op, testCase }: Job, forms: readonly Form[], notes: Notes): Promise<void> {
  const images = testCase.inputs.some(({ layout }) => layout === "image");
  for (const precision of images ? ["f32", "bf16"] as const : ["f32"] as const) {
    const check = new CaseCheck(op, testCase, precision), tried = new TriedVariants();
    for (const { name, gpu } of forms) {
      for await (const { result: { forward, gradient, failures }, taken } of checkVariants(check, gpu, tried)) {
        const wrong = (of: "forward" | "backward"): string[] =>
          failures.filter((text) => isBackward(text) === (of === "backward"))
            .map((text) => `${testCase.name}, as ${precision}, kernels ${name}: ${text}`);
        notes.add(`${op.name}: ${kindOf(taken.get(op.name) ?? ONE)}`, precision, forward, wrong("forward"));
        if (gradient === null) continue;
        const others = [...taken].filter(([other]) => other !== op.name);
        for (const [other, variant] of others.length > 0 ? others : [[`gradient of ${op.name}`, ONE]]) {
          notes.add(`${other}: ${kindOf(variant)}`, precision, gradient, wrong("backward"));
        }
      }
    }
  }
}
