/**
 * `idarts doctor`: whether this machine can search. The adapter and its limits, permissions, a self-test of the
 * shaders against f64 references, and one search step of a small supernet, done twice to the same bits. With `--full`
 * everything that those who write the kernels would like to know of an adapter, in two files.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { FailureError, UsageError } from "../base/errors.ts";
import { joinPath, makeFolder, writeAtomic } from "../base/files.ts";
import { fullCheck } from "../doctor/full_check.ts";
import { fullCheckPage } from "../doctor/page.ts";
import { softwareReason } from "../gpu/adapter.ts";
import { type Gpu, LIMIT_NAMES, openGpu, PORTABLE_LIMITS } from "../gpu/device.ts";
import { THREADS_VARIABLE } from "../platform/platform.ts";
import { checkDevice, type OperationCheck, type StepCheck } from "../search/device_check.ts";
import type { Parsed } from "./flags.ts";
import { VERSION } from "../base/version.ts";
import { commandLine, count, duration, mebibytes, pairs, table, Terminal } from "./terminal.ts";

/** Where the files of a full check go unless `--out` says otherwise. */
const FULL_FOLDER = "runs/doctor";

/** Declares the verb. */
export function doctorCommand(program: Command): Command {
  return program.command("doctor")
    .summary("whether this machine can search: adapter, limits, self-test")
    .description(
      "Tells which WebGPU adapter is used and what it offers, checks the shaders against references in double " +
        "precision, and runs a search step of a small supernet twice. Needs no permissions.",
    )
    .addOption(new Flag("--json", "everything as one JSON line"))
    .addOption(
      new Flag(
        "--full",
        "instead: every kernel in every variant that the adapter takes, networks against PyTorch's, and how fast it " +
          "all is, in about five minutes; writes doctor.json and doctor.md to be sent along with a report",
      ),
    )
    .addOption(new Flag("--out <folder>", `folder of these files (default: ${FULL_FOLDER})`))
    .addOption(new Flag("--minutes <n>", "about how long --full may take; the rest is left out (default: 5)"))
    .addHelpText(
      "after",
      `
Example:
  ${commandLine(["doctor"], { read: [], write: [] })}
  ${commandLine(["doctor", "--full"], { read: ["runs"], write: ["runs"] })}

Exit codes: 0 all is well, 1 something is not (said in one sentence), 2 wrong use.`,
    );
}

/** Runs the verb. @returns the exit code */
export async function runDoctor(parsed: Parsed): Promise<number> {
  const terminal = new Terminal(parsed.json === true);
  try {
    if (parsed.full === true) return await runFull(parsed, terminal);
    const only = (["out", "minutes"] as const).find((flag) => parsed[flag] !== undefined);
    if (only) throw new UsageError(`Cannot use --${only} without --full`);
    const gpu = await openGpu(), info = await adapterInfo();
    const permissions = permissionHints(gpu);
    [
      `idarts ${VERSION}, Deno ${Deno.version.deno}, ${Deno.build.os} ${Deno.build.arch}`,
      ...pairs([
        ["adapter", gpu.name],
        ...Object.entries(info),
        ["features", gpu.features.join(", ") || "none of those that help"],
        ["kernels", kernelText(gpu)],
      ]),
      "",
      "Limits",
      ...table(
        ["limit", "offered", "needed at least"],
        LIMIT_NAMES.map((name) => [name, count(gpu.limits[name]), count(PORTABLE_LIMITS[name])]),
      ),
      "",
      "Permissions",
      ...pairs(permissions),
      "",
    ].forEach((line) => terminal.line(line));
    const onProgress = (what: string): void => terminal.progress(() => `checking ${what} ...`);
    const { operations, step, problem } = await checkDevice(gpu, { onProgress });
    [...operationLines(operations), ...stepLines(step)].forEach((line) => terminal.line(line));
    terminal.event({
      event: "doctor",
      version: VERSION,
      deno: Deno.version.deno,
      adapter: { name: gpu.name, ...info, software: gpu.software },
      limits: gpu.limits,
      features: gpu.features,
      operations,
      step,
    });
    gpu.device.destroy();
    if (problem !== null) {
      throw new FailureError(
        `Cannot rely on adapter '${gpu.name}' as ${problem}: update its driver or use another adapter`,
      );
    }
    terminal.line("All is well.");
    return 0;
  } finally {
    terminal.close();
  }
}

/** Checks everything, and writes the files. */
async function runFull(parsed: Parsed, terminal: Terminal): Promise<number> {
  const { out = FULL_FOLDER, minutes = "5" } = parsed as { out?: string; minutes?: string };
  if (out === "") throw new UsageError("Cannot use --out as it must name a folder: it is empty");
  if (!(Number(minutes) > 0 && Number(minutes) <= MOST_MINUTES)) {
    throw new UsageError(
      `Cannot use --minutes as it must be a number above 0, at most ${MOST_MINUTES}: it is '${minutes}'`,
    );
  }
  makeFolder(out); // before minutes go by
  const onProgress = (what: string): void => terminal.progress(() => `checking ${what} ...`);
  const check = await fullCheck({ info: await adapterInfo(), seconds: 60 * Number(minutes), onProgress });
  const page = joinPath(out, "doctor.md"), data = joinPath(out, "doctor.json");
  writeAtomic(page, fullCheckPage(check));
  writeAtomic(data, JSON.stringify(check, null, 1) + "\n");
  const { kernels: { kernels, done, all }, golden, ceilings, leftOut, problems, seconds } = check;
  const wrong = kernels.filter(({ failures }) => failures.length > 0).length;
  terminal.close();
  terminal.event({ event: "doctor-full", files: { page, data }, ...check });
  pairs([
    ["adapter", check.adapter],
    ["kernels", `${count(kernels.length)} in ${count(done)} of ${count(all)} cases, ${count(wrong)} wrong`],
    ["networks", `${golden.length}, ${golden.filter(({ failures }) => failures.length > 0).length} wrong`],
    ["possible", `${ceilings.gflops.toFixed(1)} GFLOP/s in registers, ${ceilings.gigabytes.toFixed(1)} GB/s copied`],
    ["left out", leftOut.join("; ") || "nothing"],
    ["time", duration(seconds)],
    ["files", `${page}, to be read; ${data}`],
  ]).forEach((line) => terminal.line(line));
  if (problems.length > 0) {
    throw new FailureError(
      `Cannot rely on adapter '${check.adapter}' as ${count(problems.length)} checks failed (${
        problems[0]
      }): see '${page}'`,
    );
  }
  return 0;
}

/** Longest full check. */
const MOST_MINUTES = 600;

/** What the adapter says of itself, and whether it is taken for a GPU. */
async function adapterInfo(): Promise<Record<string, string>> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return {};
  const { vendor, architecture, description } = adapter.info, reason = softwareReason(adapter);
  const software = reason === undefined ? "no: a GPU does the work" : `yes: the CPU does the work, slowly (${reason})`;
  return Object.fromEntries(
    Object.entries({ driver: description, vendor, architecture, software }).filter(([, text]) => text),
  );
}

/** Which kernels suit it. */
function kernelText({ limits: { software, subgroupSize } }: Gpu): string {
  if (!software) return "for GPUs";
  return `for CPUs${subgroupSize > 0 ? `, with subgroups of ${subgroupSize} lanes` : ", without subgroups"}`;
}

/** What Deno lets this process do, and what each permission is for. */
function permissionHints(gpu: Gpu): [string, string][] {
  const granted = (query: Deno.PermissionDescriptor): string =>
    Deno.permissions.querySync(query).state === "granted" ? "yes" : "no ";
  const rows: [string, string][] = [
    [
      "--allow-read=<data>,<runs>",
      `${granted({ name: "read", path: "runs" })}  images, and runs (in runs/) to go on with`,
    ],
    ["--allow-write=<runs>", `${granted({ name: "write", path: "runs" })}  run folders (in runs/)`],
  ];
  if (gpu.software) {
    const threads = granted({ name: "env", variable: THREADS_VARIABLE });
    rows.push([`--allow-env=${THREADS_VARIABLE}`, `${threads}  to keep all cores busy in virtual machines (optional)`]);
    const memory = granted({ name: "sys", kind: "systemMemoryInfo" });
    rows.push(["--allow-sys=systemMemoryInfo", `${memory}  to refuse what does not fit in memory (optional)`]);
  }
  return rows;
}

function operationLines(operations: readonly OperationCheck[]): string[] {
  const rows = operations.map(({ op, cases, error, milliseconds, failures }) => [
    op,
    String(cases),
    error.toExponential(1),
    `${milliseconds.toFixed(0)} ms`,
    failures.length === 0 ? "ok" : "WRONG",
  ]);
  const total = operations.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000;
  return [
    `Shaders against f64 references, forward and backward (compilation included; ${duration(total)} in all)`,
    ...table(["operation", "cases", "largest error", "time", "result"], rows),
    "",
  ];
}

function stepLines({ weights, bytes, compileSeconds, firstSeconds, stepMilliseconds, problem }: StepCheck): string[] {
  return [
    "A small supernet (space s3, 3 cells, 4 channels, 8 images of 3x16x16)",
    ...pairs([
      ["size", `${count(weights)} weights, ${mebibytes(bytes)} of GPU memory`],
      ["compilation", `${duration(compileSeconds)}, and ${duration(firstSeconds)} in the first steps`],
      ["search step", `${stepMilliseconds.toFixed(0)} ms`],
      ["same bits", problem === null ? "yes" : "NO"],
    ]),
    "",
  ];
}
