/**
 * How far searches with kernels of other kinds drift apart, step by step, on images with and without ties: periodic
 * images make many sums that are equal but for their rounding, and a max pool or a ReLU sends its gradient by which of
 * them is larger. Prints the evaluation losses, and the largest difference of all losses after each step.
 *
 *     NODEVICE_SELECT=1 deno run --no-prompt bench/ties.ts
 * @module
 */
import "../src/platform/deno.ts";
import { Random } from "../src/base/random.ts";
import { closeForms, type Form, openForms } from "../src/doctor/forms.ts";
import { type LabelledImages, search } from "../mod.ts";

const COUNT = 64, SIDE = 8, grains = new Random(1, "grain");

/** Brightness of a pixel. */
const IMAGES: Readonly<Record<string, (i: number) => number>> = {
  "periodic": (i) => (i * 7919) % 251,
  "periodic, a grain of 0 to 3 added": (i) => (i * 7919) % 251 + Math.floor(4 * grains.uniform()),
  "noise": () => Math.floor(251 * grains.uniform()),
};

function imagesOf(pixel: (i: number) => number): LabelledImages {
  const labels = Int32Array.from({ length: COUNT }, (_, i) => i % 2);
  const images = Uint8Array.from({ length: COUNT * SIDE * SIDE }, (_, i) => pixel(i));
  return { images, labels, classNames: ["even", "odd"], channels: 1, height: SIDE, width: SIDE };
}

/** Training, validation and evaluation loss after each step. */
async function losses({ gpu }: Form, nodeNorm: "rms" | "none", data: LabelledImages): Promise<number[][]> {
  const size = { cells: 3, initChannels: 4, batchSize: 8, pad: 0, epochs: 8, stepsPerEpoch: 1 } as const;
  const { epochs } = await search(
    { ...size, precision: "f32", nodeNorm, weightLr: 0.1, alphaLr: 0.05 },
    data,
    { gpu },
  );
  return epochs.map(({ trainLoss, valLoss, evalLoss }) => [trainLoss, valLoss ?? NaN, evalLoss]);
}

const forms = await openForms(), plain = forms.at(-1)!;
console.log(`${plain.gpu.name}: differences from kernels ${plain.name}`);
for (const norm of ["rms", "none"] as const) {
  for (const [name, pixel] of Object.entries(IMAGES)) {
    const data = imagesOf(pixel), theirs = await losses(plain, norm, data);
    console.log(`node norm ${norm}, ${name}: ${theirs.map((step) => step[2].toFixed(4)).join(" ")}`);
    for (const form of forms.slice(0, -1)) {
      const mine = await losses(form, norm, data);
      const far = mine.map((step, i) => Math.max(...step.map((loss, j) => Math.abs(loss - theirs[i][j]))));
      console.log(`  kernels ${form.name}: ${far.map((d) => d.toExponential(1)).join(" ")}`);
    }
  }
}
closeForms(forms);
