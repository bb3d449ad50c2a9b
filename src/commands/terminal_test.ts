import assert from "node:assert/strict";
import { commandLine } from "./terminal.ts";

const NO_ENVIRONMENT = { env: false } as const, THREADS = { env: ["LP_NUM_THREADS"] };

Deno.test("printed commands can be pasted whatever folders are called", { permissions: NO_ENVIRONMENT }, () => {
  const quiet = Deno.build.os === "windows" ? "" : "DENO_NO_UPDATE_CHECK=1 ";
  const line = (folder: string) =>
    commandLine(["train", folder, "--preset", "demo"], { read: [folder], write: [folder] });
  const [plain, spaced, comma, quote, dash] = ["runs/a", "my runs/a b", "runs/a,b/c", "it's", "-x"].map(line);
  assert.equal(plain, `${quiet}deno run --allow-read=runs/a --allow-write=runs/a cli.ts train runs/a --preset demo`);
  assert.match(spaced, /run '--allow-read=my runs\/a b' '--allow-write=my runs\/a b' cli.ts train 'my runs\/a b' --/);
  assert.match(comma, /run --allow-read=runs --allow-write=runs cli.ts train runs\/a,b\/c --preset/);
  assert.match(quote, /run '--allow-read=it'\\''s' .* cli.ts train 'it'\\''s' --preset/);
  assert.match(dash, /run --allow-read=-x --allow-write=-x cli.ts train .\/-x --preset demo$/);
});

Deno.test("printed commands set the number of threads where this one may", { permissions: THREADS }, () => {
  const command = commandLine(["doctor"], { read: [], write: [] });
  assert.match(command, /deno run --allow-env=LP_NUM_THREADS \S+ doctor$/);
});
