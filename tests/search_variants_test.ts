/**
 * What a search can do besides the published recipe: frozen alphas at the start, second-order gradients, the options
 * of PC-DARTS, stopping early. Each one resumes to the same bits.
 */
import assert from "node:assert/strict";
import {
  type Checkpoint,
  type EpochRecord,
  openGpu,
  planSearch,
  rediscretize,
  RunFolder,
  search,
  type SearchConfig,
  type SearchResult,
  UsageError,
} from "../mod.ts";
import { stopReason } from "../src/search/stopping.ts";
import { mixtureWeights } from "../src/discretize/mixture.ts";
import { PERTURBATION } from "../src/discretize/perturbation.ts";
import { rulesOf } from "../src/discretize/registry.ts";
import { withoutRemoved } from "../src/discretize/removals.ts";
import type { Rule } from "../src/discretize/rule.ts";
import { pack } from "../src/graph/tensor_type.ts";
import { SearchEngine } from "../src/search/engine.ts";
import { supernetConfig, wholeBatches } from "../src/search/search.ts";
import { edgesOf } from "../src/space/space.ts";
import { hasBypass } from "../src/space/supernet.ts";
import { bitsOf, DATA, interrupted, message, STEPS, tiny } from "./search_support.ts";

const gpu = await openGpu();

const TEMPORARY = Deno.makeTempDirSync({ prefix: "variants-" });
Deno.test.afterAll(() => Deno.removeSync(TEMPORARY, { recursive: true }));

/** A run folder that was stopped after `stop` steps. */
async function stopped(config: SearchConfig, stop: number): Promise<RunFolder> {
  const path = Deno.makeTempDirSync({ dir: TEMPORARY }), epoch = Math.floor(stop / STEPS), step = stop % STEPS;
  await interrupted(path, (options) => search(config, DATA, { gpu, ...options }), epoch, step);
  const folder = RunFolder.open(path);
  assert.equal(folder.readCheckpoint()!.step, stop);
  return folder;
}

/** A search to its end: without a break, or from `folder`. */
async function finish(config: SearchConfig, stop?: RunFolder) {
  using folder = stop ?? RunFolder.create(Deno.makeTempDirSync({ dir: TEMPORARY }));
  const result: SearchResult = await search(config, DATA, { gpu, folder });
  const records = folder.readMetrics() as unknown as EpochRecord[], { tensors } = folder.readCheckpoint()!;
  return { result, bits: bitsOf(folder, result), records, tensors };
}

function alphasOf({ tensors }: Pick<Checkpoint, "tensors">): number[] {
  return ["normal", "reduce"].flatMap((kind) => [...tensors.get(`alphas/${kind}`)!.data as Float32Array]);
}

Deno.test("warm-up: the alphas stay, then take a first step of Adam, and a resumed search has the same bits", async () => {
  const config = tiny({ alphaWarmupEpochs: 1, epochs: 2, checkpointSteps: 1 });
  using frozen = await stopped(config, STEPS - 1);
  using begun = await stopped(config, STEPS + 1);
  const [first, moved] = [frozen, begun].map((folder) => alphasOf(folder.readCheckpoint()!));
  assert.ok(first.every((a) => Math.abs(a) < 0.01) && first.some((a) => a !== 0), "as they were drawn");
  // Adam's first step has the length of its learning rate, whatever the gradient; as step 7 it would be 1.3 times that.
  const lengths = moved.map((a, i) => Math.abs(a - first[i]) / config.alphaLr).filter((l) => l > 0);
  assert.ok(lengths.length > 0 && lengths.every((l) => Math.abs(l - 1) < 0.01), lengths.join(" "));

  const whole = await finish(config);
  assert.deepEqual(whole.records.map(({ valLoss, valAccuracy }) => [valLoss === null, valAccuracy === null]), [
    [true, true],
    [false, false],
  ]);
  for (const folder of [frozen, begun]) assert.deepEqual((await finish(config, folder)).bits, whole.bits);
});

Deno.test("second order: it searches another way, and a resumed search has the same bits", async () => {
  const values = { epochs: 1, checkpointSteps: 1 }, config = tiny({ ...values, order: 2 });
  const whole = await finish(config), first = await finish(tiny(values));
  assert.notDeepEqual(whole.records[0].meanWeights, first.records[0].meanWeights);
  assert.deepEqual((await finish(config, await stopped(config, 3))).bits, whole.bits);
});

Deno.test("second order: looking ahead leaves weights, momenta and running statistics alone", async () => {
  const values = { epochs: 1, alphaLr: 0 }, [one, two] = [1, 2].map((order) => tiny({ ...values, order }));
  const trained = async (config: SearchConfig) => {
    const { tensors } = await finish(config);
    return [...tensors].filter(([name]) => /^(weights|momentum|running)\//.test(name));
  };
  assert.deepEqual(await trained(two), await trained(one));
});

Deno.test("stopping: it is the beginning of the whole search, and ends there however often it is resumed", async () => {
  const values = { epochs: 4, alphaLr: 1e-6, discretizer: "alpha", checkpointSteps: 1 }; // slow: settled at once
  const whole = await finish(tiny(values)), config = tiny({ ...values, stopStableEpochs: 2 });
  const ends = [1, 2, 3, 4].find((n) => stopReason(config, whole.records.slice(0, n)))!;
  assert.ok(ends < 4, "the test needs a choice that settles");
  assert.equal(whole.result.stopped.rule, "epochs");

  const begun = await stopped(config, ends * STEPS - 1), path = begun.path, early = await finish(config, begun);
  assert.deepEqual([early.result.stopped.rule, early.result.stopped.epoch], ["stable", ends]);
  const timeless = (records: readonly EpochRecord[]) => records.map(({ secondsPerStep: _, ...rest }) => rest);
  assert.deepEqual(timeless(early.records), timeless(whole.records.slice(0, ends)));
  const again = await finish(config, RunFolder.open(path));
  assert.deepEqual(again.bits, early.bits);
  assert.deepEqual(again.result.stopped, early.result.stopped);
});

for (const order of [1, 2]) {
  Deno.test(`edge weights, order ${order}: they are learnt and recorded, and a resumed search has the same bits`, async () => {
    const config = tiny({ epochs: 1, checkpointSteps: 1, order, edgeWeights: true, alphaInit: 0 });
    const whole = await finish(config), [{ edgeWeights }] = whole.records;
    for (const kind of ["normal", "reduce"] as const) {
      const weights = edgeWeights![kind];
      assert.deepEqual(whole.result.report.weights[kind].map((e) => e.edgeWeight), weights);
      for (const [first, end] of [[0, 2], [2, 5], [5, 9], [9, 14]]) {
        const node = weights.slice(first, end), uniform = 1 / node.length;
        assert.ok(Math.abs(node.reduce((a, b) => a + b) - 1) < 1e-12);
        assert.ok(node.some((weight) => Math.abs(weight - uniform) > 1e-3), node.join(" "));
      }
      const { data } = whole.tensors.get(`alphas/betas.${kind}`)!;
      assert.ok((data as Float32Array).every((beta) => beta !== 0));
    }
    assert.deepEqual((await finish(config, await stopped(config, 3))).bits, whole.bits);
  });
}

Deno.test("partial channels: the operations have fewer weights, and a resumed search has the same bits", async () => {
  const values = { epochs: 1, checkpointSteps: 1, order: 2 }, all = await finish(tiny(values));
  for (const weighted of [false, true]) {
    const config = tiny({ ...values, partialChannels: 2, edgeWeights: weighted }), whole = await finish(config);
    const rows = ({ tensors }: typeof whole) => tensors.get("weights/cells.0.from0.sep_conv_3x3.pw1")!.shape;
    assert.deepEqual([rows(whole), rows(all)], [[4, 1], [8, 2]]);
    assert.deepEqual((await finish(config, await stopped(config, 3))).bits, whole.bits);
    for (const { rSquared } of whole.result.report.nodes!.normal) assert.ok(Math.abs(rSquared.mean - 1) < 1e-2);
  }
  const net = supernetConfig(tiny({ partialChannels: 3 }), DATA), { limits } = gpu;
  assert.throws(
    () => planSearch(net, tiny(), limits),
    message(/^Cannot use partialChannels as it must be a divisor of initChannels 2: current value is 3$/, UsageError),
  );
});

Deno.test("partial channels, edge weights: the supernet with the mixture of the host is that of the device", async () => {
  for (const [channels, weighted] of [[2, false], [1, true], [2, true]] as const) {
    const options = { partialChannels: channels, edgeWeights: weighted };
    const config = tiny({ ...options, alphaInit: 1, precision: "f32" }), net = supernetConfig(config, DATA);
    const engine = await SearchEngine.create(gpu, planSearch(net, config, gpu.limits));
    try {
      engine.initialise(1, config.alphaInit);
      const batch = (await wholeBatches(DATA, Uint32Array.from({ length: 8 }, (_, i) => i), 8, 8, 0).next()).value!;
      const losses: number[] = [], architecture = await engine.architecture();
      const mixture = (kind: "normal" | "reduce", input = architecture) =>
        mixtureWeights(net.space, kind, input, hasBypass(net));
      const flat = { alphas: architecture.alphas }, edges = edgesOf(net.space).map(({ index }) => index);
      const none = { kind: "normal", edge: 0, op: null } as const;
      for (
        const weights of [
          undefined,
          { normal: mixture("normal"), reduce: mixture("reduce") },
          { normal: mixture("normal", flat), reduce: mixture("reduce", flat) },
          {
            normal: edges.reduce((left, edge) => withoutRemoved(net.space, left, { ...none, edge }), mixture("normal")),
            reduce: mixture("reduce"),
          },
        ]
      ) {
        engine.resetTallies("eval");
        await engine.evaluate(batch, weights);
        losses.push((await engine.tallies()).eval.loss);
      }
      const [device, host, unweighted, empty] = losses;
      assert.ok(Math.abs(device - host) < 1e-6, losses.join(" "));
      assert.equal(Math.abs(host - unweighted) > 1e-5, weighted, losses.join(" "));
      assert.ok(Math.abs(host - empty) > 1e-5, losses.join(" "));
    } finally {
      engine.destroy();
    }
  }
});

Deno.test("a step waits for its own shaders only, and for none the second time", async () => {
  const config = tiny(), plan = planSearch(supernetConfig(config, DATA), config, gpu.limits);
  const engine = await SearchEngine.create(gpu, plan), { runtime } = engine, seconds: number[] = [];
  try {
    engine.initialise(0, 1e-3);
    const indices = Uint32Array.from({ length: config.batchSize }, (_, i) => i);
    for await (const batch of wholeBatches(DATA, indices, config.batchSize, config.batchSize, 0)) {
      const rates = { weightLr: 0.1, alphaLr: 1e-3, alphaStep: 1, alphaBeta1: 0.5, alphaBeta2: 0.999 };
      const steps = [() => engine.weightStep(batch, 0.1, 0), () => engine.step(batch, batch, rates)];
      for (const step of [steps[0], steps[0], steps[1], steps[1]]) {
        seconds.push(runtime.compileSeconds);
        if (seconds.length < 4) assert.throws(() => runtime.run("alpha_step"), /not prepared/);
        await step();
      }
    }
    seconds.push(runtime.compileSeconds);
    const compiled = seconds.slice(1).map((now, i) => now > seconds[i]);
    assert.deepEqual([seconds[0], ...compiled], [0, true, false, true, false]);
  } finally {
    engine.destroy();
  }
});

Deno.test("perturbation: a removal is what alphas say that prefer none instead", async () => {
  // Weights that are equal but for their last bit may lead to other activations where these are rounded to bf16.
  const config = tiny({ precision: "f32" }), plan = planSearch(supernetConfig(config, DATA), config, gpu.limits);
  const engine = await SearchEngine.create(gpu, plan), { space } = plan.config, width = space.primitives.length;
  try {
    engine.initialise(3, 1);
    const indices = Uint32Array.from({ length: 16 }, (_, i) => i);
    const batches = () => wholeBatches(DATA, indices, 16, config.batchSize, 0);
    for (let i = 0; i < 10; i++) for await (const batch of batches()) await engine.weightStep(batch, 0.1, i);
    const measure = async () => {
      engine.resetTallies("eval");
      for await (const batch of batches()) await engine.evaluate(batch);
      return (await engine.tallies()).eval;
    };
    const progress: string[] = [];
    const { whole, removals } = await engine.removals(batches, (done, all) => progress.push(`${done}/${all}`));
    assert.deepEqual([progress[0], progress.at(-1), progress.length], ["1/85", "85/85", 85]);
    const plain = await measure();
    assert.ok(Math.abs(whole.loss - plain.loss) < 1e-5 && whole.accuracy === plain.accuracy && whole.count === 16);

    // The weight of what is removed goes to none, which adds nothing: softmax then gives the same sums.
    const { alphas } = await engine.architecture(), { arenas } = plan;
    for (
      const [kind, edge, op] of [["normal", 3, "sep_conv_3x3"], ["reduce", 0, "skip_connect"], ["normal", 9, null]]
    ) {
      const values = alphas[kind as "normal"].slice(),
        row = Number(edge) * width,
        gone = op === null ? [1, 2] : [
          space.primitives.indexOf(String(op)),
        ];
      values[row] = Math.log([0, ...gone].reduce((sum, k) => sum + Math.exp(values[row + k]), 0));
      for (const k of gone) values[row + k] = -1e4;
      for (const v of arenas.alphas.variables) {
        const now = v.name === kind ? values : alphas[v.name as "normal"];
        engine.runtime.write(v, pack(v.type, now) as Float32Array<ArrayBuffer>);
      }
      const expected = await measure();
      const found = removals.find((r) => r.kind === kind && r.edge === edge && r.op === op)!;
      assert.ok(Math.abs(found.loss - expected.loss) < 1e-5, `${kind} ${edge} ${op}: ${found.loss}, ${expected.loss}`);
      assert.ok(Math.abs(found.loss - whole.loss) > 1e-4, `the removal matters: ${found.loss}, ${whole.loss}`);
    }
  } finally {
    engine.destroy();
  }
});

Deno.test("perturbation: decides at the end of a search, again from its checkpoint, and only when asked", async () => {
  const values = { epochs: 1, discretizer: "perturbation", perturbationImages: 16 };
  const { result, records, tensors } = await finish(tiny(values)), { report, genotype } = result;
  const free = rulesOf().map(({ name }) => name);
  assert.deepEqual(report.methods.map((m) => m.method), [...free, "perturbation"]);
  assert.deepEqual(genotype, report.methods.at(-1)!.genotype);
  assert.deepEqual(Object.keys(records[0].genotypes), free, "not in epochs");
  const again = await rediscretize(tiny(values), DATA, { tensors }, {
    gpu,
    methods: rulesOf(undefined, "perturbation"),
  });
  assert.deepEqual(again, report);
  const other = await rediscretize(tiny(values), DATA, { tensors }, { gpu });
  assert.deepEqual(other.methods, report.methods.slice(0, free.length));
  assert.throws(
    () => tiny({ ...values, stopSkips: 2 }),
    message(/^Cannot use stopSkips with .* perturbation/, UsageError),
  );
});

Deno.test("a rule of one's own decides after every epoch, at the end, and again from the checkpoint", async () => {
  const config = { ...tiny({ epochs: 2, seed: 9 }), discretizer: "last" };
  const last: Rule = {
    name: "last",
    summary: "the last operation",
    score: ({ candidates }) => candidates.map((_, k) => k),
  };
  const missed: Rule = { ...PERTURBATION, name: "missed" };
  using folder = RunFolder.create(Deno.makeTempDirSync({ dir: TEMPORARY }));
  const methods = ["alpha", last, missed], { genotype, report } = await search(config, DATA, { gpu, folder, methods });
  assert.deepEqual(report.methods.map(({ method }) => method), ["alpha", "last", "missed"]);
  assert.deepEqual(genotype, report.methods[1].genotype);
  const kept = (node: number) => [1, 0].map((i) => ({ op: "sep_conv_3x3", from: node + i }));
  assert.deepEqual(genotype.normal.nodes, [0, 1, 2, 3].map(kept));
  const records = folder.readMetrics() as unknown as EpochRecord[];
  assert.deepEqual(records.map(({ genotypes }) => Object.keys(genotypes)), Array(2).fill(["alpha", "last"]));
  assert.ok(report.measured, "what one of them needs was measured");
  const { tensors } = folder.readCheckpoint()!;
  assert.deepEqual(await rediscretize(config, DATA, { tensors }, { gpu, methods }), report);
  await assert.rejects(
    search(config, DATA, { gpu, methods: ["alpha"] }),
    message(/current value is 'last'/, UsageError),
  );
});

Deno.test("warm-up: one that leaves no epoch for the architecture is refused", () => {
  assert.throws(
    () => tiny({ alphaWarmupEpochs: 3 }),
    message(/^Cannot use alphaWarmupEpochs .* less than epochs 3/, UsageError),
  );
});
