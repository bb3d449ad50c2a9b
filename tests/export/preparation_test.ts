/**
 * Odd images, prepared by a program that knows only what an exported file says about itself (`prepare_images.py`: Pillow
 * and NumPy), get the probabilities of our own predictor from ONNX Runtime. Ignored where those may not run.
 */
import assert from "node:assert/strict";
import { sampleJpeg } from "../../src/data/testing.ts";
import { exportOnnx } from "../../src/export/onnx.ts";
import { describeModel, modelMetadata, PIXEL_SCALES } from "../../src/export/model_info.ts";
import type { Model } from "../../src/train/model_file.ts";
import { Predictor } from "../../src/train/inference.ts";
import golden from "../golden/images.json" with { type: "json" };
import { MNIST_NET, mnistModel, randomModel } from "./models.ts";
import { PYTHON, runOnnx, withoutPillow, withoutRuntime } from "./onnx_support.ts";

/** Files that Pillow does not open as we do: it reads them or not, by their size. */
const UNLIKE = ["jpeg without its end marker", "gif frame within its screen"];

const FILES: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ...Object.entries(golden).filter(([name]) => !UNLIKE.includes(name))
    .map(([name, { file }]) => [name, Uint8Array.fromBase64(file)] as const),
  ["photo", sampleJpeg(2, 700, 450, 90)],
  ["wide photo", sampleJpeg(3, 1200, 130, 90)],
  ["tall photo", sampleJpeg(4, 131, 900, 90)],
];

/** The inputs of all files by what a model's metadata says. */
async function prepareElsewhere(preprocessing: unknown): Promise<Float32Array> {
  const script = new URL("prepare_images.py", import.meta.url).pathname;
  const process = new Deno.Command(PYTHON, { args: [script], stdin: "piped", stdout: "piped" }).spawn();
  const writer = process.stdin.getWriter(), files = FILES.map(([, bytes]) => bytes.toBase64());
  await writer.write(new TextEncoder().encode(JSON.stringify({ preprocessing, files })));
  await writer.close();
  const { stdout, success } = await process.output();
  assert.ok(success);
  return new Float32Array(stdout.slice().buffer);
}

const COLOUR: Model = randomModel({ ...MNIST_NET, inputChannels: 3, height: 16, width: 16 }, [0.4, 0.5, 0.6], [
  ...[0.2, 0.3, 0.25],
]);

Deno.test({
  name: "odd images, prepared from the metadata alone, get predict's probabilities",
  ignore: withoutRuntime || withoutPillow,
  async fn() {
    for (const [i, model] of [mnistModel, COLOUR].entries()) {
      const { inputChannels: channels, height: size, classes } = model.network, pixels = PIXEL_SCALES[i];
      const onnx = exportOnnx(model, { pixels });
      const about = JSON.parse(modelMetadata(describeModel(model), [channels, 1, size, size], pixels).preprocessing);
      assert.equal(about.steps.length, 7);
      const data = await prepareElsewhere(about), shape = [FILES.length, channels, size, size];
      const { probabilities } = await runOnnx(onnx, { images: { shape, data } });
      await using predictor = await Predictor.open(model);
      for (const [n, [name, bytes]] of FILES.entries()) {
        const ours = [...await predictor.prepare(bytes)], scale = pixels === "byte" ? 1 : 255;
        const theirs = [...data.subarray(n * ours.length, (n + 1) * ours.length)].map((v) => Math.round(v * scale));
        if (pixels !== "normalized") {
          const off = ours.filter((v, k) => Math.abs(v - theirs[k]) > 1).length;
          assert.equal(off, 0, `${name}: ${off} samples are off by more than rounding`);
        }
        const [row] = await predictor.probabilities({ images: Uint8Array.from(ours), count: 1 });
        const want = probabilities.data.subarray(n * classes, (n + 1) * classes);
        row.forEach((p, k) => assert.ok(Math.abs(p - want[k]) < 0.01, `${name}: class ${k} is ${p}, not ${want[k]}`));
      }
    }
  },
});
