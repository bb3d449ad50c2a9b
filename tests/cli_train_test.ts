/**
 * The way from a genotype to a model that is used, on the command line as users call it, each time in a process of its
 * own with the permissions that it needs and no more: a few hundred real MNIST digits, tiny networks. One training that
 * nothing stops is made first; the other tests use it or are compared with it.
 */
import assert from "node:assert/strict";
import { encode as encodeJpeg } from "jpeg-js";
import { costOf, loadModel, parseGenotype } from "../mod.ts";
import { DARTS_V2 } from "../src/space/published.ts";
import { decodeTensors } from "../src/base/safetensors.ts";
import { readIdxImages, readIdxLabels } from "../src/data/idx.ts";
import { ended, events, idxHeader, ROOT, Workplace } from "./cli_support.ts";
import { encodePng } from "../src/data/testing.ts";

const place = new Workplace("cli-train-"), { folder: TEMPORARY } = place;
const { path, read, exists, command, idarts, works, refused, nextCheckpoint } = place;

const DIGITS = path("digits"), SIDE = 28;
const source = (name: string): string => `.cache/mnist/${name}`;
const tests = readIdxImages(source("t10k-images-idx3-ubyte")).data;
const testLabels = readIdxLabels(source("t10k-labels-idx1-ubyte")).data;
const digit = (index: number): Uint8Array => tests.slice(index * SIDE * SIDE, (index + 1) * SIDE * SIDE);

/** Writes IDX files. */
function writeDigits(folder: string, part: string, side: number, images: Uint8Array, labels: Uint8Array): void {
  Deno.mkdirSync(folder, { recursive: true });
  const idx = (name: string, head: number[], data: Uint8Array): void =>
    Deno.writeFileSync(`${folder}/${part}-${name}`, Uint8Array.from([...head, ...data]));
  idx("images-idx3-ubyte", idxHeader(0x803, labels.length, side, side), images);
  idx("labels-idx1-ubyte", idxHeader(0x801, labels.length), labels);
}

writeDigits(DIGITS, "train", SIDE, tests.slice(SIDE * SIDE * 200, SIDE * SIDE * 400), testLabels.slice(200, 400));
writeDigits(DIGITS, "t10k", SIDE, tests.slice(0, SIDE * SIDE * 60), testLabels.slice(0, 60));

/** Writes a test digit as a PNG file. */
function writePng(name: string, index: number): Uint8Array {
  const data = digit(index), sample = (y: number, x: number): number => data[y * SIDE + x];
  const png = encodePng({ width: SIDE, height: SIDE, depth: 8, colour: 0, sample });
  Deno.writeFileSync(path(name), png);
  return png;
}

/** Writes digits of two classes as a folder of images. @param above the folder above that of its class, for each */
function writeZerosAndOnes(count: number, above: (kept: number) => string): void {
  for (let i = 0, kept = 0; kept < count; i++) {
    if (testLabels[i] > 1) continue;
    const folder = `${above(kept)}/${["zero", "one"][testLabels[i]]}`;
    Deno.mkdirSync(path(folder), { recursive: true });
    writePng(`${folder}/${kept++}.png`, i);
  }
}

/** A network that is trained in a moment. */
const SMALL = ["--init-channels", "4", "--cells", "3", "--batch-size", "8", "--auxiliary-weight", "0"];

const VALUES: Readonly<Record<string, string | number>> = {
  "data": DIGITS,
  "init-channels": 4,
  "cells": 3,
  "batch-size": 16,
  "val-images": 24,
  "epochs": 2,
  "pad": 2,
  "lr": 0.1,
  "auxiliary-weight": 0,
};
const STEPS = 11;
const FLAGS = Object.entries(VALUES).flatMap(([key, value]) => [`--${key}`, String(value)]);

/** What a training computed, in bytes: all but times. */
const bits = (run: string): unknown =>
  place.bits(run, [
    "best.safetensors",
    "last.safetensors",
    "checkpoint.safetensors",
    "evaluation.json",
    "genotype.json",
  ]);

const first = await idarts(["train", "DARTS_V2", ...FLAGS, "--json", "--out", path("whole")]);
const MODEL = path("whole/best.safetensors");

Deno.test("cli train: flags, JSON lines, and every file of the run folder", () => {
  assert.equal(first.err, "");
  assert.equal(first.code, 0, first.out);
  const [start, ...rest] = events(first.out), result = rest.pop();
  assert.deepEqual(rest.map((e) => [e.event, e.epoch, e.step]), [["epoch", 1, STEPS], ["epoch", 2, 2 * STEPS]]);
  const model = loadModel(MODEL), cost = costOf(model.network);
  assert.deepEqual([start.parameters, start.macs, start.stepsPerEpoch], [cost.parameters, cost.macs, STEPS]);
  assert.deepEqual([model.network.channels, model.network.cells, model.classNames.length], [4, 3, 10]);
  assert.deepEqual(model.network.genotype, DARTS_V2);
  const { test, model: file } = JSON.parse(read("whole/evaluation.json"));
  assert.deepEqual([test, file], [result.test, "best.safetensors"]);
  assert.equal(test.confusion.flat().reduce((a: number, b: number) => a + b), 60);
  assert.deepEqual(parseGenotype(read("whole/genotype.txt"), "genotype.txt"), DARTS_V2);
  assert.match(read("whole/cells.svg"), /^<svg/);
  const report = read("whole/report.html");
  assert.ok(report.startsWith("<!DOCTYPE html>") && report.includes("Loss in training"));
  assert.equal(JSON.parse(read("whole/config.json")).config["init-channels"], 4);
});

Deno.test("cli train: YAML; in use; Ctrl-C; kill -9; resumed to the same bits as never stopped", async () => {
  Deno.writeTextFileSync(path("train.yaml"), Object.entries(VALUES).map(([k, v]) => `${k}: ${v}\n`).join(""));
  const often = ["--checkpoint-steps", "1"];
  const started = command(["train", "DARTS_V2", "--config", path("train.yaml"), "--out", path("stopped"), ...often])
    .spawn();
  await nextCheckpoint("stopped", started);
  await refused(1, /another process \(\d+\) is running in it/, ["train", "--resume", path("stopped")]);
  started.kill("SIGINT");
  const stopped = await ended(started.output());
  assert.equal(stopped.code, 130, stopped.out + stopped.err);
  assert.match(
    stopped.out,
    /Stopped after step \d+; go on with: DENO_NO_UPDATE_CHECK=1 deno run --allow-read=\S+ --allow-write=\S+ cli.ts /,
  );
  assert.ok(stopped.out.endsWith(`cli.ts train --resume ${path("stopped")}\n`));

  const killed = command(["train", "--resume", path("stopped"), ...often]).spawn();
  await nextCheckpoint("stopped", killed);
  killed.kill("SIGKILL");
  assert.equal((await ended(killed.output())).signal, "SIGKILL");
  assert.ok(!exists("stopped/evaluation.json"), "killed before the end");

  const { code, out, err } = await idarts(["train", "--resume", path("stopped")]);
  assert.match(err, /^(warning: Cannot find [^\n]+; going on from step \d+ of [^\n]+\n)?$/); // killed between two renames
  assert.equal(code, 0, err);
  assert.deepEqual(bits("stopped"), bits("whole"));
  const parts = [
    "going on with a training",
    "test accuracy",
    "Confusion matrix",
    "best.safetensors",
    "cli.ts evaluate",
  ];
  for (const part of [...parts, "cli.ts predict", "cli.ts export", "report.html"]) {
    assert.ok(out.includes(part), `${part} is missing in\n${out}`);
  }
});

Deno.test("cli evaluate: what train measured, from the run and from the file alone", async () => {
  const [result] = events(await works(["evaluate", path("whole"), "--json"], { write: [] }));
  const { test } = JSON.parse(read("whole/evaluation.json"));
  assert.deepEqual([result.confusion, result.accuracy, result.count], [test.confusion, test.accuracy, 60]);
  assert.ok(Math.abs(result.loss - test.loss) < 1e-5);
  const alone = await works(["evaluate", MODEL, "--data", DIGITS, "--images", "20"], {
    read: [MODEL, DIGITS],
    write: [],
  });
  assert.match(alone, /test accuracy +\d+\.\d\d% of 20 images/);

  const half = path("half"), labels = testLabels.slice(0, 20);
  writeDigits(half, "train", 14, new Uint8Array(20 * 14 * 14), labels);
  writeDigits(half, "t10k", 14, new Uint8Array(20 * 14 * 14), labels);
  await refused(2, /images of 1x14x14 \('half'\) as the model takes 1x28x28/, ["evaluate", MODEL, "--data", half]);
  const two = path("two");
  writeDigits(two, "train", SIDE, tests.slice(0, SIDE * SIDE * 20), labels.map((l) => l % 2));
  writeDigits(two, "t10k", SIDE, tests.slice(0, SIDE * SIDE * 20), labels.map((l) => l % 2));
  await refused(2, /classes must be the model's 10 .*: it has 2/, ["evaluate", MODEL, "--data", two]);
  await refused(2, /without data .* name them with --data/, ["evaluate", MODEL], { read: [MODEL] });
});

Deno.test("cli predict: PNG, JPEG, any size; one that cannot be read leaves the others", async () => {
  const photo = path("photo.jpg"), broken = path("broken.png"), count = 12, few = path("few");
  const noise = Uint8Array.from({ length: 50 * 40 * 4 }, (_, i) => (i * 7919) % 251);
  Deno.writeFileSync(photo, encodeJpeg({ width: 50, height: 40, data: noise }, 90).data);
  Deno.writeFileSync(broken, writePng("seven.png", 0).subarray(0, 100));
  const digits = Array.from({ length: count }, (_, i) => path(`digit-${i}.png`));
  digits.forEach((_, i) => writePng(`digit-${i}.png`, i));
  const args = ["predict", path("whole"), ...digits, broken, photo, "--json", "--top", "10"];
  const { code, out, err } = await idarts(args, { write: [] });
  assert.equal(code, 1);
  assert.match(err, /^error: Cannot read '[^\n]*broken.png' [^\n]+\n$/);
  const found = events(out), names = loadModel(MODEL).classNames;
  assert.deepEqual(found.map(({ image }) => image), [...digits, photo]);
  for (const { top, class: name, probability } of found) {
    assert.deepEqual([top[0].name, top[0].probability, top.length], [name, probability, 10]);
    const sum = top.reduce((total: number, each: { probability: number }) => total + each.probability, 0);
    assert.ok(Math.abs(sum - 1) < 1e-9);
  }
  // The same digits as a data set: the classes that are predicted are those that evaluate counts.
  writeDigits(few, "train", SIDE, tests.slice(0, SIDE * SIDE * 60), testLabels.slice(0, 60));
  writeDigits(few, "t10k", SIDE, tests.slice(0, SIDE * SIDE * count), testLabels.slice(0, count));
  const [{ confusion }] = events(await works(["evaluate", MODEL, "--data", few, "--json"], { write: [] }));
  const predicted = names.map(() => names.map(() => 0));
  digits.forEach((_, i) => predicted[testLabels[i]][names.indexOf(found[i].class)]++);
  assert.deepEqual(predicted, confusion);

  const text = await works(["predict", MODEL, digits[0], "--top", "2"], { read: [MODEL, digits[0]], write: [] });
  assert.match(text, new RegExp(`^${digits[0]}: ${found[0].class}\n  \\S+ +\\d+\\.\\d\\d%  \\[#.*\n  \\S+ .*\n$`));
});

Deno.test("cli export: ONNX and safetensors, never over a file", async () => {
  const onnx = path("whole/model.onnx"), args = ["export", path("whole")];
  const [written] = events(await works([...args, "--json"]));
  assert.deepEqual([written.file, written.opset], [onnx, 13]);
  const bytes = Deno.readFileSync(onnx), text = new TextDecoder("latin1").decode(bytes);
  assert.ok(bytes.length === written.bytes && bytes.length > 4 * costOf(loadModel(MODEL).network).parameters);
  for (const part of ["probabilities", "preprocessing", "Genotype(normal=["]) assert.ok(text.includes(part), part);
  await refused(2, /model.onnx' as it exists: take another --out, or replace it with --force/, args);
  await works([...args, "--force", "--pixels", "byte", "--no-fold"]);
  assert.notEqual(Deno.readFileSync(onnx).length, bytes.length);
  const weights = path("weights.safetensors");
  await works(["export", MODEL, "--format", "safetensors", "--out", weights]);
  assert.ok(decodeTensors(Deno.readFileSync(weights), weights).tensors.has("stem.conv"));
  await refused(2, /best.safetensors' as it exists/, ["export", MODEL, "--format", "safetensors", "--out", MODEL]);
});

Deno.test("cli cost: published and own networks, layers that add up, budgets; without permissions", async () => {
  const none = { read: [], write: [] };
  const [{ networks }] = events(await works(["cost", "DARTS_V2", "--json", "--layers"], none));
  // deno-lint-ignore no-explicit-any
  assert.deepEqual(networks.map((n: any) => [n.form, n.parameters]), [["cifar", 3349342], ["imagenet", 4718752]]);
  for (const { layers, parts, macs, parameters } of networks) {
    for (const list of [layers, parts]) {
      assert.equal(list.reduce((sum: number, l: { macs: number }) => sum + l.macs, 0), macs);
    }
    assert.equal(parts.reduce((sum: number, p: { parameters: number }) => sum + p.parameters, 0), parameters);
  }
  const own = await works(["cost", path("whole"), "--parts"], { write: [] });
  assert.match(own, /cifar +1x28x28 +10 +3 +4 /);
  assert.match(own, /cells\.2 /);
  // What is given changes the trained network; all else stays its own.
  const [other] = events(await works(["cost", MODEL, "--shape", "3x32x32", "--cells", "4", "--json"], { write: [] }));
  const { genotype: _, ...sizes } = loadModel(MODEL).network;
  // deno-lint-ignore no-explicit-any
  const kept = ({ form, channels, cells, classes, inputChannels, height, width, pooling }: any) => ({
    form,
    channels,
    cells,
    classes,
    inputChannels,
    height,
    width,
    pooling,
  });
  assert.deepEqual(other.networks.map(kept), [{ ...sizes, inputChannels: 3, height: 32, width: 32, cells: 4 }]);
  assert.match(
    await works(["cost", MODEL, "--form", "imagenet"], { write: [] }),
    /imagenet +3x224x224 +1,000 +14 +48 /,
  );
  const small = await works(["cost", "DARTS_V2", "--params", "1M", "--form", "cifar"], none);
  assert.match(small, /cifar .* [89]\d\d,\d{3} /);
  const pcDarts = await works(["cost", "PC_DARTS_cifar", "--form", "cifar"], none);
  assert.match(pcDarts, /cifar .* 3,634,678 /);
  await refused(
    2,
    /must be a file, a run folder or one of DARTS_V1, DARTS_V2, .*PC_DARTS_image.*: did you mean 'DARTS_V1'/,
    ["cost", "DARTS_V3"],
  );
});

Deno.test("cli report: the same bytes again", async () => {
  const other = path("other.html"), before = read("whole/report.html");
  await works(["report", path("whole"), "--out", other]);
  assert.equal(Deno.readTextFileSync(other), before);
  for (const part of ["DARTS_V2", "cli.ts evaluate", "cli.ts export"]) assert.ok(before.includes(part), part);
});

Deno.test("cli: from images in folders by search and training to a prediction; the report shows all of it", async () => {
  const photos = path("photos"), run = path("found"), search = ["search", "--data", photos, "--image-size", "16"];
  writeZerosAndOnes(80, () => "photos");
  const tiny = ["--space", "s3", "--cells", "3", "--init-channels", "2", "--batch-size", "8", "--epochs", "1"];
  const few = ["--eval-images", "8", "--probe-images", "8", "--statistics-images", "8", "--steps-per-epoch", "2"];
  const reads = { read: [TEMPORARY, new URL("src/", ROOT).pathname] };
  const searched = await works([...search, ...tiny, ...few, "--out", run], reads);
  assert.match(searched, new RegExp(`--allow-read=${photos},src,${run} .* cli.ts train ${run} --preset demo`));
  assert.ok(read("found/report.html").includes("How the search went"));
  const trained = await works(["train", run, ...SMALL, "--epochs", "3", "--lr", "0.1", "--drop-path", "0"], reads);
  assert.match(trained, /photos: 64 images of 1x16x16, 2 classes/);
  const report = read("found/train/report.html");
  for (const part of ["How the search went", "Loss in training", "cli.ts search --data"]) {
    assert.ok(report.includes(part), part);
  }
  const image = Deno.readDirSync(`${photos}/one`).find(({ isFile }) => isFile)!.name;
  assert.match(await works(["predict", run, `${photos}/one/${image}`], { write: [] }), /one +\d+\.\d\d%/);
  await refused(2, /as a search as it is a training/, ["discretize", `${run}/train`]);
  await refused(2, /as a training as it is a search/, ["train", "--resume", run]);

  // The class is called otherwise now: the model would say a name that its training never had.
  Deno.renameSync(`${photos}/zero`, `${photos}/noll`);
  const renamed =
    /^error: Cannot resume '.*' with data set 'photos': its class 'noll' is not the 'zero' that the run began/;
  for (const again of [["search", "--resume", run], ["train", "--resume", `${run}/train`]]) {
    await refused(2, renamed, again, reads);
  }
  Deno.renameSync(`${photos}/noll`, `${photos}/zero`);
});

Deno.test("cli train: val/ chooses the epoch; without test/ it is measured only where it has not chosen", async () => {
  writeZerosAndOnes(40, (kept) => `parts/${kept < 24 ? "train" : "val"}`);
  const args = ["--data", path("parts"), "--image-size", "16", ...SMALL, "--epochs", "1"];
  const reads = { read: [TEMPORARY, new URL("src/", ROOT).pathname] };
  const chosen = await works(["train", "DARTS_V1", ...args, "--out", path("chosen")], reads);
  assert.match(chosen, /validation +16 images of its own, to choose the best epoch by\n +test +no images/);
  const [record] = read("chosen/metrics.jsonl").trimEnd().split("\n").map((line) => JSON.parse(line));
  const { best, test } = JSON.parse(read("chosen/evaluation.json"));
  assert.deepEqual([record.step, test, best.accuracy], [3, null, record.valAccuracy]);
  const { err } = await idarts(["evaluate", path("chosen")], { ...reads, write: [] });
  assert.match(err, /^warning: 'parts' has no test\/, so its val\/ images stand in: [^\n]+\n$/);
  const last = await idarts(["train", "DARTS_V1", ...args, "--val-images", "0", "--out", path("kept")], reads);
  assert.match(last.out, /validation +no images: the last epoch is kept\n +test +16 images, looked at once/);
  assert.equal(last.err, "warning: 'parts' has no test/, so its val/ images are measured as test images\n");
});

Deno.test("cli evaluate: says where test images that were drawn from a folder may be ones that were trained on", async () => {
  writeZerosAndOnes(40, () => "drawn");
  const reads = { read: [TEMPORARY, new URL("src/", ROOT).pathname] };
  const said = async (model: string, ...flags: string[]): Promise<string> => {
    const { code, err } = await idarts(["evaluate", path(model), ...flags], { ...reads, write: [] });
    assert.equal(code, 0, err);
    return err;
  };
  const args = [
    "--data",
    path("drawn"),
    "--image-size",
    "16",
    "--val-images",
    "0",
    "--test-fraction",
    "0.3",
    ...SMALL,
    "--epochs",
    "1",
  ];
  await works(["train", "DARTS_V1", ...args, "--out", path("on-drawn")], reads);
  const { data: { shared } } = JSON.parse(read("on-drawn/config.json"));
  assert.deepEqual([shared.train + shared.test, shared.test], [40, 13]);
  assert.equal(await said("on-drawn"), "", "the same images, by the same share");
  const otherwise = /^warning: 'drawn' is shared out otherwise than when the model was trained \(now [^\n]+flatter\n$/;
  assert.match(await said("on-drawn", "--test-fraction", "0.5"), otherwise);
  Deno.copyFileSync(path("on-drawn/last.safetensors"), path("alone.safetensors"));
  assert.match(
    await said("alone.safetensors", "--data", path("drawn")),
    /^warning: Nothing says how 'drawn' was shared out/,
  );
  const unused = testLabels.findLastIndex((label) => label === 0);
  writePng("drawn/zero/another.png", unused);
  assert.match(await said("on-drawn"), otherwise);
});

Deno.test("cli: models, genotypes and runs that cannot be used are refused in one sentence, by file", async () => {
  const bytes = Deno.readFileSync(MODEL), bad = path("bad.safetensors"), seven = path("seven.png");
  writePng("seven.png", 0);
  Deno.writeFileSync(bad, bytes.subarray(0, bytes.length - 9));
  await refused(1, /bad.safetensors'/, ["predict", bad, seven]);
  await refused(1, /its format must be 'idarts-model\/1' and is 'idarts-checkpoint-1': take a file that a training/, [
    "export",
    path("whole/checkpoint.safetensors"),
  ]);
  await refused(1, /seven.png'/, ["evaluate", seven, "--data", DIGITS]);
  await refused(2, /Cannot find the model '.*nothing'/, ["evaluate", path("nothing")]);
  await refused(2, /holds no 'config.json'/, ["predict", DIGITS, seven]);
  await refused(1, /digits' as .* it is a folder, so name the images in it, as in .*digits\/\*.png$/m, [
    "predict",
    path("whole"),
    DIGITS,
  ]);
  const out = ["--out", path("never")];
  const genotype = (name: string, text: string): string[] => {
    Deno.writeTextFileSync(path(name), text);
    return ["train", path(name), ...FLAGS, ...out];
  };
  await refused(1, /cut.json' as a genotype: it is not complete JSON/, genotype("cut.json", '{"format":'));
  await refused(1, /op.txt'.*must be one of/, genotype("op.txt", read("whole/genotype.txt").replace("sep_", "sap_")));
  await refused(2, /without a genotype/, ["train", ...out]);
  await refused(2, /folder must be empty: it holds/, ["train", "DARTS_V2", "--out", path("whole")]);
  await refused(2, /Cannot change --epochs .* must stay 2/, ["train", "--resume", path("whole"), "--epochs", "3"]);
  await refused(2, /genotype together with --resume/, ["train", "DARTS_V2", "--resume", path("whole")]);
  await refused(2, /init-channels together with --params/, ["train", "DARTS_V2", ...FLAGS, "--params", "1M", ...out]);
  await refused(2, /no network fits|Cannot build a network within the budget/, [
    "train",
    "DARTS_V2",
    "--data",
    DIGITS,
    "--params",
    "100",
    ...out,
  ]);
  assert.ok(!exists("never"));
});

Deno.test("cli: help of the verbs around training; data fetch without a network", async () => {
  const none = { read: [], write: [] };
  for (const verb of ["train", "evaluate", "predict", "export", "cost", "report", "auto", "data fetch"]) {
    const out = await works([...verb.split(" "), "--help"], none);
    assert.ok(out.startsWith(`Usage: idarts ${verb} `) && /Example/.test(out) && out.includes("Exit codes: 0 "), verb);
  }
  await refused(2, /'data' needs a second word/, ["data"], none);
  await refused(2, /must be one of mnist, cifar10, cifar100/, ["data", "fetch", "cifar11"]);
  const fetch = ["data", "fetch", "cifar10", "--out", path("cifar")];
  await refused(1, /add --allow-net=www.cs.toronto.edu/, fetch);
  const offline = { net: "www.cs.toronto.edu", env: { HTTPS_PROXY: "http://127.0.0.1:1" } };
  await refused(1, /Cannot download 'https:.*connect to the network and run it again/, fetch, offline);
});
