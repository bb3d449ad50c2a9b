/**
 * The same small work in a browser and in Deno: images from files, a search, a training, an evaluation, a prediction, an
 * ONNX file. Every number that comes out is compared. It asks nothing of a runtime.
 * @module
 */
import type * as Web from "../../web.ts";

/** What the work needs of an entry of the package; the main one and the browser's have it alike. */
export type Api = Pick<typeof Web, "openData" | "search" | "train" | "evaluateModel" | "Predictor" | "exportOnnx">;

/** What comes of it. */
export interface Results {
  /** Name of the adapter. */
  readonly adapter: string;
  /** Losses of each epoch of the search: training, validation, evaluation. */
  readonly search: readonly (readonly (number | null)[])[];
  /** The cell that was found. */
  readonly genotype: unknown;
  /** Training loss of each epoch of the training. */
  readonly train: readonly number[];
  /** Loss and accuracy of the model. */
  readonly evaluate: readonly number[];
  /** Probabilities of the classes of one file. */
  readonly predict: readonly number[];
  /** Bytes of the model as an ONNX file. */
  readonly onnx: number;
}

const SIDE = 12, EACH = 16, FOLDER_NAMES = ["above", "below"];

/** A BMP file of grey noise that is bright in one half. */
function bmp(image: number, bright: string): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(54 + 3 * SIDE * SIDE), view = new DataView(out.buffer);
  out.set([0x42, 0x4d]);
  view.setUint32(2, out.length, true);
  view.setUint32(10, 54, true);
  for (const [at, value] of [[14, 40], [18, SIDE], [22, SIDE], [34, 3 * SIDE * SIDE]]) view.setUint32(at, value, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  for (let p = 0; p < SIDE * SIDE; p++) { // rows from the bottom
    const lower = p < SIDE * SIDE / 2, value = lower === (bright === "below") ? 170 : 60;
    out.fill(value + ((image * SIDE * SIDE + p) * 7919) % 50, 54 + 3 * p, 57 + 3 * p);
  }
  return out;
}

/** The files: a folder for each class, by path. */
export function caseFiles(): Map<string, Uint8Array<ArrayBuffer>> {
  return new Map(
    FOLDER_NAMES.flatMap((name, label) =>
      Array.from({ length: EACH }, (_, i) => [`${name}/${i}.bmp`, bmp(label * EACH + i, name)] as const)
    ),
  );
}

/** What of the search may be otherwise. */
export type Search = Partial<Record<"epochs" | "stepsPerEpoch", number>> & { readonly space?: "darts" };

/** Does it with the files in `folder`; what f32 sums come to is the same on one adapter. */
export async function runCase(api: Api, folder: string, other: Search = {}): Promise<Results> {
  const data = await api.openData(folder, { split: "train", imageSize: 8 });
  let adapter = "";
  const small = { cells: 3, batchSize: 8, epochs: 2, stepsPerEpoch: 1, pad: 0, precision: "f32" } as const;
  const { genotype, epochs } = await api.search({ ...small, space: "s3", initChannels: 2, ...other }, data, {
    onStart: (_plan, gpu) => adapter = gpu.name,
  });
  const options = { ...small, initChannels: 4, auxiliaryWeight: 0, valImages: 0 };
  const { model, epochs: trained } = await api.train(options, genotype, { train: data });
  const { loss, accuracy } = await api.evaluateModel(model, data);
  await using predictor = await api.Predictor.open(model);
  const [{ probabilities }] = await predictor.predict([new Blob([caseFiles().get("below/3.bmp")!])]);
  return {
    adapter,
    search: epochs.map(({ trainLoss, valLoss, evalLoss }) => [trainLoss, valLoss, evalLoss]),
    genotype,
    train: trained.map(({ trainLoss }) => trainLoss),
    evaluate: [loss, accuracy],
    predict: [...probabilities],
    onnx: (await api.exportOnnx(model)).length,
  };
}
