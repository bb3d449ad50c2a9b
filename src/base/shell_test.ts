import "../platform/deno.ts";
import assert from "node:assert/strict";
import { allowFlag } from "./files.ts";
import { shellQuote } from "./shell.ts";

Deno.test("shell: words are quoted where they have to be", () => {
  assert.equal(shellQuote("runs/mnist-demo"), "runs/mnist-demo");
  assert.equal(shellQuote("my photos"), "'my photos'");
  assert.equal(shellQuote("it's"), `'it'\\''s'`);
  assert.equal(shellQuote('"$HOME"'), `'"$HOME"'`);
  assert.equal(shellQuote("a\nb"), "$'a\\x0ab'");
});

Deno.test("shell: a place that Deno's flag cannot name is allowed by a folder above it", () => {
  assert.equal(allowFlag("read", "runs", "a b"), "--allow-read=runs,a b");
  assert.equal(allowFlag("write", "/home/me/a,b/c"), "--allow-write=/home/me");
  assert.equal(allowFlag("read", "a,b", "x/y,z", "x"), "--allow-read=.,x");
});
