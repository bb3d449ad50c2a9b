/**
 * The page in Chromium, as a person uses it: a folder of images is chosen, a search is begun, stopped, gone on with after
 * a reload, and what came of it is taken away. It is what Deno finds on the same adapter, digit for digit.
 * @module
 */
import assert from "node:assert/strict";
import { caseFiles } from "./case.ts";
import { Chromium, deno, DRIVER, Folder, isThere, NO_CHROMIUM, ROOT, serveFolder } from "./chromium.ts";

const SMALL = "cells: 3\nbatch-size: 8\npad: 0\nprecision: f32\nimage-size: 8\n";
const SEARCH = `${SMALL}space: s3\ninit-channels: 2\nepochs: 12\nsteps-per-epoch: 1\n`;
const TRAIN = `${SMALL}init-channels: 4\nepochs: 1\nauxiliary-weight: 0\nval-images: 0\n`;
const FILES = ["report.html", "genotype.json", "genotype.txt", "cells.svg", "metrics.jsonl", "model.onnx"];

/** Writes the images of the case, a folder for each class. */
function writeImages(folder: string): void {
  for (const [path, bytes] of caseFiles()) {
    Deno.mkdirSync(`${folder}/${path.split("/")[0]}`, { recursive: true });
    Deno.writeFileSync(`${folder}/${path}`, bytes);
  }
}

/** What a person does in the page. */
class Person {
  constructor(readonly browser: Chromium) {}

  /** Presses a button. */
  async press(id: string): Promise<void> {
    assert.equal(await this.browser.evaluate(`document.getElementById("${id}").disabled`), false, id);
    await this.browser.evaluate(`document.getElementById("${id}").click()`);
  }

  /** Waits until the page is somewhere; fails where the page says what went wrong. */
  async waitFor(stage: string): Promise<void> {
    await this.browser.until(
      `document.body?.dataset.stage === "${stage}" || !!document.getElementById("fault")?.textContent`,
    );
    assert.equal(await this.text("fault"), "");
  }

  async text(id: string): Promise<string> {
    return await this.browser.evaluate(`document.getElementById("${id}").textContent`) as string;
  }

  async chooseFolder(folder: string): Promise<void> {
    const { root } = await this.browser.call("DOM.getDocument") as { root: { nodeId: number } };
    const { nodeId } = await this.browser.call("DOM.querySelector", { nodeId: root.nodeId, selector: "#folder" });
    await this.browser.call("DOM.setFileInputFiles", { nodeId, files: [folder] });
  }

  async write(id: string, text: string): Promise<void> {
    await this.browser.evaluate(`document.getElementById("${id}").value = ${JSON.stringify(text)}`);
  }

  /** Takes all files away, into a folder. */
  async download(folder: string): Promise<void> {
    await this.browser.call("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
    for (const name of FILES) {
      await this.browser.evaluate(`document.querySelector("#downloads a[download='${name}']").click()`);
      while (!isThere(`${folder}/${name}`)) {
        await new Promise((done) => setTimeout(done, 50));
        await this.browser.evaluate("0"); // fails where the browser was given up
      }
    }
  }
}

Deno.test({
  name: "page: what a person finds with it, with a stop and a reload on the way, is what Deno finds",
  ignore: NO_CHROMIUM,
  async fn() {
    using made = new Folder();
    const folder = made.path, images = `${folder}/mine`, taken = `${folder}/taken`;
    await deno(["task", "page"]);
    writeImages(images);
    await using server = serveFolder(new URL(".cache/page", ROOT).pathname);
    await using browser = await Chromium.open(`http://127.0.0.1:${server.addr.port}/`, `${folder}/profile`);
    const person = new Person(browser);
    await person.waitFor("empty");
    assert.match(await person.text("adapter"), /swiftshader: software/i);
    await person.chooseFolder(images);
    await person.waitFor("ready");
    assert.equal(await person.text("images"), "mine: 32 files");
    await person.write("search-options", SEARCH);
    await person.write("train-options", TRAIN);
    await person.press("start");
    await person.waitFor("running");
    await browser.until(`document.getElementById("news").textContent.startsWith("Epoch 1 of 12 of the search")`);
    await person.press("stop");
    await person.waitFor("stopped");
    await browser.evaluate("globalThis.old = true");
    await browser.call("Page.reload");
    await browser.until("globalThis.old === undefined");
    await person.waitFor("stopped");
    assert.deepEqual([await person.text("images"), await person.text("start")], ["mine: 32 files", "Go on"]);
    assert.equal(await browser.evaluate(`document.getElementById("search-options").value`), SEARCH);
    await person.press("start");
    await person.waitFor("done");
    assert.match(await person.text("news"), /^Done: the network gets \d+\.\d% of the test images right\.$/);
    assert.equal(await browser.evaluate(`document.querySelectorAll("#cells svg").length`), 1);
    assert.equal(await browser.evaluate(`document.querySelectorAll("#curves svg.chart").length`), 4);
    assert.equal(await browser.evaluate(`document.querySelectorAll("#training svg.chart").length`), 3);
    await assert.rejects(browser.evaluate(`fetch("http://127.0.0.1:1/")`), /Failed to fetch/);
    await person.download(taken);
    const read = (name: string): string => Deno.readTextFileSync(`${taken}/${name}`);

    const driver = { VK_DRIVER_FILES: DRIVER, VK_ICD_FILENAMES: DRIVER, DENO_WEBGPU_BACKEND: "vulkan" };
    const permissions = [
      "--no-lock",
      "--no-prompt",
      "--no-check",
      "--allow-ffi",
      `--allow-read=${folder},node_modules`,
    ];
    const wanted = JSON.parse(
      await deno(
        ["run", ...permissions, "tests/browser/search_page_side.ts", images, SEARCH, TRAIN, `${taken}/model.onnx`],
        driver,
      ),
    );
    const epochs = read("metrics.jsonl").trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.equal(epochs.length, 12);
    assert.deepEqual(epochs.map(({ trainLoss, valLoss, evalLoss }) => [trainLoss, valLoss, evalLoss]), wanted.search);
    assert.equal(read("genotype.json"), wanted.genotype);
    assert.deepEqual([wanted.sameModel, wanted.shape], [true, [1, 2]]);
    assert.match(read("report.html"), /<!DOCTYPE html>[^]*A cell found on mine[^]*Evaluation on the test images/);
    assert.match(read("cells.svg"), /^<svg /);
  },
});
