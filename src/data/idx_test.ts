import "../platform/deno.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { FailureError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import { decodeIdx, readIdxImages, readIdxLabels } from "./idx.ts";

/** An IDX file of the given shape, elements counting up. */
function idx(shape: number[], type = 8): Uint8Array<ArrayBuffer> {
  const count = shape.reduce((a, b) => a * b, 1);
  const out = new Uint8Array(4 + 4 * shape.length + count);
  const view = new DataView(out.buffer);
  out.set([0, 0, type, shape.length]);
  shape.forEach((n, i) => view.setUint32(4 + 4 * i, n));
  for (let i = 0; i < count; i++) out[4 + 4 * shape.length + i] = i;
  return out;
}

const failure = (part: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof FailureError, String(error));
  assert.match(error.message, part);
  assert.match(error.message, /^Cannot read '[^']*f\.idx' as/);
  assert.doesNotMatch(error.message, /\n/);
  return true;
};

Deno.test("idx: plain and gzipped files decode alike", () => {
  for (const shape of [[5], [2, 3, 4], [2, 3, 4, 5], [300, 28, 28]]) {
    const bytes = idx(shape);
    const plain = decodeIdx(bytes, "f.idx");
    assert.deepEqual(plain.shape, shape);
    assert.deepEqual(plain.data, bytes.subarray(4 + 4 * shape.length));
    for (const level of [0, 9]) {
      assert.deepEqual(decodeIdx(gzipSync(bytes, { level }), "f.idx").data, plain.data);
    }
  }
  const two = [gzipSync(idx([50]).subarray(0, 20)), gzipSync(idx([50]).subarray(20))];
  assert.equal(decodeIdx(Buffer.concat(two), "f.idx").data[49], 49);
});

Deno.test("idx: images and labels have their own shapes", () => {
  const folder = Deno.makeTempDirSync({ prefix: "idarts-idx-" });
  try {
    const path = `${folder}/f.idx`;
    Deno.writeFileSync(path, idx([2, 3, 4]));
    assert.deepEqual(readIdxImages(path).shape, [2, 1, 3, 4]);
    assert.throws(() => readIdxLabels(path), failure(/shape must be \[N\]: current value is \[2, 3, 4\]/));
    Deno.writeFileSync(path, gzipSync(idx([2, 3, 4, 5])));
    assert.deepEqual(readIdxImages(path).shape, [2, 3, 4, 5]);
    Deno.writeFileSync(path, idx([6]));
    assert.deepEqual(readIdxLabels(path).shape, [6]);
    assert.throws(() => readIdxImages(path), failure(/current value is \[6\]/));
    assert.throws(() => readIdxImages(`${folder}/none/f.idx`), failure(/does not exist/));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("idx: each fault has its sentence", () => {
  const good = idx([4, 5, 6]);
  const zipped = gzipSync(good);
  const at = (i: number, v: number): Uint8Array => {
    const copy = good.slice();
    copy[i] = v;
    return copy;
  };
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(0), /at least 4 bytes and holds 0/],
    [good.subarray(0, 3), /at least 4 bytes and holds 3/],
    [good.subarray(0, 10), /header of 16 bytes is cut off/],
    [good.subarray(0, -1), /must hold 136 bytes for shape \[4, 5, 6\] and holds 135/],
    [new Uint8Array([...good, 0]), /and holds 137/],
    [at(0, 1), /magic number.*current value is 01000803/],
    [at(3, 0), /magic number/],
    [at(3, 5), /magic number/],
    [at(2, 0x0d), /unsigned bytes \(type 8\): current type is 13/],
    [at(7, 0), /1 to 2147483648 elements: current value is \[0, 5, 6\]/],
    [at(4, 255), /1 to 2147483648 elements/],
    [at(5, 1), /holds 136/],
    [new TextEncoder().encode("<!DOCTYPE html>"), /magic number.*3c21444f/],
    [zipped.subarray(0, 5), /at least 4 bytes and holds 0/],
    [zipped.subarray(0, 60), /cut off/],
    [zipped.subarray(0, -1), /cut off/],
    [new Uint8Array([...zipped, 9]), /damaged/],
    [zipped.map((b, i) => i === zipped.length - 6 ? b ^ 1 : b), /damaged/],
    [zipped.map((b, i) => i === 2 ? 7 : b), /damaged/],
    [gzipSync(good.subarray(0, -1)), /and holds 135/],
    [gzipSync(new Uint8Array([...good, 0])), /holds more/],
  ];
  for (const [bytes, part] of cases) {
    assert.throws(() => decodeIdx(bytes, "f.idx"), failure(part));
  }
});

Deno.test("idx: a gzip bomb and a boasting header cost no memory", () => {
  const bomb = new Uint8Array(64 << 20);
  bomb.set(idx([2, 2, 2]));
  const packed = gzipSync(bomb, { level: 1 });
  let start = performance.now();
  assert.throws(() => decodeIdx(packed, "f.idx"), failure(/holds more/));
  assert.ok(performance.now() - start < 500, "it stops early");
  const boast = idx([1, 1, 1]);
  new DataView(boast.buffer).setUint32(4, 2 ** 31 - 1);
  start = performance.now();
  assert.throws(() => decodeIdx(gzipSync(boast), "f.idx"), failure(/cannot hold that many/));
  assert.ok(performance.now() - start < 200, "nothing is allocated");
});

Deno.test("idx: 1000 mutated files decode or fail cleanly", () => {
  const good = idx([7, 6, 5]);
  const originals = [good, new Uint8Array(gzipSync(good)), idx([9])];
  let failed = 0;
  for (let i = 0; i < 1000; i++) {
    const random = new Random(2, "mutate/idx", i);
    let bytes = originals[i % originals.length].slice();
    for (let k = random.below(3); k >= 0; k--) {
      const at = random.below(random.below(2) ? 20 : bytes.length) %
        Math.max(1, bytes.length);
      const kind = random.below(4);
      if (kind === 0) bytes = bytes.slice(0, at);
      else if (kind === 1) bytes[at] ^= 1 << random.below(8);
      else if (kind === 2) bytes[at] = random.below(256);
      else bytes = new Uint8Array([...bytes, ...bytes.subarray(at)]);
    }
    try {
      const { shape, data } = decodeIdx(bytes, "f.idx");
      assert.equal(shape.reduce((a, b) => a * b, 1), data.length);
    } catch (error) {
      assert.ok(error instanceof FailureError, `${i}: ${error}`);
      failed++;
    }
  }
  assert.ok(failed > 500, `only ${failed} of 1000 were refused`);
});
