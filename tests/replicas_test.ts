/** Trainings of several replicas: what is averaged, that nothing else changes, and that the same seed gives the same bits. */
import assert from "node:assert/strict";
import { openGpu } from "../src/gpu/device.ts";
import { RunFolder } from "../src/run/run_folder.ts";
import { PLAIN_RESIDUAL } from "../src/auto/candidates.ts";
import { DARTS_V2 } from "../src/space/published.ts";
import { Batcher } from "../src/data/batches.ts";
import { datasetOf } from "../src/data/labelled_images.ts";
import { resolveTrainConfig } from "../src/train/config.ts";
import { TrainEngine } from "../src/train/engine.ts";
import { planTraining } from "../src/train/programs.ts";
import { networkConfig } from "../src/train/setup.ts";
import { averaged, Replicas, type State } from "../src/train/replicas.ts";
import type { TrainOptions } from "../src/train/options.ts";
import type { TrainResult, TrainRunOptions } from "../src/train/records.ts";
import { trainWith } from "../src/train/train.ts";
import { halves, stateOf } from "./search_support.ts";

const gpu = await openGpu();
const OPTIONS: TrainOptions = {
  ...{ cells: 3, initChannels: 4, batchSize: 8, lr: 0.05, pad: 0, flip: "off", cutout: 0, valImages: 0 },
  ...{ auxiliaryWeight: 0, dropPath: 0, seed: 5 },
};
const DATA = { train: halves(192, [1, 8, 8], { levels: [80, 130], std: 0.15 }) };
const tensorsOf = ({ model }: TrainResult): unknown => [...model.tensors];

Deno.test("states are averaged, tallies added up, and the first bad step is the first of all", () => {
  const of = (weight: number, tally: number[]): Float32Array<ArrayBuffer>[] => [
    Float32Array.of(weight, 2 * weight),
    Float32Array.from([...tally, 0, 0, 0]),
  ];
  const [weights, tallies] = averaged([of(1, [2, 3, 8, 4, 0]), of(4, [5, 1, 8, 4, 7]), of(1, [0, 0, 8, 4, 6])]);
  assert.deepEqual([...weights], [2, 4]);
  assert.deepEqual([...tallies], [7, 4, 24, 4, 6, 0, 0, 0]);
});

Deno.test("replicas that see the same come to what one engine comes to", async () => {
  const config = resolveTrainConfig({ ...OPTIONS, replicas: 3 });
  const network = networkConfig(config, PLAIN_RESIDUAL, { classes: 2, channels: 1, height: 8, width: 8 });
  const plan = planTraining(network, 8, config, gpu.limits), engine = await TrainEngine.create(gpu, plan);
  const batcher = new Batcher(await datasetOf(DATA.train), {
    batch: 8,
    seed: 1,
    stream: "x",
    shuffle: true,
    last: "drop",
  });
  engine.initialise(3);
  using replicas = await Replicas.open(3);
  await replicas.begin(network, config, 8);
  await replicas.load(await engine.shared());
  let state: State = [];
  for (let step = 0; step < 4; step++) {
    const host = batcher.host();
    batcher.fill(0, step, host.images, host.labels);
    await engine.step(host, 0.1, step);
    for (let i = 0; i < 3; i++) replicas.step(i, host, null, 0.1, step);
    if (step % 2 === 1) state = await replicas.meet();
  }
  const alone = await engine.shared(), tally = (values: Float32Array): number[] => [...values.subarray(0, 3)];
  for (const k of [0, 1, 2]) assert.deepEqual(state[k], alone[k]);
  assert.ok(alone[1].some((value) => value !== 0));
  tally(alone[3]).forEach((value, i) => assert.ok(Math.abs(tally(state[3])[i] - 3 * value) < 1e-5 * value));
  engine.destroy();
});

Deno.test("replicas: the same seed gives the same bits, stopped between two rounds or not, and each sees its own images", async () => {
  using replicas = await Replicas.open(2);
  const config: TrainOptions = { ...OPTIONS, replicas: 2, epochs: 4, dropPath: 0.2, pad: 1, flip: "on" };
  const of = (options: TrainOptions, run: TrainRunOptions = {}): Promise<TrainResult> =>
    trainWith(replicas, { ...config, ...options }, DARTS_V2, DATA, { gpu, ...run });
  const path = Deno.makeTempDirSync({ prefix: "replicas-" }), other = Deno.makeTempDirSync({ prefix: "replicas-" });
  let bits: unknown;
  {
    using folder = RunFolder.create(path);
    const whole = await of({}, { folder });
    assert.equal(whole.epochs[0].step, 12, "an epoch is one pass: 192 images, two batches of 8 a step");
    assert.ok(whole.epochs.at(-1)!.trainLoss < whole.epochs[0].trainLoss);
    bits = [tensorsOf(whole), stateOf(folder)];
  }
  {
    using folder = RunFolder.create(other);
    const stop = new AbortController(), reason = new Error("enough");
    let stopped = 0;
    await assert.rejects(
      of({}, {
        folder,
        signal: stop.signal,
        onEpoch: ({ epoch }) => epoch === 2 && setTimeout(() => stop.abort(reason), 0),
        onStopped: (step) => stopped = step,
      }),
      (error) => error === reason,
    );
    assert.ok(stopped === 24 || stopped === 32 || stopped === 36, `a whole state: ${stopped}`);
    const rest = await of({}, { folder });
    assert.deepEqual([tensorsOf(rest), stateOf(folder)], bits);
  }
  assert.notDeepEqual(tensorsOf(await of({ replicas: 1, epochs: 1 })), tensorsOf(await of({ epochs: 1 })));
});
