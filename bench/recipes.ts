/**
 * Ten steps of a published training recipe at full size, as `train` runs them: what memory the process takes beside what
 * was planned. Images are generated and lie in memory as bytes. One recipe in a process, since a peak is a process' own.
 *
 *     deno task bench:recipes                      both, one after the other; 4 GiB of memory, some ten minutes
 *     deno run --no-prompt bench/recipes.ts cifar  one of them (imagenet: the other one; --json: a JSON line)
 *
 * Exit code 1 where the peak is more than 15 % off the plan.
 * @module
 */
import "../src/platform/deno.ts";
import process from "node:process";
import type { LabelledImages } from "../src/data/labelled_images.ts";
import { openGpu } from "../src/gpu/device.ts";
import { hostBytes } from "../src/run/memory.ts";
import { DARTS_V2 } from "../src/space/published.ts";
import { TRAIN_PRESETS } from "../src/train/config.ts";
import type { TrainOptions } from "../src/train/options.ts";
import { train } from "../src/train/train.ts";

const STEPS = 10, TOLERANCE = 0.15, MIB = 2 ** 20;

/** A published recipe: options, and the images that it is for. */
interface Recipe {
  readonly title: string;
  readonly options: TrainOptions;
  readonly batch: number;
  readonly side: number;
  readonly classes: number;
}

const RECIPES: Readonly<Record<string, Recipe>> = {
  cifar: {
    title: "CIFAR: C=36, 20 cells, batch 96, 32x32x3, auxiliary head, drop path, cutout",
    options: { pad: 4, flip: "on", cutout: 16 },
    batch: 96,
    side: 32,
    classes: 10,
  },
  imagenet: {
    title: "ImageNet: C=48, 14 cells, batch 128, 224x224x3, auxiliary head, resized crops, jitter",
    options: TRAIN_PRESETS.imagenet,
    batch: 128,
    side: 224,
    classes: 1000,
  },
};

/** Waves, as long as the class says, under noise. */
function generated({ side, classes, batch }: Recipe): LabelledImages {
  const count = STEPS * batch, images = new Uint8Array(count * 3 * side * side);
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
  let noise = 1, at = 0;
  for (const label of labels) {
    const wave = Uint8Array.from({ length: side }, (_, x) => 96 + 64 * Math.sin(x * (1 + label) / 20));
    for (let row = 0; row < 3 * side; row++) {
      for (let x = 0; x < side; x++) {
        noise = Math.imul(noise, 1664525) + 1013904223 | 0;
        images[at++] = wave[x] + (noise >>> 26);
      }
    }
  }
  const classNames = Array.from({ length: classes }, (_, i) => `class ${i}`);
  return { images, labels, classNames, channels: 3, height: side, width: side, name: "generated images" };
}

/** Most memory that this process has had at once, in bytes (VmHWM). */
const peak = (): number => process.resourceUsage().maxRSS * 1024;

async function measured(recipe: Recipe): Promise<Record<string, number>> {
  const data = generated(recipe), gpu = await openGpu(), opened = peak();
  let began = 0, planBytes = 0, ownBytes = 0, firstSeconds = 0;
  const { epochs } = await train(
    { ...recipe.options, batchSize: recipe.batch, epochs: 1, valImages: 0 },
    DARTS_V2,
    { train: data },
    {
      gpu,
      onStart: (plan) => {
        [planBytes, ownBytes, began] = [plan.bytes, hostBytes(plan), performance.now()];
      },
      onProgress: ({ step, trainLoss }) => {
        firstSeconds ||= (performance.now() - began) / 1000;
        console.error(`step ${step}, loss ${trainLoss.toFixed(3)}, ${(peak() / MIB).toFixed(0)} MiB`);
      },
    },
  );
  gpu.device.destroy();
  const expected = planBytes + ownBytes + data.images.byteLength, reached = peak();
  return {
    ...{ planBytes, ownBytes, imageBytes: data.images.byteLength, expected, opened, peak: reached },
    ...{ off: reached / expected - 1, firstSeconds, secondsPerStep: epochs[0].secondsPerStep },
  };
}

const [name = "", ...flags] = Deno.args, recipe = Object.hasOwn(RECIPES, name) ? RECIPES[name] : undefined;
if (!recipe || flags.some((flag) => flag !== "--json")) {
  const names = Object.keys(RECIPES).join(" or ");
  console.error(`Cannot use '${Deno.args.join(" ")}': name a recipe, ${names}, and add --json or nothing`);
  Deno.exit(2);
}
const result = await measured(recipe), mib = (key: string): string => `${Math.round(result[key] / MIB)} MiB`;
console.log(
  flags.length > 0 ? JSON.stringify({ recipe: name, ...result }) : `${recipe.title}
  planned on the device ${mib("planBytes")}, for the process ${mib("ownBytes")}, images ${mib("imageBytes")}
  peak of the process   ${mib("peak")} (${mib("opened")} before the training), ${
    (100 * result.off).toFixed(1)
  } % off the sum of ${mib("expected")}
  first step            ${result.firstSeconds.toFixed(0)} s, then ${result.secondsPerStep.toFixed(1)} s a step`,
);
if (Math.abs(result.off) > TOLERANCE) Deno.exit(1);
