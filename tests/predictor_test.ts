/**
 * The predictor: images of every kind take one way, what it needs is compiled once, and what it opened it closes.
 */
import assert from "node:assert/strict";
import {
  evaluateModel,
  FailureError,
  type LabelledImages,
  openGpu,
  Predictor,
  saveModel,
  train,
  UsageError,
} from "../mod.ts";
import { DARTS_V2 } from "../src/space/published.ts";
import { answersOf } from "../src/auto/trial.ts";
import { datasetOf } from "../src/data/labelled_images.ts";
import { loadImage } from "../src/data/load.ts";
import { partCosts } from "../src/report/run_report.ts";
import { costOf } from "../src/space/cost.ts";
import { ensembleOf, mirroredOf } from "../src/train/ensemble.ts";
import { loadModel, type Model } from "../src/train/model_file.ts";
import { encodePng, sampleJpeg } from "../src/data/testing.ts";
import { halves, message, predictImages } from "./search_support.ts";

const gpu = await openGpu();
const folder = Deno.makeTempDirSync({ prefix: "predictor-" });

/** A model of `channels` x `height` x `width` after two steps. */
async function modelOf(channels: number, height: number, width: number, seed = 0, from?: Model) {
  const { images, labels } = halves(48, [channels, height, width]), classNames = ["above", "below"];
  const size = {
    cells: 3,
    initChannels: 4,
    batchSize: 16,
    epochs: 1,
    stepsPerEpoch: 2,
    auxiliaryWeight: 0,
    valImages: 0,
    seed,
  };
  const data: LabelledImages = { images, labels, classNames, channels, height, width, name: "halves" };
  return { data, model: (await train(size, DARTS_V2, { train: data }, { gpu, from })).model };
}

const { model, data } = await modelOf(3, 8, 8), size = 3 * 8 * 8;

/** Pixels of 14 x 10 with an alpha of every kind, raw and as a file. */
const sample = (y: number, x: number, c: number): number =>
  c < 3 ? (37 * x + 11 * y + 60 * c) & 255 : [0, 255, 128, 3][(x + y) % 4];
const raw = {
  width: 14,
  height: 10,
  data: Uint8ClampedArray.from({ length: 4 * 140 }, (_, i) => sample((i >> 2) / 14 | 0, (i >> 2) % 14, i & 3)),
};
const png = encodePng({ width: 14, height: 10, depth: 8, colour: 6, sample });

/** Counts the shader modules that are made while `work` is done. */
async function modules(work: () => Promise<unknown>): Promise<number> {
  const { device } = gpu, make = device.createShaderModule;
  let count = 0;
  device.createShaderModule = (descriptor) => {
    count++;
    return make.call(device, descriptor);
  };
  try {
    await work();
  } finally {
    device.createShaderModule = make;
  }
  return count;
}

Deno.test("predictor: an image that cannot be read is left out, and the others keep their places", async () => {
  const { images, count, ...rest } = await datasetOf(data), seen: number[] = [];
  const stream = {
    load: (index: number) => Promise.resolve(index === 2 ? null : images.slice(index * size, (index + 1) * size)),
    close: () => {},
  };
  const streamed = { ...rest, images: new Uint8Array(), count, stream };
  const { predicted, rightProbability, correct, evaluation } = await answersOf(model, streamed, gpu);
  await evaluateModel(model, streamed, { gpu, batch: 5, onImage: (_row, _label, index) => void seen.push(index) });
  assert.deepEqual(seen, Array.from({ length: count }, (_, i) => i).filter((i) => i !== 2));
  const whole = await answersOf(model, { ...rest, images, count }, gpu);
  assert.deepEqual(predicted, whole.predicted.with(2, -1));
  assert.deepEqual(rightProbability, whole.rightProbability.with(2, NaN));
  assert.deepEqual([correct, evaluation.count], [Math.round(evaluation.accuracy * (count - 1)), count - 1]);
});

Deno.test("predictor: an ensemble says the mean of its members' logits, from its file too, and takes no other members", async () => {
  const second = await modelOf(3, 8, 8, 1), third = await modelOf(3, 8, 8, 2), path = `${folder}/ensemble.safetensors`;
  const members = [model, second.model, third.model], ensemble = ensembleOf(members), all: number[][] = [];
  for (const each of [...members, ensemble]) {
    const logits: number[] = [];
    await evaluateModel(each, data, { gpu, onImage: (row) => void logits.push(...row) });
    all.push(logits);
  }
  const said = all.pop()!, scale = Math.max(...said.map(Math.abs));
  said.forEach((value, i) => {
    const mean = all.reduce((sum, logits) => sum + logits[i], 0) / 3;
    assert.ok(Math.abs(value - mean) < 1e-2 * scale, `${value} is not ${mean}`); // activations are stored as bf16
  });
  assert.notDeepEqual(all[0], all[1]);
  saveModel(path, ensemble);
  const { network, tensors } = loadModel(path);
  assert.deepEqual([network, tensors], [ensemble.network, ensemble.tensors]);
  const [whole, one] = [network, model.network].map((each) => costOf(each));
  assert.deepEqual([whole.parameters, whole.macs], [3 * one.parameters, 3 * one.macs]);
  const [stem, ...parts] = partCosts(whole.layers), [stemOfOne, ...partsOfOne] = partCosts(one.layers);
  assert.deepEqual([stem.name, stem.parameters], [stemOfOne.name, 3 * stemOfOne.parameters]);
  assert.deepEqual(parts.map(({ name }) => name), [...partsOfOne.map(({ name }) => name), "members"]);
  assert.equal(ensembleOf([model]), model);
  const odd = await modelOf(1, 8, 8);
  const turned = { ...second.model, classNames: [...model.classNames].reverse() };
  for (const wrong of [[], [model, odd.model], [model, turned], [ensemble, ensemble]]) {
    assert.throws(() => ensembleOf(wrong), RangeError);
  }
});

Deno.test("predictor: a mirrored network says the mean of its logits for an image and its mirror image, an ensemble too", async () => {
  const { images, width } = data,
    turned = Uint8Array.from(images, (_, i) => images[i - i % width + width - 1 - i % width]);
  const logitsOf = async (each: Model, set: LabelledImages): Promise<number[]> => {
    const logits: number[] = [];
    await evaluateModel(each, set, { gpu, onImage: (row) => void logits.push(...row) });
    return logits;
  };
  for (const each of [model, ensembleOf([model, (await modelOf(3, 8, 8, 1)).model])]) {
    const mirrored = mirroredOf(each), path = `${folder}/mirrored.safetensors`;
    const [seen, other] = [await logitsOf(each, data), await logitsOf(each, { ...data, images: turned })];
    saveModel(path, mirrored);
    const read = loadModel(path), said = await logitsOf(read, data), scale = Math.max(...said.map(Math.abs));
    said.forEach((value, i) => {
      const mean = (seen[i] + other[i]) / 2;
      assert.ok(Math.abs(value - mean) < 1e-2 * scale, `${value} is not ${mean}`); // activations are stored as bf16
    });
    assert.notDeepEqual(seen, other);
    assert.deepEqual([read.network, read.tensors], [mirrored.network, mirrored.tensors]);
    assert.equal(mirroredOf(mirrored), mirrored);
    const [twice, once] = [mirrored, each].map(({ network }) => costOf(network));
    assert.deepEqual([twice.parameters, twice.macs], [once.parameters, 2 * once.macs]);
    const [parts, known] = [twice, once].map(({ layers }) => partCosts(layers).map(({ name }) => name));
    assert.deepEqual(parts.filter((name) => !["mirror", "views", "members", ...known].includes(name)), []);
    assert.equal(partCosts(twice.layers).reduce((sum, part) => sum + part.parameters, 0), twice.parameters);
    assert.throws(() => ensembleOf([mirrored, mirrored]), RangeError);
  }
});

Deno.test("training goes on from a network, not from one whose classifier is halved", async () => {
  const { model: next } = await modelOf(3, 8, 8, 0, model);
  assert.notDeepEqual(next.tensors, model.tensors);
  await assert.rejects(modelOf(3, 8, 8, 0, mirroredOf(model)), (error: Error) => {
    return error instanceof UsageError && error.message.includes("looks at mirror images");
  });
});

Deno.test("predictor: a file, its bytes and its pixels are one image, prepared as data sets are", async () => {
  const path = `${folder}/image.png`, photo = `${folder}/photo.jpg`, jpeg = sampleJpeg(3, 33, 21);
  Deno.writeFileSync(path, png);
  Deno.writeFileSync(photo, jpeg);
  await using predictor = await Predictor.open(model, { gpu });
  const said = await predictor.predict([path, png, raw, photo, jpeg]);
  const prepared = await loadImage({ path, size: 8, channels: 3 });
  assert.deepEqual([...prepared.subarray(0, 4)].map(Number.isInteger), Array(4).fill(true));
  assert.deepEqual(await predictor.prepare(raw), prepared);
  const [row] = await predictImages(model, { images: prepared, count: 1 }, { gpu });
  for (const { probabilities } of said.slice(0, 3)) assert.deepEqual(probabilities, row);
  assert.deepEqual(said[3].probabilities, said[4].probabilities);
  assert.notDeepEqual(said[3].probabilities, row);
  for (const { className, probability, probabilities } of said) {
    assert.ok(Math.abs(probabilities.reduce((a, b) => a + b) - 1) < 1e-6);
    assert.equal(probability, Math.max(...probabilities));
    assert.equal(className, ["above", "below"][probabilities.indexOf(probability)]);
  }
  assert.deepEqual(await predictor.predict([]), []);
});

Deno.test("predictor: grey is grey from raw pixels too", async () => {
  const { model } = await modelOf(1, 8, 8), grey = (y: number, x: number): number => (20 * x + 9 * y) & 255;
  const file = encodePng({ width: 12, height: 9, depth: 8, colour: 0, sample: grey });
  const pixels = Uint8Array.from(
    { length: 4 * 108 },
    (_, i) => (i & 3) === 3 ? 255 : grey((i >> 2) / 12 | 0, (i >> 2) % 12),
  );
  await using predictor = await Predictor.open(model, { gpu });
  const [a, b] = await predictor.predict([file, { data: pixels, width: 12, height: 9 }]);
  assert.deepEqual(a.probabilities, b.probabilities);
});

Deno.test("predictor: programs are compiled once for a few sizes, with the bits of every other size", async () => {
  const images = data.images as Uint8Array,
    some = (count: number) => ({ images: images.slice(0, count * size), count });
  await using predictor = await Predictor.open(model, { gpu });
  assert.ok(await modules(() => predictor.probabilities(some(1))) > 0);
  assert.equal(await modules(() => predictor.probabilities(some(1))), 0);
  assert.ok(await modules(() => predictor.probabilities(some(7))) > 0);
  assert.equal(await modules(() => Promise.all([predictor.probabilities(some(5)), predictor.predict([png])])), 0);
  const all = await predictor.probabilities(some(48));
  assert.equal(all.length, 48);
  for (const batch of [1, 3, 7, 64]) {
    assert.deepEqual(await predictImages(model, some(48), { gpu, batch }), all, `batches of ${batch}`);
  }
  assert.deepEqual(await Promise.all([5, 1, 48].map((n) => predictor.probabilities(some(n)))), [
    all.slice(0, 5),
    all.slice(0, 1),
    all,
  ]);
});

Deno.test("predictor: answers are told in the order of the images, whichever comes first", async () => {
  const images = { images: data.images as Uint8Array, count: 48 }, map = GPUBuffer.prototype.mapAsync;
  const expected = await predictImages(model, images, { gpu });
  let calls = 0;
  GPUBuffer.prototype.mapAsync = async function (...args): Promise<undefined> {
    const late = calls++ % 2 === 0;
    await map.apply(this, args);
    if (late) await new Promise((resolve) => setTimeout(resolve, 50));
    return undefined;
  };
  try {
    assert.deepEqual(await predictImages(model, images, { gpu, batch: 8 }), expected);
    assert.equal(calls, 6);
  } finally {
    GPUBuffer.prototype.mapAsync = map;
  }
});

Deno.test("predictor: measures images in memory as evaluateModel does", async () => {
  await using predictor = await Predictor.open(model, { gpu });
  const seen: number[] = [];
  const measured = await predictor.evaluate(data, { batch: 20, onProgress: (done) => seen.push(done) });
  assert.deepEqual([measured.count, seen], [48, [20, 40, 48]]);
  assert.deepEqual(await evaluateModel(model, halves(48, [3, 8, 8]), { gpu }), measured);
  await assert.rejects(
    evaluateModel(model, { ...data, channels: 1 }, { gpu }),
    message(/length of its images/, UsageError),
  );
  await assert.rejects(predictor.evaluate(halves(4, [1, 8, 8])), message(/takes 3x8x8/, UsageError));
});

Deno.test("predictor: what it opened it closes, and nothing else", async () => {
  const file = `${folder}/model.safetensors`;
  saveModel(file, model);
  const open = { count: 0, destroyed: 0 }, request = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await request.call(this, descriptor), destroy = device.destroy;
    open.count++;
    device.destroy = () => {
      open.destroyed++;
      destroy.call(device);
    };
    return device;
  };
  try {
    {
      using predictor = await Predictor.open(file);
      assert.deepEqual(open, { count: 1, destroyed: 0 });
      assert.equal((await predictor.predict([png])).length, 1);
    }
    assert.deepEqual(open, { count: 1, destroyed: 1 });
    const closed = await Predictor.open(model, { gpu });
    const pending = closed.predict([png]);
    await closed.close();
    assert.equal((await pending).length, 1, "what runs is waited for");
    await assert.rejects(closed.predict([png]), /has been closed: open another one/);
    assert.deepEqual(open, { count: 1, destroyed: 1 });
  } finally {
    GPUAdapter.prototype.requestDevice = request;
  }
  assert.equal((await predictImages(model, { images: new Uint8Array(size), count: 1 }, { gpu })).length, 1);
});

Deno.test("predictor: a signal stops it with its reason, before anything is opened too", async () => {
  const reason = new Error("enough"), signal = AbortSignal.abort(reason), is = (error: unknown) => error === reason;
  await assert.rejects(Predictor.open(`${folder}/none`, { signal }), is);
  await assert.rejects(evaluateModel(model, data, { signal }), is);
  await assert.rejects(predictImages(model, { images: new Uint8Array(size), count: 1 }, { signal }), is);
  await using predictor = await Predictor.open(model, { gpu });
  await assert.rejects(predictor.predict([png], { signal }), is);
  const stop = new AbortController(), seen: number[] = [];
  const onProgress = (done: number) => {
    seen.push(done);
    if (done === 20) stop.abort(reason);
  };
  await assert.rejects(predictor.evaluate(data, { batch: 10, onProgress, signal: stop.signal }), is);
  assert.deepEqual(seen, [10, 20]);
  assert.equal((await predictor.predict([png])).length, 1, "it can be used again");
});

Deno.test("predictor: what is no image is refused by its place", async () => {
  await using predictor = await Predictor.open(model, { gpu });
  await assert.rejects(predictor.predict([png, new Uint8Array(9)]), message(/^Cannot read 'image 1' as /));
  await assert.rejects(predictor.predict([png.subarray(0, 90)]), message(/^Cannot read 'image 0' as /));
  await assert.rejects(
    predictor.predict([`${folder}/none.png`]),
    message(/none.png' as it does not exist/, FailureError),
  );
  await assert.rejects(
    predictor.predict([{ ...raw, width: 13 }]),
    message(/^Cannot read 'image 0' as its data must be 4 bytes .* each of its 13 x 10 pixels: .* is 560$/, UsageError),
  );
  await assert.rejects(
    predictor.predict([{ width: 0, height: 0, data: new Uint8Array() }]),
    message(/0 x 0/),
  );
  await assert.rejects(Predictor.open(`${folder}/image.png`, { gpu }), message(/image.png' as safetensors/));
  await using oblong = await Predictor.open((await modelOf(3, 8, 10)).model, { gpu });
  await assert.rejects(oblong.predict([png]), message(/^Cannot bring images to the 3x8x10 of the model/, UsageError));
});

Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));
