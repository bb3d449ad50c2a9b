/**
 * A search with the browser's entry whose folder is in memory: stopped after its first epoch, gone on with, and done
 * without a stop. Prints the losses of both ways, and the files of the folder.
 * @module
 */
import { addFiles, listFiles, openData, readFile, removeFiles, search, useCodec } from "../../web.ts";
import { caseFiles } from "./case.ts";

/** What is compared of an epoch. */
interface Losses {
  readonly trainLoss: number;
  readonly valLoss: number | null;
  readonly evalLoss: number;
}

// @ts-expect-error TypeScript does not know this phase of imports
// deno-lint-ignore no-import-prefix
useCodec(await import.source("npm:@imagemagick/magick-wasm@0.0.43/magick.wasm"));
await addFiles("mine", [...caseFiles()].map(([path, bytes]) => ({ path, blob: new Blob([bytes]) })));
const data = await openData("mine", { split: "train", imageSize: 8 }), folder = "runs/a";
const options = { space: "s3", cells: 3, initChannels: 2, batchSize: 8, epochs: 2, stepsPerEpoch: 1, pad: 0 } as const;

const whole = await search(options, data);
const stop = new AbortController(), reason = new Error("enough");
let stopped = false;
try {
  await search(options, data, { folder, signal: stop.signal, onEpoch: () => stop.abort(reason) });
} catch (error) {
  stopped = error === reason;
}
await search(options, data, { folder });
const metrics = new TextDecoder().decode(readFile(`${folder}/metrics.jsonl`)).trimEnd().split("\n");
const files = listFiles(folder);
removeFiles(folder);
const losses = (records: readonly Losses[]): unknown[] =>
  records.map(({ trainLoss, valLoss, evalLoss }) => [trainLoss, valLoss, evalLoss]);
console.log(JSON.stringify({
  stopped,
  whole: losses(whole.epochs),
  resumed: losses(metrics.map((line) => JSON.parse(line))),
  files,
  left: listFiles(folder),
}));
