/**
 * Programs against the main entry alone, as somebody writes them who has read nothing but `deno doc idarts.ts`: a
 * search on images in memory with a rule and a space of one's own; a training whose model predicts from bytes; a search
 * that is stopped and gone on with; a study. They import nothing else of the project.
 * @module
 */
import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import {
  decodeModel,
  encodeModel,
  formatGenotypeText,
  type LabelledImages,
  openRun,
  Predictor,
  randomGenotype,
  rediscretize,
  type Rule,
  RunFolder,
  runReport,
  runStudy,
  search,
  type SearchOptions,
  type SearchResult,
  SPACES,
  train,
} from "../idarts.ts";

const SIDE = 8, CLASSES = ["above", "below"];

/** Pixels of an image that is bright in its upper half (class 0) or in its lower one (class 1). */
function halfImage(index: number): Uint8Array {
  return Uint8Array.from({ length: SIDE * SIDE }, (_, p) => {
    const lower = p >= SIDE * SIDE / 2 ? 1 : 0, grain = (p * 7919 + index * 104729) % 41;
    return (lower === index % 2 ? 170 : 50) + grain;
  });
}

function halves(count: number): LabelledImages {
  const images = new Uint8Array(count * SIDE * SIDE);
  for (let i = 0; i < count; i++) images.set(halfImage(i), i * SIDE * SIDE);
  const labels = Array.from({ length: count }, (_, i) => i % 2);
  return { images, labels, classNames: CLASSES, channels: 1, height: SIDE, width: SIDE };
}

const SMALL = { cells: 3, initChannels: 2, batchSize: 8, epochs: 2, stepsPerEpoch: 4, pad: 1 } satisfies SearchOptions;

Deno.test("program: a search on images in memory, with a rule and a space of one's own", async () => {
  const rule: Rule = {
    name: "least-alike",
    summary: "the candidate whose output resembles those of the others least",
    needs: ["statistics"],
    score({ candidates, correlations }) {
      const likeness = (k: number) => {
        const of = correlations.map(({ matrix }) =>
          candidates.reduce((sum, _, j) => sum + Math.abs(matrix[k * candidates.length + j]), 0)
        );
        return of.reduce((a, b) => a + b, 0) / of.length;
      };
      return candidates.map((_, k) => -likeness(k));
    },
  };
  const space = { name: "mine", nodes: 2, primitives: ["skip_connect", "avg_pool_3x3", "sep_conv_3x3"] };
  const epochs: number[] = [];
  const { genotype, report } = await search({ ...SMALL, space, discretizer: rule.name }, halves(64), {
    methods: ["alpha", rule],
    onEpoch: ({ epoch, genotypes }) => {
      epochs.push(epoch);
      assert.deepEqual(Object.keys(genotypes), ["alpha", "least-alike"]);
    },
  });
  assert.deepEqual(epochs, [1, 2]);
  assert.deepEqual([report.space, report.methods.map(({ method }) => method)], ["mine", ["alpha", "least-alike"]]);
  assert.deepEqual(genotype, report.methods[1].genotype);
  assert.equal(formatGenotypeText(genotype), report.methods[1].text);
  for (const { scores, choices } of report.methods[1].nodes.normal) {
    assert.ok(scores.every(({ score }) => score <= -1), "each is as like itself as can be");
    const best = Math.max(...scores.map(({ score }) => score));
    assert.equal(choices[0].score, best);
  }
});

/** A grey PNG, as a browser or a camera would send one. */
function png(pixels: Uint8Array): Uint8Array {
  const table = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n;
  });
  const chunk = (type: string, body: Uint8Array): number[] => {
    const named = [...new TextEncoder().encode(type), ...body];
    const crc = ~named.reduce((c, byte) => table[(c ^ byte) & 255] ^ (c >>> 8), -1);
    const word = (n: number) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
    return [...word(body.length), ...named, ...word(crc)];
  };
  const rows = Array.from({ length: SIDE }, (_, y) => [0, ...pixels.subarray(y * SIDE, (y + 1) * SIDE)]);
  return Uint8Array.from([
    ...[137, 80, 78, 71, 13, 10, 26, 10],
    ...chunk("IHDR", Uint8Array.of(0, 0, 0, SIDE, 0, 0, 0, SIDE, 8, 0, 0, 0, 0)),
    ...chunk("IDAT", deflateSync(Uint8Array.from(rows.flat()))),
    ...chunk("IEND", new Uint8Array()),
  ]);
}

Deno.test("program: a network is trained in memory, goes into bytes and back, and predicts from the bytes of files", async () => {
  const s3 = SPACES.find(({ name }) => name === "s3")!;
  const options = {
    initChannels: 4,
    cells: 3,
    batchSize: 16,
    epochs: 6,
    lr: 0.1,
    auxiliaryWeight: 0,
    dropPath: 0,
    pad: 0,
  };
  const { model, best, epochs } = await train(options, randomGenotype(s3, 1), { train: halves(160) });
  assert.equal(epochs.length, 6);
  assert.ok(best && best.accuracy > 0.9, `accuracy ${best?.accuracy}`);
  const bytes = encodeModel(model); // to be sent, or kept in a database
  await using predictor = await Predictor.open(decodeModel(bytes, "the model"));
  const found = await predictor.predict([1000, 1001, 1002, 1003].map((i) => png(halfImage(i))));
  assert.deepEqual(found.map(({ className }) => className), ["above", "below", "above", "below"]);
  for (const { probability, probabilities } of found) {
    assert.equal(probability, Math.max(...probabilities));
    assert.ok(Math.abs(probabilities.reduce((a, b) => a + b, 0) - 1) < 1e-6);
  }
});

Deno.test("program: a search is stopped by its signal, and the same call goes on to the result of one that never stopped", async () => {
  const path = `${Deno.makeTempDirSync({ prefix: "programs-" })}/run`, data = halves(64), stop = new AbortController();
  const options = { ...SMALL, space: "s3", checkpointSteps: 1 } satisfies SearchOptions;
  const why = new Error("the machine is needed"), stops: number[] = [];
  await assert.rejects(
    search(options, data, {
      folder: path,
      signal: stop.signal,
      onProgress: ({ epoch, step }) => epoch === 1 && step === 2 && stop.abort(why),
      onStopped: (step) => stops.push(step),
    }),
    (error) => error === why,
  );
  const kept = RunFolder.view(path).readCheckpoint();
  assert.deepEqual([stops, kept?.step], [[6], 6]);
  const told: number[] = [];
  const whole = await search(options, data),
    resumed: SearchResult = await search(options, data, {
      folder: path,
      onEpoch: ({ epoch }) => told.push(epoch),
    });
  assert.deepEqual(told, [2], "the first epoch is not done again");
  assert.deepEqual(resumed.report, whole.report);

  const run = openRun(path);
  assert.ok(run.kind === "search" && run.config.checkpointSteps === 1);
  assert.deepEqual([run.epochs.length, run.genotype, run.outcome?.stopped?.rule], [2, whole.genotype, "epochs"]);
  const again = await rediscretize(run.config, data, run.folder.readCheckpoint()!, { methods: ["zca"] });
  assert.deepEqual(again.methods, whole.report.methods.filter(({ method }) => method === "zca"));
  assert.match(await runReport(path), /^<!doctype html>[^]*Why these operations[^]*<\/html>/i);

  const trained = `${path}-trained`, size = { initChannels: 4, cells: 3, batchSize: 16, epochs: 1, auxiliaryWeight: 0 };
  const { model } = await train(size, run.genotype!, { train: data, test: halves(20) }, { folder: trained });
  const opened = openRun(trained);
  assert.ok(opened.kind === "train" && opened.config.epochs === 1);
  assert.deepEqual([opened.genotype, opened.evaluation?.test?.count, opened.epochs.length], [run.genotype, 20, 1]);
  assert.deepEqual(opened.model().tensors, model.tensors);
  assert.match(await runReport(trained), /Confusion matrix/);
});

Deno.test("program: a study is run, and run again where there is nothing left to do", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "programs-" }), path = `${folder}/study`, done: string[] = [];
  for (const name of CLASSES) Deno.mkdirSync(`${folder}/images/${name}`, { recursive: true });
  for (let i = 0; i < 80; i++) Deno.writeFileSync(`${folder}/images/${CLASSES[i % 2]}/${i}.png`, png(halfImage(i)));
  const text = `
search:
  { data: "${folder}/images", image-size: 8, space: s3, cells: 3, init-channels: 2, batch-size: 8, epochs: 1, steps-per-epoch: 2, eval-images: 16,
    probe-images: 8, statistics-images: 8, perturbation-images: 8, discretizer: [alpha, perturbation] }
train: { init-channels: 4, cells: 3, batch-size: 8, epochs: 1, steps-per-epoch: 2, auxiliary-weight: 0 }
`;
  const onEvent = ({ event, kind }: { event: string; kind?: string }): void => {
    if (event !== "begin") done.push(`${kind} ${event}`);
  };
  const { files, notBegun } = await runStudy(text, path, { onEvent });
  const read = () => JSON.parse(Deno.readTextFileSync(files.json)), results = read();
  assert.equal(notBegun.size, 0);
  assert.deepEqual(done.slice(0, 2), ["search done", "discretize done"]);
  assert.ok(done.length >= 3 && done.slice(2).every((each) => each === "train done"), done.join());
  assert.deepEqual(results.searches[0].rules.map((each: { rule: string }) => each.rule), ["alpha", "perturbation"]);
  assert.ok(
    results.trainings.length > 0 &&
      results.trainings.every((each: { split: string; accuracy: number }) =>
        each.split === "test" && each.accuracy >= 0
      ),
  );
  assert.match(Deno.readTextFileSync(files.html), /^<!doctype html>/i);
  done.length = 0;
  await runStudy(text, path, { onEvent });
  assert.deepEqual(read(), results);
  assert.deepEqual(done, []);
  await assert.rejects(runStudy(text, "tests"), /Cannot use 'tests' as the folder of a study/);
});
