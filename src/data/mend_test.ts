/** What is forgiven in damaged images, with the pixels that Pillow gives, and what is not. */
import assert from "node:assert/strict";
import golden from "../../tests/golden/images.json" with { type: "json" };
import { FailureError } from "../base/errors.ts";
import { decodeImage } from "./decode.ts";
import { gifFault } from "./gif.ts";
import { concat, encodePng, pngChunk, samplePng } from "./testing.ts";

/** A GIF of one row, its codes not compressed: of four colours its table has two. */
function shortGif(indices: readonly number[], own = false): Uint8Array<ArrayBuffer> {
  const codes = [...indices.flatMap((index) => [4, index]), 5], bytes = new Uint8Array(Math.ceil(codes.length * 3 / 8));
  codes.forEach((code, i) => {
    for (let bit = 0; bit < 3; bit++) if (code >> bit & 1) bytes[3 * i + bit >> 3] |= 1 << (3 * i + bit & 7);
  });
  const table = Uint8Array.of(10, 20, 30, 40, 50, 60), width = indices.length, flags = 0x80;
  return concat(
    new TextEncoder().encode("GIF89a"),
    Uint8Array.of(width, 0, 1, 0, own ? 0 : flags, 0, 0),
    own ? new Uint8Array() : table,
    Uint8Array.of(0x2c, 0, 0, 0, 0, width, 0, 1, 0, own ? flags : 0),
    own ? table : new Uint8Array(),
    Uint8Array.of(2, bytes.length, ...bytes, 0, 0x3b),
  );
}

const pixelsOf = async (file: Uint8Array): Promise<number[]> => [...(await decodeImage(file, "f")).data];
const refuses = async (file: Uint8Array, part: RegExp): Promise<void> => {
  await assert.rejects(decodeImage(file, "f"), (error: Error) => {
    assert.ok(error instanceof FailureError, String(error));
    assert.match(error.message, part);
    return true;
  });
};
/** Red, green and blue whatever the number of channels. */
const SHOWN = [10, 20, 30, 40, 50, 60, 2, 2, 2, 3, 3, 3];

Deno.test("mend: indices beyond a palette are greys, in GIF and PNG", async () => {
  for (const own of [false, true]) assert.deepEqual(await pixelsOf(shortGif([0, 1, 2, 3], own)), SHOWN);
  assert.deepEqual(await pixelsOf(shortGif([0, 1])), SHOWN.slice(0, 6));
  for (const depth of [2, 4, 8]) {
    const png = encodePng({
      ...{ width: 4, height: 1, depth, colour: 3, palette: [10, 20, 30, 40, 50, 60] },
      sample: (_, x) => x,
    });
    assert.deepEqual(await pixelsOf(png), SHOWN, `${depth} bits`);
  }
  const clear = encodePng({
    ...{ width: 3, height: 1, depth: 8, colour: 3, palette: [10, 20, 30], transparency: [0] },
    sample: (_, x) => [0, 1, 200][x],
  });
  assert.deepEqual(await pixelsOf(clear), [255, 255, 255, 1, 1, 1, 200, 200, 200]);
});

Deno.test("mend: what is damaged beside the pixels of a PNG is no damage", async () => {
  const good = samplePng(3),
    whole = await pixelsOf(good),
    changed = (at: number): Uint8Array => {
      const out = good.slice();
      out[at] ^= 0x41;
      return out;
    };
  const text = 33 + 8 + 2, end = good.length;
  const cases = {
    "its note": changed(text),
    "the check sum of its note": changed(33 + 8 + 22),
    "the check sum of its pixels": changed(end - 12 - 1),
    "its end": changed(end - 6),
    "the check sum of its end": changed(end - 1),
    "no end": good.subarray(0, end - 12),
    "half a check sum and no end": good.subarray(0, end - 14),
    "what follows its pixels": concat(good.subarray(0, end - 12), new TextEncoder().encode("<html>not found</html>")),
  };
  for (const [what, file] of Object.entries(cases)) assert.deepEqual(await pixelsOf(file), whole, what);
});

Deno.test("mend: wrong pixels are refused, whatever their check sums say", async () => {
  const good = samplePng(3), at = good.length - 12 - 4 - 40, changed = good.slice();
  changed[at] ^= 4;
  await refuses(changed, /damaged|cut off/);
  const from = good.lastIndexOf(0x49, good.length - 13) + 4; // of the second IDAT
  const repaired = concat(
    good.subarray(0, from - 8),
    pngChunk("IDAT", changed.subarray(from, good.length - 16)),
    good.subarray(good.length - 12),
  );
  await refuses(repaired, /damaged|cut off/);
  await refuses(good.subarray(0, good.length - 24), /cut off/);
});

Deno.test("mend: GIF codes that mean nothing, or too few, are refused; surplus ones are not", async () => {
  const good = shortGif([0, 1, 2, 3]), codes = good.length - 2 - 4;
  const wrong = good.slice();
  wrong[codes] = 0xff; // no code is that high after the first
  await refuses(wrong, /wrong codes\): the file is damaged/);
  const more = good.slice();
  more[6] = more[24] = 5; // more pixels than codes
  await refuses(more, /premature end of its codes\): the file is cut off/);
  await refuses(good.subarray(0, codes + 1), /cut off|damaged/);
  const fewer = good.slice();
  fewer[6] = fewer[24] = 3;
  assert.deepEqual(await pixelsOf(fewer), SHOWN.slice(0, 9));
  for (const [name, { file }] of Object.entries(golden)) {
    if (name.startsWith("gif")) assert.equal(gifFault(Uint8Array.fromBase64(file)), undefined, name);
  }
});

Deno.test("mend: BMP headers say what cannot be, and the pixels are there", async () => {
  for (const name of ["bmp RGB", "bmp 1", "bmp P", "bmp L"] as const) {
    const file = Uint8Array.fromBase64(golden[name].file), whole = await pixelsOf(file);
    const set = (at: number, ...values: number[]): Uint8Array => {
      const out = file.slice();
      out.set(values, at);
      return out;
    };
    const cases = {
      "no planes": set(26, 0, 0),
      "many planes": set(26, 3),
      "many colours": set(46, 1, 2, 3, 4),
      "no place of its pixels": set(10, 0, 0, 0, 0),
    };
    for (const [what, each] of Object.entries(cases)) assert.deepEqual(await pixelsOf(each), whole, `${name}: ${what}`);
  }
});

Deno.test("BMP: the fourth byte of a pixel is nothing unless the header says what", async () => {
  const [width, height] = [2, 1], file = new Uint8Array(54 + 8), view = new DataView(file.buffer);
  file.set([0x42, 0x4d]);
  view.setUint32(2, file.length, true);
  view.setUint32(10, 54, true);
  [40, width, height].forEach((value, i) => view.setUint32(14 + 4 * i, value, true));
  view.setUint16(26, 1, true);
  view.setUint16(28, 32, true);
  file.set([30, 20, 10, 0, 60, 50, 40, 128], 54);
  assert.deepEqual(await pixelsOf(file), [10, 20, 30, 40, 50, 60]);
});
