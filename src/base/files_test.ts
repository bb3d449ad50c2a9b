import "../platform/deno.ts";
import assert from "node:assert/strict";
import { FailureError } from "./errors.ts";
import { baseName, exists, fileError, folderOf, joinPath, readBytes, readText, writeAtomic } from "./files.ts";

function inTemp(run: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "idarts-files-" });
  try {
    run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const failure = (part: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof FailureError, String(error));
  assert.match(error.message, part);
  assert.doesNotMatch(error.message, /\n/);
  return true;
};

Deno.test("paths: folder, base name and joining", () => {
  const cases = [
    ["a/b/c.txt", "a/b", "c.txt"],
    ["c.txt", ".", "c.txt"],
    ["/c.txt", "/", "c.txt"],
    ["a/b/", "a", "b"],
    ["a\\b", "a", "b"],
  ];
  for (const [path, folder, base] of cases) {
    assert.equal(folderOf(path), folder);
    assert.equal(baseName(path), base);
  }
  assert.equal(joinPath("a", "b"), "a/b");
  assert.equal(joinPath("a/", "b"), "a/b");
});

Deno.test("writeAtomic: replaces, keeps a backup and leaves nothing else", () => {
  inTemp((folder) => {
    const path = joinPath(folder, "x.json");
    const backup = joinPath(folder, "old.json");
    assert.equal(exists(path), false);
    writeAtomic(path, "one", { backup });
    assert.equal(exists(backup), false);
    writeAtomic(path, new Uint8Array([116, 119, 111]), { backup });
    assert.equal(readText(path), "two");
    assert.equal(readText(backup), "one");
    writeAtomic(path, "");
    assert.equal(readBytes(path).length, 0);
    assert.deepEqual([...Deno.readDirSync(folder)].map((e) => e.name).sort(), ["old.json", "x.json"]);
  });
});

Deno.test("writeAtomic: an error leaves the folder as it was", () => {
  inTemp((folder) => {
    assert.throws(
      () => writeAtomic(joinPath(folder, "no/x"), "a"),
      failure(/^Cannot write '.*no\/x' as the folder '.*no' does not exist/),
    );
    const inner = joinPath(folder, "inner");
    Deno.mkdirSync(joinPath(inner, "full"), { recursive: true });
    assert.throws(() => writeAtomic(inner, "a"), failure(/it is a folder/));
    const path = joinPath(folder, "x");
    writeAtomic(path, "kept");
    assert.throws(() => writeAtomic(path, "new", { backup: inner }), failure(/Cannot write/));
    assert.equal(readText(path), "kept");
    assert.throws(() => writeAtomic(joinPath(path, "y"), "a"), failure(/a part of the path is a file/));
    assert.throws(() => writeAtomic(joinPath(folder, "n".repeat(300)), "a"), failure(/too long/));
    assert.deepEqual([...Deno.readDirSync(folder)].map((e) => e.name).sort(), ["inner", "x"]);
  });
});

Deno.test("readBytes and readText: what is no proper file gets a sentence", () => {
  inTemp((folder) => {
    assert.throws(() => readBytes(joinPath(folder, "none")), failure(/^Cannot read '.*none' as it does not exist/));
    assert.throws(() => readBytes(folder), failure(/must be a file.*folder/));
    const path = joinPath(folder, "x");
    Deno.writeFileSync(path, new Uint8Array([0xff, 0xfe, 0xff]));
    assert.throws(() => readText(path), failure(/UTF-8/));
    assert.throws(() => readBytes(path, { maxBytes: 2 }), failure(/at most 2 bytes long: current size is 3/));
  });
});

Deno.test("fileError: system errors name the remedy", () => {
  const coded = (code: string): Error => Object.assign(new Error(`${code} (os error)`), { code });
  assert.match(fileError(coded("ENOSPC"), "write", "a/b").message, /disk full|disk is full/);
  assert.match(fileError(coded("EROFS"), "write", "a/b").message, /read-only/);
  assert.match(fileError(coded("EACCES"), "read", "b").message, /denies access/);
  assert.match(fileError(new Deno.errors.PermissionDenied("x"), "read", "b").message, /denies access/);
  assert.match(fileError(coded("EWHAT"), "read", "b").message, /the system says: EWHAT/);
  assert.equal(fileError("odd", "read", "b") instanceof FailureError, true);
});

Deno.test({
  name: "files: missing Deno permissions name the flag to add",
  permissions: { read: false, write: false },
  fn() {
    assert.throws(() => writeAtomic("/nowhere/run/x", "a"), failure(/add --allow-write=\/nowhere\/run$/));
    assert.throws(() => readBytes("/nowhere/x"), failure(/add --allow-read=\/nowhere\/x$/));
    assert.throws(() => exists("/nowhere/x"), failure(/add --allow-read=\/nowhere\/x$/));
  },
});
