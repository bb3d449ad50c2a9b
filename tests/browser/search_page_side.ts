/**
 * What the page does, in Deno by the main entry: a search and a training with the options of two YAML texts on the images
 * in a folder. Prints the losses, the genotype, whether the model's ONNX file has the bytes of the given one, and the shape
 * of what ONNX Runtime makes of one image with that.
 * @module
 */
import { exportOnnx, formatGenotypeJson, openData, search, train } from "../../mod.ts";
import { SEARCH_OPTIONS, type SearchConfig } from "../../src/search/config.ts";
import { TRAIN_OPTIONS, type TrainConfig } from "../../src/train/config.ts";
import { parseYamlOptions } from "../../src/base/options.ts";
import { runOnnx } from "../export/onnx_support.ts";

const [folder, searchOptions, trainOptions, model] = Deno.args;
const layer = (text: string) => [{ source: "options", values: parseYamlOptions("options", text) }];
const searchConfig = SEARCH_OPTIONS.resolve(layer(searchOptions)) as SearchConfig;
const trainConfig = TRAIN_OPTIONS.resolve(layer(trainOptions)) as TrainConfig;
const { imageSize } = searchConfig, data = await openData(folder, { split: "train", imageSize });

const { genotype, epochs } = await search(searchConfig, data);
const test = await openData(folder, { split: "test", imageSize });
const trained = await train(trainConfig, genotype, { train: data, test }), onnx = await exportOnnx(trained.model);
const given = Deno.readFileSync(model), { channels, height, width } = data;
const [output] = Object.values(
  await runOnnx(given, {
    images: { shape: [1, channels, height, width], data: new Float32Array(channels * height * width) },
  }),
);
console.log(JSON.stringify({
  search: epochs.map(({ trainLoss, valLoss, evalLoss }) => [trainLoss, valLoss, evalLoss]),
  genotype: formatGenotypeJson(genotype),
  sameModel: onnx.length === given.length && onnx.every((byte, i) => byte === given[i]),
  shape: output.shape,
}));
