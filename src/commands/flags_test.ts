import "../platform/deno.ts";
import assert from "node:assert/strict";
import { Command } from "commander";
import { defineOptions } from "../base/options.ts";
import { addOptions, spellOut } from "./flags.ts";

Deno.test("flags: a switch may be written in every form, and names of files may begin with a dash", () => {
  const { options } = defineOptions([
    { key: "flip", kind: "choice", choices: ["auto", "on", "off"], default: "auto", group: "A", help: "h" },
    { key: "fold", kind: "boolean", default: true, group: "A", help: "h" },
    { key: "epochs", kind: "int", default: 3, group: "A", help: "h" },
  ]);
  addOptions(new Command(), options);
  const cases: [string, string][] = [
    ["train --flip on DARTS_V2", "train --flip on DARTS_V2"],
    ["train --flip DARTS_V2", "train --flip on DARTS_V2"],
    ["train --flip", "train --flip on"],
    ["train --flip auto x", "train --flip auto x"],
    ["train --no-flip x", "train --flip off x"],
    ["train --flip=off x", "train --flip off x"],
    ["train --flip=maybe x", "train --flip=maybe x"],
    ["export --fold model", "export --fold model"],
    ["export --fold on model", "export --fold model"],
    ["export --fold off model", "export --no-fold model"],
    ["export --fold=false model", "export --no-fold model"],
    ["export --no-fold model", "export --no-fold model"],
    ["search --epochs 3 on", "search --epochs 3 on"],
    ["predict m -1.png --x.png -h --top=3", "predict m ./-1.png ./--x.png -h --top=3"],
    ["predict m -2.png", "predict m -2.png"],
    ["predict m -- -1.png --flip", "predict m -- -1.png --flip"],
  ];
  const files = ["-1.png", "--x.png", "-h", "--top=3"];
  for (const [given, wanted] of cases) {
    assert.equal(spellOut(given.split(" "), (path) => files.includes(path)).join(" "), wanted, given);
  }
  // Where nothing but flags may stand, what follows a choice is its value, whatever it is.
  assert.deepEqual(spellOut(["--flip", "maybe"], () => false, true), ["--flip", "maybe"]);
  assert.deepEqual(spellOut(["--flip", "--fold"], () => false, true), ["--flip", "on", "--fold"]);
});
