import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { FailureError } from "../base/errors.ts";
import { applyJitter, cropPart } from "./changes.ts";
import { centreSquare, decodeImage, sniff, toSquare } from "./decode.ts";
import type { Pixels } from "./pixels.ts";
import { Resampler } from "./resample.ts";
import { concat, encodePng, PILLOW_JPEGS, pngChunk, sampleJpeg, samplePng, withOrientation } from "./testing.ts";

const refused = (part: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof FailureError, String(error));
  assert.match(error.message, /^Cannot read 'f' as /);
  assert.match(error.message, part);
  assert.doesNotMatch(error.message, /\n/);
  return true;
};

Deno.test("png: every colour type, depth and filter, interlaced or not", () => {
  const depths: Record<number, number[]> = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
  for (const [type, list] of Object.entries(depths)) {
    for (const depth of list) {
      for (const [width, height] of [[1, 1], [5, 3], [8, 8], [13, 9]]) {
        for (const interlaced of [false, true]) {
          for (const filter of [0, 1, 2] as const) {
            const colour = Number(type), max = 2 ** depth - 1, channels = colour === 0 || colour === 4 ? 1 : 3;
            const palette = Array.from({ length: 3 * 2 ** Math.min(depth, 8) }, (_, i) => (i * 37) & 255);
            const sample = (y: number, x: number, c: number): number => (y * 7919 + x * 104729 + c * 31 + x * y) & max;
            const file = encodePng({ width, height, depth, colour, interlaced, filter, sample, palette });
            const out = decodeImage(file, "f");
            assert.deepEqual([out.width, out.height, out.channels], [width, height, channels]);
            for (let y = 0; y < height; y++) {
              for (let x = 0; x < width; x++) {
                for (let c = 0; c < channels; c++) {
                  let want = 255 * sample(y, x, c) / max;
                  if (colour === 3) want = palette[3 * sample(y, x, 0) + c];
                  if (colour >= 4) {
                    const alpha = Math.round(255 * sample(y, x, channels) / max);
                    want = (Math.round(want) * alpha + 255 * (255 - alpha)) / 255;
                  }
                  assert.equal(
                    out.data[(y * width + x) * channels + c],
                    Math.round(want),
                    `${colour}/${depth}/${interlaced}`,
                  );
                }
              }
            }
          }
        }
      }
    }
  }
});

Deno.test("png: transparent colours and palette entries show white", () => {
  const base = { width: 3, height: 1, depth: 8, sample: (_: number, x: number) => x };
  const palette = [10, 20, 30, 40, 50, 60, 70, 80, 90];
  const indexed = decodeImage(encodePng({ ...base, colour: 3, palette, transparency: [255, 0] }), "f");
  assert.deepEqual([...indexed.data], [10, 20, 30, 255, 255, 255, 70, 80, 90]);
  const grey = decodeImage(encodePng({ ...base, colour: 0, transparency: [0, 2] }), "f");
  assert.deepEqual([...grey.data], [0, 1, 255]);
  const rgb = decodeImage(encodePng({ ...base, colour: 2, transparency: [0, 1, 0, 1, 0, 1] }), "f");
  assert.deepEqual([...rgb.data], [0, 0, 0, 255, 255, 255, 2, 2, 2]);
  assert.throws(
    () => decodeImage(encodePng({ ...base, colour: 3, palette: palette.slice(0, 6) }), "f"),
    refused(/no colour 2/),
  );
});

Deno.test("png: bombs and damage are refused before they cost anything", () => {
  const signature = samplePng(0).subarray(0, 8);
  const header = (width: number, height: number, depth = 8, colour = 2): Uint8Array => {
    const body = new Uint8Array(13), view = new DataView(body.buffer);
    view.setUint32(0, width);
    view.setUint32(4, height);
    body.set([depth, colour, 0, 0, 0], 8);
    return pngChunk("IHDR", body);
  };
  const end = pngChunk("IEND", new Uint8Array()), zeros = deflateSync(new Uint8Array(1 << 22));
  const file = (...chunks: Uint8Array[]): Uint8Array => concat(signature, ...chunks, end);
  const cases: [Uint8Array, RegExp][] = [
    [file(header(2 ** 31 - 1, 2 ** 31 - 1)), /50 million pixels: its header says 2147483647 x 2147483647/],
    [file(header(0, 5)), /1 to 50 million pixels/],
    [file(header(5000, 5000), pngChunk("IDAT", new Uint8Array(9))), /too short for its size/],
    [file(header(4, 4), pngChunk("IDAT", zeros)), /cannot be unpacked/], // More than its size.
    [file(header(100, 20), pngChunk("IDAT", deflateSync(new Uint8Array(999)))), /must take 6020 bytes and take 999/],
    [file(header(4, 4, 3)), /no colour type 2 with 3 bits/],
    [file(header(4, 4, 8, 5)), /no colour type 5/],
    [file(header(4, 4)), /cannot be unpacked/],
    [file(header(4, 4, 8, 3), pngChunk("IDAT", deflateSync(new Uint8Array(20)))), /no palette/],
    [samplePng(1).subarray(0, -30), /is cut off/],
    [samplePng(1).subarray(0, 15), /header is cut off/],
    [samplePng(1).subarray(0, 25), /chunk 'IHDR' is cut off/],
    [samplePng(1).with(samplePng(1).length - 20, 99), /check sum/],
    [new Uint8Array(100), /PNG or JPEG and begins like neither/],
    [new Uint8Array(), /PNG or JPEG and begins like neither/],
  ];
  for (const [bytes, part] of cases) assert.throws(() => decodeImage(bytes, "f"), refused(part));
});

Deno.test("jpeg: pixels, and what is refused", () => {
  const file = sampleJpeg(3, 40, 24, 98), out = decodeImage(file, "f");
  assert.deepEqual([out.width, out.height, out.channels], [40, 24, 3]);
  const red = (x: number, y: number): number => 128 + 100 * Math.sin(0.05 * (x + 3) + 0.04 * y);
  for (const [x, y] of [[5, 5], [20, 12], [39, 23]]) {
    assert.ok(Math.abs(out.data[3 * (40 * y + x)] - red(x, y)) < 8);
  }
  const frame = file.findIndex((v, i) => v === 0xff && file[i + 1] === 0xc0);
  const scan = file.findIndex((v, i) => v === 0xff && file[i + 1] === 0xda);
  const length = 2 + 256 * file[scan + 2] + file[scan + 3];
  const cases: [Uint8Array, RegExp][] = [
    [file.with(frame + 5, 255).with(frame + 7, 255), /50 million pixels: its header says 65320 x 65304/],
    [file.with(frame + 5, 20).with(frame + 7, 20), /cannot hold/],
    [file.with(frame + 5, 0).with(frame + 6, 0), /50 million pixels/],
    [file.with(frame + 1, 0xc9), /only baseline and progressive/],
    [file.with(frame + 4, 12), /only baseline and progressive/],
    [file.with(frame + 9, 2), /1, 3 or 4 components/],
    [file.with(frame + 11, 0x51), /sampling/],
    [file.subarray(0, scan), /its image is cut off/],
    [file.subarray(0, scan + 30), /damaged/],
    [concat(file.subarray(0, frame), file.subarray(frame, scan), file.subarray(frame)), /holds more/],
    [concat(file.subarray(0, scan), ...Array(101).fill(file.subarray(scan, scan + length))), /101 scans/],
    [file.subarray(0, 3), /its image is cut off/],
  ];
  for (const [bytes, part] of cases) assert.throws(() => decodeImage(bytes, "f"), refused(part));
});

Deno.test("jpeg: progressive, CMYK and restart markers give Pillow's pixels", () => {
  // But for colours of half the resolution, which Pillow smooths and jpeg-js repeats.
  const points = [[3, 3], [16, 3], [10, 9]];
  const wanted = {
    progressive: [[53, 83, 195], [181, 82, 113], [117, 193, 128]],
    cmyk: [[51, 83, 190], [181, 83, 111], [121, 190, 125]],
    restart: [[87], [115], [163]],
  };
  for (const [name, colours] of Object.entries(wanted)) {
    const { width, height, channels, data } = decodeImage(PILLOW_JPEGS[name as keyof typeof wanted], "f");
    assert.deepEqual([width, height, channels], [20, 12, colours[0].length]);
    points.forEach(([x, y], i) => {
      const got = [...data.subarray((y * 20 + x) * channels, (y * 20 + x + 1) * channels)];
      got.forEach((v, c) =>
        assert.ok(Math.abs(v - colours[i][c]) <= (name === "progressive" ? 20 : 6), `${name}: ${got} for ${colours[i]}`)
      );
    });
  }
});

Deno.test("jpeg: cameras' orientations", () => {
  // Dark but for the upper left corner, which ends up in another corner (or stays) for each orientation.
  const size = 32, corner = (y: number, x: number): number => y < 12 && x < 20 ? 255 : 0;
  const png = decodeImage(encodePng({ width: size, height: size, depth: 8, colour: 0, sample: corner }), "f");
  const upright: Record<number, [at: string, wide: boolean]> = {
    1: ["top left", true],
    2: ["top right", true],
    3: ["bottom right", true],
    4: ["bottom left", true],
    5: ["top left", false],
    6: ["top right", false],
    7: ["bottom right", false],
    8: ["bottom left", false],
  };
  for (let orientation = 1; orientation <= 8; orientation++) {
    assert.equal(decodeImage(withOrientation(sampleJpeg(0), orientation), "f").orientation, orientation);
    const out = toSquare({ ...png, orientation }, size, 1),
      light = (y: number, x: number): boolean => out[size * y + x] > 0;
    const corners = { "top left": [0, 0], "top right": [0, 31], "bottom left": [31, 0], "bottom right": [31, 31] };
    const lit = Object.entries(corners).filter(([, [y, x]]) => light(y, x)).map(([name]) => name);
    assert.deepEqual(lit, [upright[orientation][0]], `orientation ${orientation}`);
    const [y, x] = corners[lit[0] as keyof typeof corners], wide = light(y, x === 0 ? 15 : 16);
    assert.equal(wide, upright[orientation][1], `orientation ${orientation}`);
  }
  assert.equal(decodeImage(withOrientation(sampleJpeg(0), 9), "f").orientation, 1);
});

Deno.test("resample: constants stay, shifts are exact, shrinking averages, edges do not leak", () => {
  const run = (data: number[], width: number, rect: { x: number; width: number }, out: number): number[] => {
    const height = 1, resampler = new Resampler(width, height, { y: 0, height: 1, ...rect }, out, 1);
    const result = new Uint8Array(out);
    resampler.plane({ data: Uint8Array.from(data), at: 0, step: 1, width, height }, result, 0);
    return [...result];
  };
  assert.deepEqual(run([7, 7, 7, 7, 7], 5, { x: 0.3, width: 4.1 }, 9), Array(9).fill(7));
  assert.deepEqual(run([1, 2, 3, 4, 5], 5, { x: 1, width: 3 }, 3), [2, 3, 4]);
  assert.deepEqual(run([0, 100], 2, { x: 0, width: 2 }, 4), [0, 25, 75, 100]);
  // Halving: weights 1, 3, 3, 1 over 8 in the middle; at the edge what lies inside is scaled up.
  assert.deepEqual(run([80, 0, 0, 0, 0, 80], 6, { x: 0, width: 6 }, 3), [Math.round(80 * 3 / 7), 0, 34]);
  assert.deepEqual(run([9], 1, { x: 0, width: 1 }, 3), [9, 9, 9]);
});

Deno.test("toSquare: centre, grey and colour", () => {
  const data = Uint8Array.from({ length: 4 * 2 * 3 }, (_, i) => 10 * i);
  const pixels: Pixels = { width: 4, height: 2, channels: 3, data, orientation: 1 };
  assert.deepEqual(centreSquare(4, 2), { x: 0.25, y: 0, width: 0.5, height: 1 });
  assert.deepEqual([...toSquare(pixels, 2, 3)], [30, 60, 150, 180, 40, 70, 160, 190, 50, 80, 170, 200]);
  const luma = (r: number, g: number, b: number): number => Math.round(0.299 * r + 0.587 * g + 0.114 * b);
  assert.deepEqual([...toSquare(pixels, 2, 1)], [
    luma(30, 40, 50),
    luma(60, 70, 80),
    luma(150, 160, 170),
    luma(180, 190, 200),
  ]);
  const grey: Pixels = { width: 2, height: 2, channels: 1, data: Uint8Array.of(1, 2, 3, 4), orientation: 1 };
  assert.deepEqual([...toSquare(grey, 2, 3)], [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]);
});

Deno.test("changes: crops lie inside, colours move as told", () => {
  for (const [w, h] of [[100, 100], [300, 20], [10, 500]]) {
    for (const scale of [0.08, 0.5, 1]) {
      for (const ratio of [0.75, 1, 4 / 3]) {
        const part = cropPart({ scale, ratio, u: 1, v: 0.5 }, w, h);
        assert.ok(part.x >= 0 && part.y >= 0 && part.width <= 1 && part.height <= 1);
        assert.ok(part.x + part.width <= 1 + 1e-12 && part.y + part.height <= 1 + 1e-12);
        if (part.width < 1 && part.height < 1) assert.ok(Math.abs(part.width * part.height - scale) < 1e-9);
      }
    }
  }
  const one = { brightness: 1, contrast: 1, saturation: 1 };
  const picture = (): Uint8Array => Uint8Array.of(10, 200, 60, 100, 90, 30);
  const change = (jitter: typeof one): number[] => {
    const data = picture();
    applyJitter(data, 3, 2, jitter);
    return [...data];
  };
  assert.deepEqual(change(one), [...picture()]);
  assert.deepEqual(change({ ...one, brightness: 0.5 }), [5, 100, 30, 50, 45, 15]);
  const gone = change({ ...one, contrast: 0 });
  assert.ok(gone.every((v) => v === gone[0]));
  const grey = change({ ...one, saturation: 0 });
  assert.deepEqual([grey[0], grey[1]], [grey[2], grey[3]]);
});

Deno.test("sniff: content decides", () => {
  assert.equal(sniff(samplePng(0))?.name, "PNG");
  assert.equal(sniff(sampleJpeg(0))?.name, "JPEG");
  assert.equal(sniff(new TextEncoder().encode("GIF89a")), undefined);
});
