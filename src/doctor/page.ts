/**
 * What a full check found, as Markdown to be read or attached to a report. Not responsible for the check.
 * @module
 */
import { printable } from "../base/printable.ts";
import { count, duration, magnitude, mebibytes, percent } from "../report/numbers.ts";
import type { FullCheck } from "./full_check.ts";
import { gflops, gigabytes, type Rate } from "./speed.ts";
import type { StepTiming, VariantTiming } from "./timings.ts";

const cell = (text: string): string => printable(text).replaceAll("\\", "\\\\").replaceAll("|", "\\|");

function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(header), `|${" --- |".repeat(header.length)}`, ...rows.map(line), ""];
}

const error = (value: number | null | undefined): string =>
  value === null || value === undefined ? "" : value.toExponential(1);

/** The page. */
export function fullCheckPage(check: FullCheck): string {
  const { version, deno, system, adapter, info, software, features, limits, forms, leftOut, problems, seconds } = check;
  return [
    `# idarts ${version} on ${cell(adapter)}`,
    "",
    problems.length === 0
      ? "Everything that was checked is right."
      : `**${count(problems.length)} things are wrong**, the first ones:`,
    ...(problems.length === 0 ? [] : ["", ...problems.slice(0, 20).map((text) => `- ${cell(text)}`)]),
    ...(leftOut.length === 0 ? [] : ["", `Left out for want of time: ${leftOut.join("; ")}.`]),
    "",
    ...table(["", ""], [
      ...Object.entries(info),
      ["kind", software ? "the CPU does the work" : "a GPU"],
      ["features", features.join(", ") || "none of those that help"],
      ["system", `${system}, Deno ${deno}`],
      ["kernels were run", forms.join("; ")],
      ...Object.entries(limits).map(([name, value]): [string, string] => [name, String(value)]),
      ["time", duration(seconds)],
    ]),
    ...kernelLines(check),
    ...goldenLines(check),
    ...speedLines(check),
  ].join("\n");
}

function kernelLines({ kernels: { kernels, done, all } }: FullCheck): string[] {
  const rows = kernels.map(({ op, variant, runs, errors, failures }) => {
    const result = failures.length === 0 ? "right" : `**WRONG** in ${failures.length}`;
    return [op, variant, count(runs), error(errors.f32), error(errors.bf16), result];
  });
  return [
    "## Kernels against f64 references",
    "",
    `${count(done)} of ${
      count(all)
    } cases, forward and backward, with every variant in every form. Errors are relative to`,
    "the largest value of a result; those of gradients are told with the kernels that make them.",
    "",
    ...table(["operation", "variant", "runs", "largest error, f32", "bf16", "result"], rows),
  ];
}

function goldenLines({ golden }: FullCheck): string[] {
  const rows = golden.map(({ name, tensors, error: worst, bf16Error, milliseconds, failures }) => [
    ...[name, count(tensors), error(worst), error(bf16Error), duration(milliseconds / 1000)],
    failures.length === 0 ? "right" : "**WRONG**",
  ]);
  return [
    "## Networks against PyTorch",
    "",
    "Losses, logits and gradients of a step in f32, and the logits of a prediction with activations as bf16.",
    "",
    ...table(["network", "tensors", "largest error, f32", "bf16", "time", "result"], rows),
  ];
}

function speedLines({ ceilings, steps, variants }: FullCheck): string[] {
  const share = (rate: Rate): string =>
    percent(Math.max(gflops(rate) / ceilings.gflops, gigabytes(rate) / ceilings.gigabytes));
  return [
    "## Speed",
    "",
    `The adapter reaches ${ceilings.gflops.toFixed(1)} GFLOP/s when it only computes in registers and ` +
    `${ceilings.gigabytes.toFixed(1)} GB/s when it only copies (measured just before); shares are of what is nearer.`,
    "",
    ...steps.flatMap((timing) => stepLines(timing, share)),
    "### Variants of kernels",
    "",
    "Least of five runs each, at the costliest shape of each kind; the variant that this kind of adapter gets comes first.",
    "",
    ...table(
      ["operation", "inputs", "fastest", "us", "GFLOP/s", "GB/s", "share", "us by variant"],
      variants.map((timing) => variantRow(timing, share)),
    ),
  ];
}

function stepLines(timing: StepTiming, share: (rate: Rate) => string): string[] {
  const { name, compileSeconds, firstSeconds, gpuBytes, step, cpuMilliseconds, operations } = timing;
  const row = (what: string, rate: Rate): string[] => [
    ...[what, rate.milliseconds.toFixed(2), count(rate.dispatches), magnitude(rate.macs), mebibytes(rate.bytes)],
    ...[rate.macs > 0 ? gflops(rate).toFixed(1) : "", gigabytes(rate).toFixed(1), share(rate)],
  ];
  return [
    `### A step of a ${name}`,
    "",
    `Compilation ${duration(compileSeconds)}, and ${duration(firstSeconds)} in the first step; ` +
    `${mebibytes(gpuBytes)} of GPU memory; ${cpuMilliseconds.toFixed(0)} ms of all CPU threads in a step.`,
    "",
    ...table(
      ["operation", "ms", "dispatches", "MACs", "bound", "GFLOP/s", "GB/s", "share"],
      [row("whole step", step), ...(operations ?? []).map(([op, rate]) => row(op, rate))],
    ),
    ...(operations ? [] : ["This adapter cannot time single operations.", ""]),
  ];
}

function variantRow({ op, shape, macs, bytes, nanoseconds, fastest }: VariantTiming, share: (rate: Rate) => string) {
  const rate: Rate = { milliseconds: nanoseconds[fastest] / 1e6, dispatches: 1, macs, bytes };
  const microseconds = (ns: number): string => (ns / 1e3).toFixed(1);
  return [
    ...[op, shape, fastest, microseconds(nanoseconds[fastest]), macs > 0 ? gflops(rate).toFixed(1) : ""],
    ...[gigabytes(rate).toFixed(1), share(rate)],
    Object.entries(nanoseconds).map(([name, ns]) => `${name}: ${microseconds(ns)}`).join("; "),
  ];
}
