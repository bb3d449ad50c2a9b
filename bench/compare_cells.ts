/**
 * What a rule's cell is worth: for each seed a search, then the same short training for the cells that two rules read
 * off that one supernet and for random cells of the same space.
 *
 *     deno run --allow-read=/usr/share/datasets --allow-write=. bench/compare_cells.ts [--seeds=3] [--random=2]
 *
 * Prints a line for each training and a table of test accuracies, mean and standard error over seeds.
 */
import "../src/platform/deno.ts";
import { type Dataset, openData } from "../src/data/dataset.ts";
import { resolveSearchConfig } from "../src/search/config.ts";
import { search } from "../src/search/search.ts";
import type { Genotype } from "../src/space/genotype.ts";
import { randomGenotype } from "../src/space/random_genotype.ts";
import { DARTS, PARAMETER_FREE } from "../src/space/space.ts";
import { resolveTrainConfig } from "../src/train/config.ts";
import { train } from "../src/train/train.ts";

const flag = (name: string, fallback: number): number =>
  Number(Deno.args.find((a) => a.startsWith(`--${name}=`))?.split("=")[1] ?? fallback);
const seeds = flag("seeds", 3), randoms = flag("random", 2);
const spec = Deno.args.find((a) => a.startsWith("--data="))?.slice(7) ?? "/usr/share/datasets/fashion-mnist";

const SEARCH = {
  initChannels: 4,
  cells: 3,
  batchSize: 32,
  images: 8000,
  epochs: 4,
  stepsPerEpoch: 40,
  pad: 2,
  flip: "off" as const,
  weightLr: 0.05,
  alphaLr: 6e-3,
  evalImages: 512,
  statisticsImages: 256,
  probeImages: 64,
};
const TRAIN = {
  initChannels: 8,
  cells: 5,
  batchSize: 64,
  epochs: 2,
  stepsPerEpoch: 100,
  pad: 2,
  lr: 0.1,
  auxiliaryWeight: 0,
  dropPath: 0,
  valImages: 0,
};

const freeOps = (g: Genotype): number =>
  [...g.normal.nodes, ...g.reduce.nodes].flat().filter((c) => PARAMETER_FREE.includes(c.op)).length;

const results = new Map<string, { accuracy: number[]; free: number[] }>();

async function measure(rule: string, genotype: Genotype, seed: number, data: { train: Dataset; test: Dataset }) {
  const config = resolveTrainConfig({ ...TRAIN, seed }), began = performance.now();
  const { test } = await train(config, genotype, data);
  const row = results.get(rule) ?? { accuracy: [], free: [] };
  row.accuracy.push(100 * test!.accuracy);
  row.free.push(freeOps(genotype));
  results.set(rule, row);
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(
    `seed ${seed}  ${rule.padEnd(12)} ${row.accuracy.at(-1)!.toFixed(2)} %  ${freeOps(genotype)} free  ${seconds} s`,
  );
}

const data = { train: await openData(spec, { split: "train" }), test: await openData(spec, { split: "test" }) };
for (let seed = 0; seed < seeds; seed++) {
  const config = resolveSearchConfig({ ...SEARCH, seed }), began = performance.now();
  const { report } = await search(config, data.train);
  console.log(`seed ${seed}  search       ${((performance.now() - began) / 1000).toFixed(0)} s`);
  for (const rule of ["semipartial", "alpha"]) {
    await measure(rule, report.methods.find((m) => m.method === rule)!.genotype, seed, data);
  }
  for (let i = 0; i < randoms; i++) await measure("random", randomGenotype(DARTS, seed, i), seed, data);
}

console.log("\n| cells | n | test accuracy, % | parameter-free operations of 16 |\n| --- | --- | --- | --- |");
for (const [rule, { accuracy, free }] of results) {
  const n = accuracy.length, mean = accuracy.reduce((a, b) => a + b) / n;
  const error = Math.sqrt(accuracy.reduce((a, b) => a + (b - mean) ** 2, 0) / (n - 1) / n);
  const average = free.reduce((a, b) => a + b) / n;
  console.log(`| ${rule} | ${n} | ${mean.toFixed(2)} ± ${error.toFixed(2)} | ${average.toFixed(1)} |`);
}
