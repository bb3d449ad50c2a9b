import assert from "node:assert/strict";
import { CLONED, PROGRAM, programName, THREAD_PLACES } from "./program.ts";

Deno.test("program: it is called as it was started", () => {
  assert.equal(programName("file:///home/a/idarts/src/commands/program.ts"), "cli.ts");
  for (const origin of ["https://registry.example", "http://127.0.0.1:8000"]) {
    const module = `${origin}/@idarts/idarts/1.2.0-rc.1/src/commands/program.ts`;
    assert.equal(programName(module), "jsr:@idarts/idarts@1.2.0-rc.1/cli");
  }
  assert.equal(programName("https://example.com/x/src/commands/program.ts"), "https://example.com/x/cli.ts");
  assert.deepEqual([PROGRAM, CLONED, THREAD_PLACES], ["cli.ts", true, ["src"]]);
});
