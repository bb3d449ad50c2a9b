/// <reference lib="webworker" />
/**
 * The thread of the page that holds the device and does the work, so that the page stays responsive.
 * @module
 */
import { addFiles, listFiles, removeFiles, useCodec } from "../platform/browser.ts";
import { FailureError, UsageError } from "../base/errors.ts";
import { openGpu } from "../gpu/device.ts";
import {
  beginJob,
  begunJob,
  type Choices,
  downloads,
  IMAGES,
  perform,
  RUNS,
  shownJob,
  tidyRuns,
  trainingBegun,
} from "./job.ts";
import { Keeper } from "./keep.ts";
import type { PageUpdate, Wish } from "./messages.ts";
import { SAMPLE_FILES, SAMPLE_FOLDER } from "./sample.ts";

let base = "", data = "", adapter = "", stop = new AbortController();
let keeper: Keeper | undefined;

function tell(update: PageUpdate): void {
  postMessage(update);
}

/** Where the page is while nothing runs. */
function tellStage(): void {
  if (adapter === "") return tell({ stage: "waiting" });
  const made = downloads();
  if (made) return tell({ stage: "done", downloads: made });
  tell({ stage: begunJob() ? "stopped" : data === "" ? "empty" : "ready", training: trainingBegun() });
}

/** Keeps the files. Where that cannot be done it says so once and goes on without. */
async function keep(): Promise<void> {
  try {
    await keeper?.save();
  } catch (error) {
    keeper = undefined;
    tell({ warning: `A reload will lose what is done from now on: the browser does not keep it (${error})` });
  }
}

/** Opens what was kept, unless another tab has it open: it waits a little for one that is being left. */
async function recall(): Promise<void> {
  const held = Promise.withResolvers<void>(), signal = AbortSignal.timeout(5000);
  navigator.locks.request("idarts", { signal }, () => (held.resolve(), new Promise(() => {}))).catch(held.reject);
  try {
    await held.promise;
  } catch {
    throw new FailureError("Cannot search here as this page is open in another tab: close one of them and reload");
  }
  keeper = await Keeper.open();
  const [image] = listFiles(IMAGES), job = begunJob();
  if (image !== undefined) {
    data = image.split("/").slice(0, 2).join("/");
    tellImages();
  }
  if (job) tell({ ...await shownJob(), options: job });
}

function tellImages(): void {
  tell({ images: `${data.slice(IMAGES.length + 1)}: ${listFiles(data).length} files` });
}

async function begin(): Promise<void> {
  useCodec(new URL("magick.wasm", base));
  if (navigator.gpu === undefined) { // as on plain http, where there are no locks either
    throw new FailureError("Cannot search here as this browser has no WebGPU: take a newer one, on https or localhost");
  }
  await recall();
  const { device, name, software } = await openGpu();
  device.destroy();
  adapter = software ? `${name}: software, so the processor does the work, which takes long` : name;
  tell({ adapter });
  tellStage();
}

async function takeImages(name: string, files: readonly { path: string; blob: Blob }[]): Promise<void> {
  removeFiles(IMAGES);
  data = `${IMAGES}/${name}`;
  try {
    await addFiles(data, files);
  } catch (error) {
    removeFiles(IMAGES);
    data = "";
    throw new FailureError(`Cannot read all files of '${name}' (${error}): choose the folder again`, { cause: error });
  }
  tellImages();
  await keep();
  tell({ stage: "ready", fault: "" });
}

async function takeSample(): Promise<void> {
  const files = SAMPLE_FILES.map(async (path) => {
    const response = await fetch(new URL(`${SAMPLE_FOLDER}/${path}`, base));
    if (!response.ok) throw new FailureError(`Cannot get '${path}' of the sample: status ${response.status}`);
    return { path, blob: await response.blob() };
  });
  await takeImages(SAMPLE_FOLDER, await Promise.all(files));
}

async function start(options: Choices): Promise<void> {
  const job = begunJob();
  if (!job) beginJob({ data, ...options });
  else if (!trainingBegun()) beginJob({ ...job, train: options.train }); // what could not begin may be chosen again
  stop = new AbortController();
  tell({ stage: "running", fault: "" });
  const warn = (warning: string): void => tell({ warning });
  await perform(begunJob()!, { tell, warn, keep: () => void keep(), signal: stop.signal });
  await keep();
  tellStage();
}

async function fulfil(wish: Wish): Promise<void> {
  switch (wish.kind) {
    case "begin":
      base = wish.base;
      return await begin();
    case "images":
      return await takeImages(wish.name, wish.files);
    case "sample":
      return await takeSample();
    case "start":
      return await start(wish.options);
    case "stop":
      tell({ news: "Stopping after the current step ..." });
      return stop.abort(new DOMException("stopped", "AbortError"));
    case "forget":
      removeFiles(RUNS);
      removeFiles(IMAGES);
      data = "";
      await keep();
      return tellStage();
  }
}

async function listen({ data: wish }: MessageEvent<Wish>): Promise<void> {
  try {
    await fulfil(wish);
  } catch (error) {
    if (error === stop.signal.reason) {
      tidyRuns();
      tell({ news: begunJob() ? "Stopped. It can go on from here." : "Stopped before the first step." });
    } else {
      const expected = error instanceof UsageError || error instanceof FailureError;
      tell({ fault: !(error instanceof Error) ? String(error) : expected ? error.message : error.stack });
    }
    tidyRuns();
    await keep();
    tellStage();
  }
}

/** Wishes are fulfilled one after the other, but for the one to stop. */
let last: Promise<void> = Promise.resolve();
addEventListener("message", (event: MessageEvent<Wish>) => {
  if (event.data.kind === "stop") listen(event);
  else last = last.then(() => listen(event)).catch((error) => tell({ fault: String(error) }));
});
