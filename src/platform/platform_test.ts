import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { BROWSER } from "./browser.ts";
import { DENO } from "./deno.ts";
import { MemoryFiles } from "./memory_files.ts";
import { type Files, usePlatform } from "./platform.ts";

usePlatform(DENO); // whichever module came last

const noise = Uint8Array.from({ length: 70_000 }, (_, i) => (i * i * 31 + (i >> 3)) % 251);

/** What an operation gives, or the code that it fails with. */
function codeOf(files: Files, operation: () => unknown): unknown {
  try {
    return operation();
  } catch (error) {
    return files.fault(error)?.code ?? error;
  }
}

Deno.test("platform: both count and unpack bytes alike", () => {
  assert.match(DENO.name, /^Deno \d+\.\d+/);
  for (const platform of [DENO, BROWSER]) {
    assert.equal(platform.crc32("123456789"), 0xcbf43926); // the check value of the catalogue of CRCs
    assert.equal(platform.crc32(noise), DENO.crc32(noise));
    assert.equal(platform.crc32(noise.subarray(9), platform.crc32(noise.subarray(0, 9))), DENO.crc32(noise));
    const packed = new Uint8Array(gzipSync(noise)), head = packed.subarray(0, 2000);
    assert.deepEqual(new Uint8Array(platform.gunzip(packed, { most: noise.length })), noise);
    const start = platform.gunzip(head, { most: noise.length, partial: true });
    assert.ok(start.length > 100);
    assert.deepEqual(new Uint8Array(start), noise.slice(0, start.length));
    assert.throws(() => platform.gunzip(packed, { most: noise.length - 1 }), { code: "ERR_BUFFER_TOO_LARGE" });
    assert.throws(() => platform.gunzip(head, { most: noise.length }), "cut off");
    assert.throws(() => platform.gunzip(noise, { most: noise.length }), "no gzip");
    const damaged = packed.slice();
    damaged[packed.length - 6] ^= 1;
    assert.throws(() => platform.gunzip(damaged, { most: noise.length }), "another check sum");
    const twice = new Uint8Array([...packed, ...packed]);
    assert.deepEqual(
      new Uint8Array(platform.gunzip(twice, { most: 2 * noise.length })),
      new Uint8Array([...noise, ...noise]),
    );
  }
});

Deno.test("platform: files in memory do what those on the disk do", () => {
  const root = Deno.makeTempDirSync({ prefix: "idarts-platform-" });
  const seen = [DENO.files, new MemoryFiles()].map((files) => {
    files.makeFolder(root);
    const at = (name: string): string => `${root}/${name}`, log: unknown[] = [];
    const text = (name: string): unknown => codeOf(files, () => new TextDecoder().decode(files.read(at(name))));
    const names = (name: string): unknown => codeOf(files, () => [...files.list(at(name))].map((e) => e.name).sort());
    const note = (operation: () => unknown): void => void log.push(codeOf(files, operation));
    const write = (name: string, content: string, options: object): void => {
      using file = files.open(at(name), options);
      file.writeSync(new TextEncoder().encode(content));
    };
    note(() => files.makeFolder(at("a/b")));
    note(() => files.makeFolder(at("a/b")));
    note(() => write("a/x", "hello", { write: true, createNew: true }));
    note(() => write("a/x", "again", { write: true, createNew: true }));
    note(() => write("a/x", "HE", { write: true }));
    note(() => write("a/x", "!", { append: true }));
    note(() => write("none/x", "", { write: true, create: true }));
    note(() => write("none", "", { write: true }));
    log.push(text("a/x"), text("a"), text("a/none"), text("a/x/y"), names(""), names("a"), names("a/x"));
    note(() => {
      using file = files.open(at("a/x"), { read: true, write: true });
      const two = new Uint8Array(2);
      log.push(file.readSync(two), [...two], file.seekSync(4, 0), file.readSync(two), [...two], file.readSync(two));
      file.truncateSync(3);
      log.push(file.tryLockSync(true));
      using other = files.open(at("a/x"), { read: true, write: true });
      log.push(other.tryLockSync(true));
      file.close();
      log.push(other.tryLockSync(true));
    });
    log.push(text("a/x"));
    for (const name of ["a", "a/x", "a/none", "a/x/y"]) {
      note(() => {
        const { isFile, isDirectory, isSymlink, size } = files.stat(at(name));
        return [isFile, isDirectory, isSymlink, isFile ? size : 0];
      });
    }
    note(() => files.rename(at("a/x"), at("a/b/y")));
    note(() => files.rename(at("a/x"), at("a/b/y")));
    note(() => write("z", "z", { write: true, create: true }));
    note(() => files.rename(at("z"), at("a/b/y")));
    note(() => files.remove(at("a/b")));
    log.push(text("a/b/y"));
    note(() => files.remove(at("a/b/y")));
    note(() => files.remove(at("a/b/y")));
    note(() => files.remove(at("a/b")));
    log.push(names("a"));
    return log;
  });
  Deno.removeSync(root, { recursive: true });
  assert.deepEqual(seen[1], seen[0]);
  assert.ok(seen[0].includes("ENOENT") && seen[0].includes("EEXIST") && seen[0].includes("HEllo!"));
});
