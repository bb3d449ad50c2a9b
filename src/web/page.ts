/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * What happens in the page: images that are dropped or chosen go to the worker, buttons too, and what it tells is shown.
 * It computes nothing itself.
 * @module
 */
import { showUpdate } from "../report/live_view.ts";
import type { Download } from "./job.ts";
import type { PageUpdate, Stage, Wish } from "./messages.ts";

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const button = (id: string): HTMLButtonElement => element<HTMLButtonElement>(id);
const field = (id: string): HTMLTextAreaElement => element<HTMLTextAreaElement>(id);

/** A worker made of a blob lives under the policy of the page. */
async function startWorker(): Promise<Worker> {
  const response = await fetch("worker.js"), program = new Blob([await response.text()], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(program), { type: "module" });
}

const worker = await startWorker();

function wish(wish: Wish): void {
  worker.postMessage(wish);
}

function showStage(stage: Stage, training: boolean): void {
  const idle = stage === "empty" || stage === "ready";
  element("live").hidden = idle || stage === "waiting";
  element("results").hidden = stage !== "done";
  button("start").disabled = stage !== "ready" && stage !== "stopped";
  button("start").textContent = stage === "stopped" ? "Go on" : "Search and train";
  button("stop").disabled = stage !== "running";
  button("forget").disabled = !["ready", "stopped", "done"].includes(stage);
  for (const id of ["folder", "sample"]) element<HTMLInputElement>(id).disabled = !idle;
  field("search-options").disabled = !idle;
  field("train-options").disabled = !idle && (stage !== "stopped" || training);
  if (idle) element("warnings").replaceChildren();
  if (stage === "empty") element("images").textContent = "No images yet.";
  // Whoever pressed a button that can no longer be pressed is at the next one.
  const pressed = document.activeElement === button("start") || document.activeElement === button("stop");
  if (pressed) button(stage === "running" ? "stop" : "start").focus();
  document.body.dataset.stage = stage;
}

function offer({ name, title, type, bytes }: Download): HTMLElement {
  const link = document.createElement("a"), item = document.createElement("li");
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.download = link.textContent = name;
  item.append(link, `: ${title}`);
  return item;
}

function show(update: PageUpdate): void {
  showUpdate(document, update);
  const { stage, adapter, images, options, fault, warning, downloads } = update;
  if (adapter !== undefined) element("adapter").textContent = adapter;
  if (images !== undefined) element("images").textContent = images;
  if (options !== undefined) {
    [field("search-options").value, field("train-options").value] = [options.search, options.train];
  }
  if (fault !== undefined) [element("fault").textContent, element("fault").hidden] = [fault, fault === ""];
  if (warning !== undefined) {
    const item = document.createElement("li");
    item.textContent = warning;
    element("warnings").append(item);
  }
  if (downloads !== undefined) element("downloads").replaceChildren(...downloads.map(offer));
  if (stage !== undefined) showStage(stage, update.training ?? false);
}

/** Files with their paths below the folder that they came with. */
type Found = { path: string; blob: Blob }[];

/** Sends images to the worker. A folder around all of them gives them its name. */
function take(found: Found): void {
  const tops = new Set(found.map(({ path }) => path.split("/")[0])), [top] = tops;
  const one = tops.size === 1 && found.every(({ path }) => path.includes("/"));
  const files = one ? found.map(({ path, blob }) => ({ path: path.slice(top.length + 1), blob })) : found;
  if (files.length > 0) wish({ kind: "images", name: one ? top : "images", files });
}

/** All files in what was dropped. */
async function filesOf(entry: FileSystemEntry): Promise<Found> {
  if (entry.isFile) {
    const blob = await new Promise<File>((done, fail) => (entry as FileSystemFileEntry).file(done, fail));
    return [{ path: entry.fullPath.slice(1), blob }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader(), inner: Found = [];
  while (true) { // a call gives a part of them, and nothing at the end
    const part = await new Promise<FileSystemEntry[]>((done, fail) => reader.readEntries(done, fail));
    if (part.length === 0) return inner;
    for (const each of part) inner.push(...await filesOf(each));
  }
}

function listenForImages(): void {
  const drop = element("drop"), chosen = element<HTMLInputElement>("folder");
  const mark = (over: boolean) => (event: DragEvent): void => {
    event.preventDefault();
    drop.classList.toggle("over", over);
  };
  document.addEventListener("dragover", mark(true));
  document.addEventListener("dragleave", mark(false));
  document.addEventListener("drop", async (event) => {
    mark(false)(event);
    if (chosen.disabled) return;
    const entries = [...event.dataTransfer!.items].map((item) => item.webkitGetAsEntry()).filter((e) => e !== null);
    take((await Promise.all(entries.map(filesOf))).flat());
  });
  chosen.addEventListener("change", () => {
    take([...chosen.files!].map((blob) => ({ path: blob.webkitRelativePath || blob.name, blob })));
    chosen.value = "";
  });
}

worker.addEventListener("message", ({ data }: MessageEvent<PageUpdate>) => show(data));
worker.addEventListener("error", ({ message }) => show({ fault: message }));
listenForImages();
button("sample").addEventListener("click", () => wish({ kind: "sample" }));
button("start").addEventListener(
  "click",
  () =>
    wish({ kind: "start", options: { search: field("search-options").value, train: field("train-options").value } }),
);
button("stop").addEventListener("click", () => wish({ kind: "stop" }));
button("forget").addEventListener("click", () => wish({ kind: "forget" }));
wish({ kind: "begin", base: document.baseURI });
