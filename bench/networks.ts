/**
 * Derived networks at work, beside PyTorch where /usr/bin/python3 has torch, and predictions beside ONNX Runtime on our
 * own export too: training steps, and predictions from pixels to probabilities.
 *
 *     deno task bench:networks                 every network, three calls of five steps each, ours and theirs in turn
 *     deno task bench:networks --only=dense    networks whose name contains it
 *     deno task bench:networks --what=train    train or predict; both if left out
 *     deno task bench:networks --calls=1       how often ours and theirs are called
 *     deno task bench:networks --batch=32      images at a time, of training steps and of ours in predictions
 *     deno task bench:networks --threads=1     threads of the peers (ours: LP_NUM_THREADS)
 *     deno task bench:networks --profile       where the time goes, by shader (timestamp queries; --shapes: and by operands)
 *     deno task bench:networks --roofline      the same by operation, beside the adapter's ceilings, measured on the spot
 *     deno task bench:networks --no-peers --json
 *     deno task bench:networks --python=PATH   the Python that has torch, where it is not /usr/bin/python3
 *
 * Each figure of ours is the mean of the steps of half a second or more, which are waited for together, as trainings do.
 * On a GPU PyTorch is on CUDA, 20 steps at a time, and as a CUDA graph too ("graphMs" with --json).
 * @module
 */
import "../src/platform/deno.ts";
import { measure, medianSpan, noiseBatch, repeatsFor, type Span } from "../src/doctor/measure.ts";
import { type Gpu, openGpu } from "../src/gpu/device.ts";
import type { NetworkConfig } from "../src/space/derived.ts";
import type { Genotype } from "../src/space/genotype.ts";
import { parseNasBenchCell } from "../src/space/nas_bench_cell.ts";
import { DARTS_V2 } from "../src/space/published.ts";
import { resolveTrainConfig } from "../src/train/config.ts";
import { exportOnnx } from "../src/export/onnx.ts";
import { Pool } from "../src/graph/plan.ts";
import { Runtime } from "../src/graph/runtime.ts";
import { finishProgram } from "../src/nn/weight_step.ts";
import { Predictor } from "../src/train/inference.ts";
import { buildInference, type Model } from "../src/train/model_file.ts";
import { TrainEngine } from "../src/train/engine.ts";
import { planTraining } from "../src/train/programs.ts";
import { isProfiled, printProfile } from "./profile.ts";

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
  size("plain residual network of auto, C=8, 3 blocks", RESIDUAL, [8, 3, 32], [28, 1]),
  size("plain residual network of auto, C=16, 3 blocks", RESIDUAL, [16, 3, 32], [32, 3]),
];

const WHAT = ["train", "predict"] as const;
type What = typeof WHAT[number];

const value = (flag: string): string | undefined =>
  Deno.args.find((a) => a.startsWith(`--${flag}=`))?.slice(flag.length + 3);
const flags = new Set(Deno.args),
  known =
    /^--(only=.+|what=(train|predict)|calls=\d+|batch=\d+|threads=\d+|python=.+|profile|roofline|shapes|no-peers|json)$/;
const unknown = Deno.args.find((a) => !known.test(a));
if (unknown !== undefined) {
  console.error(
    `Cannot use '${unknown}' as a flag: use --only=NAME, --what=train|predict, --calls=N, --batch=N, --python=PATH, ` +
      `--profile, --shapes, --roofline, --no-peers, --json`,
  );
  Deno.exit(2);
}
const steps = 5,
  calls = Number(value("calls") ?? 3),
  threads = Number(value("threads") ?? 2),
  python = value("python") ?? "/usr/bin/python3";

/** Whether to say where the time goes. */
const profiled = isProfiled(flags);

interface Timing {
  readonly ms: number;
  readonly cpuMs: number;
  readonly parameters: number;
  /** As a CUDA graph. */
  readonly graphMs?: number;
}

/** A training step. */
async function trainStep(gpu: Gpu, { network, batch, name }: Size): Promise<Timing> {
  const config = resolveTrainConfig({ auxiliaryWeight: 0, dropPath: 0 });
  const plan = planTraining(network, batch, config, gpu.limits), engine = await TrainEngine.create(gpu, plan);
  try {
    engine.initialise(0);
    const data = noiseBatch({ ...network, batch }), { runtime } = engine, began = performance.now();
    const run = () => engine.step(data, 0.025), spans: Span[] = [];
    let repeats = 1;
    for (let i = -2; i < steps; i++) {
      const span = await measure(run, () => runtime.idle(), repeats);
      if (i >= 0) spans.push(span);
      else if (i === -1) repeats = repeatsFor(span);
      else if (profiled) {
        console.error(
          `first ${Math.round(performance.now() - began)} ms, GPU ${(plan.bytes / 2 ** 20).toFixed(0)} MiB`,
        );
      }
    }
    if (profiled) {
      const inputs = { ...data, hyper: new Float32Array([0.025, 0, 0, 0, 0, 0, 0, 0]) };
      const program = plan.plans.find((each) => each.name === "train_step")!;
      await printProfile(gpu, `${name}, training`, program, () => runtime.profile("train_step", inputs), flags);
    }
    const { milliseconds, cpuMilliseconds } = medianSpan(spans);
    return { ms: milliseconds, cpuMs: cpuMilliseconds, parameters: plan.parameters };
  } finally {
    engine.destroy();
  }
}

/** A network with the weights that a training starts with. */
async function freshModel(gpu: Gpu, network: NetworkConfig): Promise<{ model: Model; parameters: number }> {
  const plan = planTraining(network, 1, resolveTrainConfig({ auxiliaryWeight: 0, dropPath: 0 }), gpu.limits);
  const engine = await TrainEngine.create(gpu, plan);
  engine.initialise(0);
  const tensors = new Map((await engine.save()).filter(([name]) => /^(weights|running)\//.test(name)));
  engine.destroy();
  const { inputChannels, classes } = network, classNames = Array.from({ length: classes }, (_, i) => `class ${i}`);
  const mean = new Array<number>(inputChannels).fill(0.5), std = new Array<number>(inputChannels).fill(0.25);
  return {
    model: { network, classNames, mean, std, version: "bench", notes: {}, tensors },
    parameters: plan.parameters,
  };
}

/** Images that predictions are timed with. */
const IMAGES = 256;

/** A prediction of one image, of many in a row. */
async function prediction(gpu: Gpu, { network, name }: Size): Promise<Timing> {
  const { model, parameters } = await freshModel(gpu, network), { inputChannels, height, width } = network;
  const pixels = Uint8Array.from({ length: IMAGES * inputChannels * height * width }, (_, i) => i * 7919 % 251);
  const images = { images: pixels, count: IMAGES }, batch = value("batch") ? Number(value("batch")) : undefined;
  await using predictor = await Predictor.open(model, { gpu });
  const run = async () => void await predictor.probabilities(images, { batch }), spans: Span[] = [];
  for (let i = -1; i < steps; i++) {
    const span = await measure(run, () => Promise.resolve());
    if (i >= 0) spans.push(span);
  }
  if (profiled) {
    const n = batch ?? 16, { graph, logits, values } = buildInference(model, n, name, "bf16"), pool = new Pool();
    const { plan } = finishProgram("predict", graph, [], { logits }, gpu.limits, pool);
    const runtime = await Runtime.create(gpu, [plan], pool);
    for (const [arena, data] of values) runtime.write(arena, data);
    await printProfile(gpu, `${name}, prediction of ${n} images`, plan, () => runtime.profile("predict"), flags);
    runtime.destroy();
  }
  const { milliseconds, cpuMilliseconds } = medianSpan(spans);
  return { ms: milliseconds / IMAGES, cpuMs: cpuMilliseconds / IMAGES, parameters };
}

/** Batches of which the peers may take what is fastest. */
const PEER_BATCHES = [16, 64];

async function torch({ software }: Gpu, { network, batch }: Size, what: What): Promise<Timing | undefined> {
  const batches = what === "train" ? [batch] : PEER_BATCHES, device = software ? "cpu" : "cuda";
  const request = { network, steps, what, threads, batches, device };
  try {
    const args = ["bench/pytorch_networks.py"];
    const child = new Deno.Command(python, { args, stdin: "piped", stdout: "piped" }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
    await writer.close();
    const { success, stdout } = await child.output();
    return success ? JSON.parse(new TextDecoder().decode(stdout)) : undefined;
  } catch {
    return undefined;
  }
}

/** Put together at run time, so that it stays out of the lock file (see tests/export/onnx_support.ts). */
const ONNX_RUNTIME = ["npm:onnxruntime-node", "1.30.0"].join("@");

/** ONNX Runtime on our own export; undefined where it may not be loaded. */
async function onnxRuntime(gpu: Gpu, { network }: Size): Promise<Timing | undefined> {
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  const ort = await import(ONNX_RUNTIME).catch(() => undefined), { inputChannels, height, width } = network;
  if (!ort) return undefined;
  const { model, parameters } = await freshModel(gpu, network),
    options = { intraOpNumThreads: threads, logSeverityLevel: 3 };
  const session = await ort.InferenceSession.create(exportOnnx(model), options);
  let best: Timing | undefined;
  for (const batch of PEER_BATCHES) {
    const shape = [batch, inputChannels, height, width],
      data = new Float32Array(shape.reduce((a, b) => a * b)).fill(0.1);
    const feeds = { [session.inputNames[0]]: new ort.Tensor("float32", data, shape) }, spans: Span[] = [];
    for (let i = -2; i < steps; i++) {
      const span = await measure(async () => void await session.run(feeds), () => Promise.resolve());
      if (i >= 0) spans.push(span);
    }
    const { milliseconds, cpuMilliseconds } = medianSpan(spans), ms = milliseconds / batch;
    if (!best || ms < best.ms) best = { ms, cpuMs: cpuMilliseconds / batch, parameters };
  }
  await session.release();
  return best;
}

const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b);
const text = (values: readonly number[], digits: number): string => {
  const [least, middle, most] = [values[0], values[values.length >> 1], values.at(-1)!].map((v) => v.toFixed(digits));
  return values.length > 1 ? `${middle} (${least} to ${most})` : middle;
};

const gpu = await openGpu(), peers = !flags.has("--no-peers");
if (!flags.has("--json")) {
  console.log(
    `${gpu.name}; ms of a training step or of one image, medians of ${steps} in each of ${calls} calls; CPU: ms of all`,
  );
  console.log(
    "threads; PyTorch and ONNX Runtime: with channels_last, the faster of plain and frozen, of batches of 16 and 64",
  );
  console.log("| network | what | batch | ours | CPU | PyTorch | CPU | ratio | ONNX Runtime | CPU | ratio |");
  console.log(`|${" - |".repeat(11)}`);
}
for (const each of SIZES.filter(({ name }) => name.includes(value("only") ?? ""))) {
  const one = value("batch") ? { ...each, batch: Number(value("batch")) } : each;
  for (const what of WHAT.filter((w) => w === (value("what") ?? w))) {
    const mine: Timing[] = [], theirs: Timing[] = [], onnx: Timing[] = [];
    for (let call = 0; call < calls; call++) {
      mine.push(await (what === "train" ? trainStep : prediction)(gpu, one));
      const other = peers ? await torch(gpu, one, what) : undefined;
      if (other) theirs.push(other);
      const third = peers && what === "predict" ? await onnxRuntime(gpu, one) : undefined;
      if (third) onnx.push(third);
    }
    if (theirs.some(({ parameters }) => parameters !== mine[0].parameters)) {
      throw new Error(`'${one.name}' has ${mine[0].parameters} weights here and ${theirs[0].parameters} in PyTorch`);
    }
    if (flags.has("--json")) {
      console.log(JSON.stringify({ name: one.name, what, batch: one.batch, ours: mine, pytorch: theirs, onnx }));
      continue;
    }
    const digits = what === "train" ? 1 : 2;
    const times = (list: readonly Timing[]) =>
      list.length
        ? [text(sorted(list.map((t) => t.ms)), digits), text(sorted(list.map((t) => t.cpuMs)), digits)]
        : ["-", "-"];
    const ratio = (list: readonly Timing[]) =>
      list.length ? text(sorted(mine.map((t, i) => t.ms / list[i].ms)), 2) : "-";
    const batch = what === "train" ? one.batch : "-";
    const row = [one.name, what, batch, ...times(mine), ...times(theirs), ratio(theirs), ...times(onnx), ratio(onnx)];
    console.log(`| ${row.join(" | ")} |`);
  }
}
gpu.device.destroy();
