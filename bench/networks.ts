/**
 * Derived networks at work, with PyTorch's times beside them where /usr/bin/python3 has torch: training steps,
 * evaluation and prediction.
 *
 *     deno task bench:networks                 every network, three calls of five steps each, ours and theirs in turn
 *     deno task bench:networks --only=dense    networks whose name contains it
 *     deno task bench:networks --what=train    train, evaluate or predict; all if left out
 *     deno task bench:networks --calls=1       how often ours and theirs are called
 *     deno task bench:networks --profile       where the time goes, by shader (timestamp queries; --shapes: and by operands)
 *     deno task bench:networks --no-torch --json
 * @module
 */
import { measure, medianSpan, noiseBatch, type Span } from "../src/commands/measure.ts";
import { type Gpu, openGpu } from "../src/gpu/device.ts";
import type { DispatchTime } from "../src/graph/runtime.ts";
import type { NetworkConfig } from "../src/space/derived.ts";
import type { Genotype } from "../src/space/genotype.ts";
import { parseNasBenchCell } from "../src/space/nas_bench_cell.ts";
import { DARTS_V2 } from "../src/space/published.ts";
import { resolveTrainConfig } from "../src/train/config.ts";
import { TrainEngine } from "../src/train/engine.ts";
import { planTraining } from "../src/train/programs.ts";

const nasBench = (text: string): Genotype => {
  const nodes = parseNasBenchCell(text, "the cell");
  return {
    normal: { nodes, concat: [nodes.length] },
    reduce: { nodes: [], concat: [] },
    skeleton: "nas-bench-201",
  };
};
const DENSE = nasBench(
  "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
);
/** A residual block: two convolutions and the identity. */
const RESIDUAL = nasBench("|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|");

interface Size {
  readonly name: string;
  readonly network: NetworkConfig;
  readonly batch: number;
}

const size = (
  name: string,
  genotype: Genotype,
  [channels, cells, batch]: readonly [number, number, number],
  [pixels, inputChannels]: readonly [number, number],
): Size => ({
  name,
  batch,
  network: { genotype, form: "cifar", channels, cells, classes: 10, inputChannels, height: pixels, width: pixels },
});

const SIZES: readonly Size[] = [
  size("small DARTS_V2, C=8, 5 cells", DARTS_V2, [8, 5, 64], [28, 1]),
  size("middle DARTS_V2, C=16, 8 cells", DARTS_V2, [16, 8, 64], [28, 1]),
  size("large DARTS_V2, C=36, 20 cells", DARTS_V2, [36, 20, 16], [32, 3]),
  size("dense NAS-Bench-201, 3x3 on all edges, C=16, 3 cells", DENSE, [16, 3, 32], [32, 3]),
  size("dense NAS-Bench-201, 3x3 on all edges, C=16, 15 cells", DENSE, [16, 15, 32], [32, 3]),
  size("residual network of 3x3 convolutions, C=16, 9 blocks", RESIDUAL, [16, 9, 32], [32, 3]),
];

const WHAT = ["train", "evaluate"] as const;
type What = typeof WHAT[number];

const value = (flag: string): string | undefined =>
  Deno.args.find((a) => a.startsWith(`--${flag}=`))?.slice(flag.length + 3);
const flags = new Set(Deno.args),
  known = /^--(only=.+|what=(train|evaluate)|calls=\d+|batch=\d+|threads=\d+|profile|shapes|no-torch|json)$/;
const unknown = Deno.args.find((a) => !known.test(a));
if (unknown !== undefined) {
  console.error(
    `Cannot use '${unknown}' as a flag: use --only=NAME, --what=train|evaluate, --calls=N, --batch=N, --profile, ` +
      `--shapes, --no-torch, --json`,
  );
  Deno.exit(2);
}
const steps = 5, calls = Number(value("calls") ?? 3), threads = Number(value("threads") ?? 2);

interface Timing {
  readonly ms: number;
  readonly cpuMs: number;
  readonly parameters: number;
}

function report(name: string, times: readonly DispatchTime[]): void {
  const rows = new Map<string, { ms: number; count: number }>();
  let total = 0;
  for (const { shader, operands, nanoseconds } of times) {
    const key = flags.has("--shapes") ? `${shader} ${operands}` : shader, row = rows.get(key) ?? { ms: 0, count: 0 };
    row.ms += nanoseconds / 1e6;
    row.count++;
    total += nanoseconds / 1e6;
    rows.set(key, row);
  }
  console.error(`${name}: ${total.toFixed(0)} ms in ${times.length} dispatches`);
  for (const [shader, { ms, count }] of [...rows].sort((a, b) => b[1].ms - a[1].ms).slice(0, 40)) {
    const share = (100 * ms / total).toFixed(1).padStart(5);
    console.error(`  ${shader.padEnd(24)} ${ms.toFixed(1).padStart(8)} ms ${share} % ${String(count).padStart(5)} x`);
  }
}

/** The least time of each dispatch in several profiles. */
async function leastOf(profile: () => Promise<DispatchTime[]>, repeats: number): Promise<DispatchTime[]> {
  let least = await profile();
  for (let i = 1; i < repeats; i++) {
    const other = await profile();
    least = least.map((time, k) => time.nanoseconds <= other[k].nanoseconds ? time : other[k]);
  }
  return least;
}

async function ours(gpu: Gpu, { network, batch, name }: Size, what: What): Promise<Timing> {
  const config = resolveTrainConfig({ auxiliaryWeight: 0, dropPath: 0 });
  const plan = planTraining(network, batch, config, gpu.limits), engine = await TrainEngine.create(gpu, plan);
  try {
    engine.initialise(0);
    const data = noiseBatch({ ...network, batch }), { runtime } = engine;
    const began = performance.now();
    const run = () => what === "train" ? engine.step(data, 0.025) : engine.evaluate(data);
    await run();
    await runtime.idle();
    const first = performance.now() - began;
    await run();
    await runtime.idle();
    const spans: Span[] = [];
    for (let i = 0; i < steps; i++) spans.push(await measure(run, () => runtime.idle()));
    if (flags.has("--profile")) {
      const inputs = {
        ...data,
        ...(what === "train" ? { hyper: new Float32Array([0.025, 0, 0, 0, 0, 0, 0, 0]) } : {}),
      };
      const program = what === "train" ? "train_step" : "evaluate";
      console.error(`first ${first.toFixed(0)} ms, GPU ${(plan.bytes / 2 ** 20).toFixed(0)} MiB`);
      report(`${name}, ${what}`, await leastOf(() => runtime.profile(program, inputs), 5));
    }
    const { milliseconds, cpuMilliseconds } = medianSpan(spans);
    return { ms: milliseconds, cpuMs: cpuMilliseconds, parameters: plan.parameters };
  } finally {
    engine.destroy();
  }
}

async function torch({ network, batch }: Size, what: What): Promise<Timing | undefined> {
  try {
    const args = ["bench/pytorch_networks.py"];
    const child = new Deno.Command("/usr/bin/python3", { args, stdin: "piped", stdout: "piped" }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(
      new TextEncoder().encode(JSON.stringify({ network, batch, steps, what, threads, freeze: true }) + "\n"),
    );
    await writer.close();
    const { success, stdout } = await child.output();
    return success ? JSON.parse(new TextDecoder().decode(stdout)) : undefined;
  } catch {
    return undefined;
  }
}

const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b);
const text = (values: readonly number[], digits: number): string => {
  const [least, middle, most] = [values[0], values[values.length >> 1], values.at(-1)!].map((v) => v.toFixed(digits));
  return values.length > 1 ? `${middle} (${least} to ${most})` : middle;
};

const gpu = await openGpu();
if (!flags.has("--json")) {
  console.log(`${gpu.name}; ms of a step, CPU ms of all threads; medians of ${steps} steps in ${calls} calls`);
  console.log("| network | what | batch | ours | CPU | PyTorch | CPU | ratio |\n| - | - | - | - | - | - | - | - |");
}
for (const each of SIZES.filter(({ name }) => name.includes(value("only") ?? ""))) {
  const one = value("batch") ? { ...each, batch: Number(value("batch")) } : each;
  for (const what of WHAT.filter((w) => w === (value("what") ?? w))) {
    const mine: Timing[] = [], theirs: Timing[] = [];
    for (let call = 0; call < calls; call++) {
      mine.push(await ours(gpu, one, what));
      const other = flags.has("--no-torch") ? undefined : await torch(one, what);
      if (other) theirs.push(other);
    }
    if (theirs.some(({ parameters }) => parameters !== mine[0].parameters)) {
      throw new Error(`'${one.name}' has ${mine[0].parameters} weights here and ${theirs[0].parameters} in PyTorch`);
    }
    if (flags.has("--json")) {
      console.log(JSON.stringify({ name: one.name, what, batch: one.batch, ours: mine, pytorch: theirs }));
      continue;
    }
    const ms = (list: readonly Timing[]) => list.length ? text(sorted(list.map((t) => t.ms)), 1) : "-";
    const cpu = (list: readonly Timing[]) => list.length ? text(sorted(list.map((t) => t.cpuMs)), 1) : "-";
    const ratio = theirs.length ? text(sorted(mine.map((t, i) => t.ms / theirs[i].ms)), 2) : "-";
    const row = [one.name, what, one.batch, ms(mine), cpu(mine), ms(theirs), cpu(theirs), ratio];
    console.log(`| ${row.join(" | ")} |`);
  }
}
gpu.device.destroy();
