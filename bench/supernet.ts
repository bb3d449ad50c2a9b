/**
 * Supernet steps of two standard sizes, with PyTorch's times beside them where /usr/bin/python3 has torch.
 *
 *     deno task bench                 both sizes, 5 steps each
 *     deno task bench --small         the first size only (--large: the second)
 *     deno task bench --profile       where the time goes, by shader (timestamp queries; --shapes: and by operands)
 *     deno task bench --roofline      the same by operation, beside the adapter's ceilings, measured on the spot
 *     deno task bench --f32           activations as f32 instead of bf16
 *     deno task bench --scaling       instead: the first size with other batches, channels and numbers of cells
 *     deno task bench --json          one JSON object per size
 *     deno task bench --python=PATH   the Python that has torch, where it is not /usr/bin/python3
 *
 * Each of the 5 figures is the mean of the steps of half a second or more, which are waited for together, as searches do.
 * On a GPU PyTorch is on CUDA, eager and as a CUDA graph, 5 steps at a time.
 */
import "../src/platform/deno.ts";
import process from "node:process";
import { measure, medianSpan, noiseBatch, repeatsFor, type Span } from "../src/doctor/measure.ts";
import { openGpu } from "../src/gpu/device.ts";
import type { Precision } from "../src/graph/tensor_type.ts";
import { resolveSearchConfig } from "../src/search/config.ts";
import { hyperValues } from "../src/nn/hyper.ts";
import { SearchEngine } from "../src/search/engine.ts";
import { planSearch } from "../src/search/programs.ts";
import type { NodeNorm, SupernetConfig } from "../src/space/supernet.ts";
import { isProfiled, printProfile } from "./profile.ts";
import { SIZES as STANDARD_SIZES } from "./step_costs.ts";

const FLAGS = [
  "--small",
  "--large",
  "--profile",
  "--shapes",
  "--roofline",
  "--f32",
  "--scaling",
  "--json",
  "--no-torch",
];
const unknown = Deno.args.find((a) => !FLAGS.includes(a) && !/^--(norm=(rms|batch|sample|none)|python=.+)$/.test(a));
if (unknown !== undefined) {
  console.error(
    `Cannot use '${unknown}' as a flag: use ${FLAGS.join(", ")} --python=PATH or --norm=rms|batch|sample|none`,
  );
  Deno.exit(2);
}
const flags = new Set(Deno.args), steps = 5;
const value = (flag: string): string | undefined =>
  Deno.args.find((a) => a.startsWith(`--${flag}=`))?.slice(flag.length + 3);
const normFlag = value("norm") ?? "rms", python = value("python") ?? "/usr/bin/python3";
const precision: Precision = flags.has("--f32") ? "f32" : "bf16";
const SIZES = STANDARD_SIZES.map((size): SupernetConfig => ({ ...size, nodeNorm: normFlag as NodeNorm, precision }));

async function ours(config: SupernetConfig) {
  const began = performance.now(), gpu = await openGpu(), optimizer = resolveSearchConfig();
  const plan = planSearch(config, optimizer, gpu.limits), planned = performance.now();
  const engine = await SearchEngine.create(gpu, plan), { runtime } = engine;
  engine.initialise(0, 1e-3);
  const inputs = {
    ...noiseBatch(config),
    hyper: hyperValues({ weightLr: 0.025, alphaLr: 3e-4, alphaCorrection1: 0.5, alphaCorrection2: 0.001 }),
  };
  const done: number[] = [];
  for (const name of ["alpha_step", "weight_step"]) {
    await runtime.prepare([name]);
    runtime.run(name, inputs);
    await runtime.idle();
    done.push(performance.now());
  }
  const result: Record<string, unknown> = {
    adapter: gpu.name,
    software: gpu.software,
    config: `C=${config.channels}, ${config.cells} cells, batch ${config.batch}, ` +
      `${config.height}x${config.width}x${config.inputChannels}, node norm ${config.nodeNorm}, ${config.precision}`,
    planMs: Math.round(planned - began),
    firstAlphaStepMs: Math.round(done[0] - began),
    firstWeightStepMs: Math.round(done[1] - began),
    gpuMiB: Math.round(plan.bytes / 2 ** 20),
    peakRssMb: 0,
  };
  for (const name of ["weight_step", "alpha_step"]) {
    const spans: Span[] = [];
    const step = (repeats?: number) => measure(() => runtime.run(name, inputs), () => runtime.idle(), repeats);
    const repeats = repeatsFor(await step());
    for (let i = 0; i < steps; i++) spans.push(await step(repeats));
    const { macs, dispatches, traffic } = plan.plans.find((p) => p.name === name)!, span = medianSpan(spans);
    result[name] = {
      ms: +span.milliseconds.toPrecision(3),
      cpuMs: +span.cpuMilliseconds.toPrecision(3),
      gflops: +(2 * macs / span.milliseconds / 1e6).toFixed(1),
      gmacs: +(macs / 1e9).toFixed(2),
      dispatches,
      boundGiB: +(traffic / 2 ** 30).toFixed(2),
      jsShare: +(span.hostMilliseconds / span.milliseconds).toFixed(4),
    };
  }
  result.peakRssMb = Math.round(process.resourceUsage().maxRSS * 1024 / 1e6);
  if (isProfiled(flags)) {
    for (const name of ["weight_step", "alpha_step"]) {
      const program = plan.plans.find((p) => p.name === name)!;
      await printProfile(gpu, name, program, () => runtime.profile(name, inputs), flags);
    }
  }
  engine.destroy();
  gpu.device.destroy();
  return result;
}

async function torch(config: SupernetConfig, device: "cpu" | "cuda"): Promise<Record<string, unknown> | undefined> {
  const options = {
    channels: config.channels,
    cells: config.cells,
    batch: config.batch,
    size: config.height,
    "in-channels": config.inputChannels,
    classes: config.classes,
    norm: config.nodeNorm,
    device,
    steps,
  };
  const args = Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)]);
  try {
    const command = new Deno.Command(python, {
      args: ["bench/pytorch_supernet.py", ...args, "--json"],
      stderr: "inherit",
    });
    const { success, stdout } = await command.output();
    return success ? JSON.parse(new TextDecoder().decode(stdout)) : undefined;
  } catch {
    return undefined;
  }
}

/** The first size with one of its sizes changed, in a table. */
async function scaling(): Promise<void> {
  const [base] = SIZES;
  const configs = [
    ...[8, 16, 32, 64].map((batch) => ({ ...base, batch })),
    ...[4, 16, 32].map((channels) => ({ ...base, channels })),
    ...[3, 8, 11].map((cells) => ({ ...base, cells })),
  ];
  if (!flags.has("--json")) {
    console.log(`One of the sizes of ${base.height}x${base.width}x${base.inputChannels} changed, ${base.precision}`);
    console.log("| channels | cells | batch | GPU MiB | step | GMAC | dispatches | ms | CPU ms | CPU ms per GMAC |");
    console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  }
  for (const { channels, cells, batch, ...rest } of configs) {
    const result = await ours({ channels, cells, batch, ...rest });
    if (flags.has("--json")) {
      console.log(JSON.stringify({ channels, cells, batch, ...result }));
      continue;
    }
    for (const name of ["weight_step", "alpha_step"]) {
      const { gmacs, dispatches, ms, cpuMs } = result[name] as Record<string, number>;
      const row = [channels, cells, batch, result.gpuMiB, name.replace("_step", ""), gmacs, dispatches, ms, cpuMs];
      console.log(`| ${[...row, Math.round(cpuMs / gmacs)].join(" | ")} |`);
    }
  }
}

if (flags.has("--scaling")) {
  await scaling();
  Deno.exit();
}

const chosen = flags.has("--small") ? SIZES.slice(0, 1) : flags.has("--large") ? SIZES.slice(1) : SIZES;
for (const config of chosen) {
  const idarts = await ours(config);
  const pytorch = flags.has("--no-torch") ? undefined : await torch(config, idarts.software ? "cpu" : "cuda");
  if (flags.has("--json")) {
    console.log(JSON.stringify({ idarts, pytorch }));
    continue;
  }
  console.log(idarts);
  if (!pytorch) console.log("PyTorch: not found (apt-get install python3-torch libopenblas0-pthread)");
  else {
    console.log("PyTorch:", pytorch);
    const ratio = (name: string, peer: string) => {
      const { ms } = idarts[name] as { ms: number };
      return `${(ms / (pytorch[peer] as number)).toFixed(2)}x`;
    };
    console.log(
      `idarts / PyTorch: weight step ${ratio("weight_step", "weight_step_ms")}, alpha step ` +
        `${ratio("alpha_step", "alpha_step_ms")} (weights frozen in PyTorch: ${
          ratio("alpha_step", "alpha_step_frozen_ms")
        })`,
    );
  }
}
