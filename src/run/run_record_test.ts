/** `config.json` and what lies beside it, where a process was killed on the way. */
import "../platform/deno.ts";
import assert from "node:assert/strict";
import type { Beginnings } from "./phase.ts";
import { RunFolder } from "./run_folder.ts";
import { writeRecord } from "./run_record.ts";

Deno.test("record: a run that was killed after its configuration has its definitions as soon as it goes on", () => {
  const path = Deno.makeTempDirSync({ prefix: "run-record-" });
  const beginnings = {
    kind: "search",
    options: { space: { name: "mine", nodes: 1 }, epochs: 2 },
    data: { name: "d", fingerprint: "f", count: 4, channels: 1, height: 8, width: 8, classes: 2 },
  } as unknown as Beginnings;
  const written = (): (string | undefined)[] =>
    ["config.json", "space.yaml"].map((name) => {
      try {
        return Deno.readTextFileSync(`${path}/${name}`);
      } catch {
        return undefined;
      }
    });
  try {
    {
      using folder = RunFolder.create(path);
      const order: string[] = [], write = folder.writeFile.bind(folder);
      folder.writeFile = (name, data) => {
        order.push(...written().map((text) => String(text !== undefined)));
        write(name, data);
      };
      writeRecord(folder, beginnings, "adapter");
      assert.deepEqual(order.slice(-2), ["true", "false"], "the configuration comes first");
    }
    const whole = written();
    assert.ok(whole.every((text) => text !== undefined));
    Deno.removeSync(`${path}/space.yaml`);
    using again = RunFolder.enter(path);
    writeRecord(again, beginnings, "another adapter");
    assert.deepEqual(written(), whole);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});
