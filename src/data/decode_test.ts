import assert from "node:assert/strict";
import { deflateSync, inflateSync } from "node:zlib";
import { FailureError } from "../base/errors.ts";
import { applyJitter, cropPart } from "./changes.ts";
import { codecMemory, encodePng as writePng, openCodec, trimCodec } from "./codec.ts";
import { centreSquare, decodeImage, planImage, prepareImage, toSquare } from "./decode.ts";
import { sniff } from "./image_format.ts";
import { LARGE_MEMORY } from "./decode_memory.ts";
import type { Pixels } from "./pixels.ts";
import { Resampler } from "./resample.ts";
import { concat, encodePng, pictureOf, pngChunk, sampleJpeg, samplePng, withOrientation } from "./testing.ts";
import golden from "../../tests/golden/images.json" with { type: "json" };

const refused = (part: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof FailureError, String(error));
  assert.match(error.message, /^Cannot read 'f' as /);
  assert.match(error.message, part);
  assert.doesNotMatch(error.message, /\n/);
  return true;
};

Deno.test("png: every colour type, depth and filter, interlaced or not", async () => {
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
            const out = await decodeImage(file, "f");
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

Deno.test("png: transparent colours and palette entries show white", async () => {
  const base = { width: 3, height: 1, depth: 8, sample: (_: number, x: number) => x };
  const palette = [10, 20, 30, 40, 50, 60, 70, 80, 90];
  const indexed = await decodeImage(encodePng({ ...base, colour: 3, palette, transparency: [255, 0] }), "f");
  assert.deepEqual([...indexed.data], [10, 20, 30, 255, 255, 255, 70, 80, 90]);
  const grey = await decodeImage(encodePng({ ...base, colour: 0, transparency: [0, 2] }), "f");
  assert.deepEqual([...grey.data], [0, 1, 255]);
  const rgb = await decodeImage(encodePng({ ...base, colour: 2, transparency: [0, 1, 0, 1, 0, 1] }), "f");
  assert.deepEqual([...rgb.data], [0, 0, 0, 255, 255, 255, 2, 2, 2]);
});

/** The name, bytes and Pillow's pixels of each file of tests/golden/images.json. */
const GOLDEN = Object.entries(golden).map(([name, { file, pixels, ...facts }]) => ({
  name,
  file: Uint8Array.fromBase64(file),
  pixels: new Uint8Array(inflateSync(Uint8Array.fromBase64(pixels))),
  ...facts,
}));

Deno.test("images: every odd kind has Pillow's pixels, bit for bit", async () => {
  assert.ok(GOLDEN.length > 40);
  for (const { name, file, pixels, width, height, orientation } of GOLDEN) {
    const out = await decodeImage(file, "f"), from = pixels.length / (width * height);
    assert.deepEqual([out.width, out.height, out.orientation], [width, height, orientation], name);
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++) {
        assert.equal(out.data[i * out.channels + c % out.channels], pixels[i * from + c % from], `${name}: ${i}, ${c}`);
      }
    }
  }
});

Deno.test("images: surplus bytes after the end of a file are forgiven, of every kind", async () => {
  for (const name of ["jpeg 444", "png rgb alpha", "webp", "webp lossless", "gif", "bmp RGB"]) {
    const { file } = GOLDEN.find((each) => each.name === name)!, surplus = new Uint8Array(300).fill(0x5a);
    assert.deepEqual(await decodeImage(concat(file, surplus), "f"), await decodeImage(file, "f"), name);
  }
});

Deno.test("images: cut and damaged files of every kind are refused in one sentence", async () => {
  const cut = ["jpeg 444", "jpeg progressive 420", "png rgb alpha", "webp", "webp lossless", "gif", "bmp RGB"];
  for (const { name, file } of GOLDEN.filter(({ name }) => cut.includes(name))) {
    for (const share of [0.3, 0.6, 0.9]) {
      const part = file.subarray(0, Math.floor(file.length * share));
      await assert.rejects(decodeImage(part, "f"), refused(/cut off|damaged/), `${name} ${share}`);
    }
  }
  const progressive = GOLDEN.find(({ name }) => name === "jpeg progressive 420")!.file;
  const lastScan = progressive.findLastIndex((v, i) => v === 0xff && progressive[i + 1] === 0xda);
  await assert.rejects(decodeImage(progressive.subarray(0, lastScan), "f"), refused(/cut off/));
  const file = sampleJpeg(3, 40, 24, 98), frame = file.findIndex((v, i) => v === 0xff && file[i + 1] === 0xc0);
  const scan = file.findIndex((v, i) => v === 0xff && file[i + 1] === 0xda);
  const length = 2 + 256 * file[scan + 2] + file[scan + 3];
  const cases: [Uint8Array, RegExp][] = [
    [samplePng(1).subarray(0, -30), /ends within its pixels .* cut off, so fetch it again/],
    [samplePng(1).subarray(0, 15), /cut off|damaged/],
    [samplePng(1).with(samplePng(1).length - 20, 99), /incorrect data check\).* damaged, so fetch or save it again/],
    [file.subarray(0, scan), /cut off|damaged/],
    [file.subarray(0, scan + 30), /cut off/],
    [file.subarray(0, 3), /cut off|damaged/],
    [file.with(frame + 5, 0).with(frame + 6, 0), /damaged|million pixels/],
    [file.with(frame + 5, 255).with(frame + 7, 255), /268 million pixels: its header says 65320 x 65304, so save it/],
    [
      concat(file.subarray(0, scan), ...Array(101).fill(file.subarray(scan, scan + length))),
      /10\d passes are too many/,
    ],
    [new Uint8Array(100), /PNG, JPEG, WebP, GIF or BMP: its content is no image, so save it as one of them/],
    [new Uint8Array(), /it is empty/],
    [new TextEncoder().encode("<!DOCTYPE html><title>Not found"), /it is a page or drawing in HTML, XML or SVG inside/],
    [new TextEncoder().encode("\0\0\0\x18ftypheic\0\0\0\0"), /it is HEIC, AVIF or a video inside/],
  ];
  for (const [bytes, part] of cases) await assert.rejects(decodeImage(bytes, "f"), refused(part), String(part));
  for (let end = scan; end < file.length; end++) { // whatever it ends in, there is an end to it
    for (const rest of [[], [0xff], [0xff, 0xda], [0xff, 0xc4, 0]]) {
      const cut = concat(file.subarray(0, end), Uint8Array.from(rest));
      await decodeImage(cut, "f").catch((error) => assert.ok(refused(/cut off|damaged/)(error), String(error)));
    }
  }
  // A film behind the picture, as phones put it there: whatever bytes it has, they are no passes.
  const film = concat(file, ...Array(200).fill(Uint8Array.of(0xff, 0xda, 0, 12, 0xff, 0xd8)));
  assert.deepEqual(await decodeImage(film, "f"), await decodeImage(file, "f"));
});

Deno.test("images: bombs are refused before they cost anything", async () => {
  const signature = samplePng(0).subarray(0, 8);
  const header = (width: number, height: number): Uint8Array => {
    const body = new Uint8Array(13), view = new DataView(body.buffer);
    view.setUint32(0, width);
    view.setUint32(4, height);
    body.set([8, 2, 0, 0, 0], 8);
    return pngChunk("IHDR", body);
  };
  const end = pngChunk("IEND", new Uint8Array()), zeros = deflateSync(new Uint8Array(1 << 25));
  const file = (...chunks: Uint8Array[]): Uint8Array => concat(signature, ...chunks, end);
  const data = pngChunk("IDAT", zeros);
  const gif = new Uint8Array(GOLDEN.find(({ name }) => name === "gif")!.file);
  gif.fill(255, 6, 10);
  const cases: [Uint8Array, RegExp][] = [
    [file(header(2 ** 31 - 1, 2 ** 31 - 1), data), /million pixels|damaged/],
    [
      file(header(12000, 12000), data),
      /12000 x 12000 pixels may take [12]\.\d GiB and 1\.0 GiB are there .* save it smaller/,
    ],
    [gif, /million pixels: its header says 65535 x 65535/],
    [file(header(0, 5), data), /damaged|million pixels/],
    [file(header(4000, 4000), pngChunk("IDAT", new Uint8Array(9))), /its \d+ bytes cannot hold 4000 x 4000 pixels/],
  ];
  for (const [bytes, part] of cases) {
    const before = Deno.memoryUsage().rss;
    await assert.rejects(decodeImage(bytes, "f"), refused(part));
    assert.ok(Deno.memoryUsage().rss - before < 200 * 2 ** 20);
  }
  const more = await decodeImage(file(header(4, 4), data), "f"); // Surplus data is nobody's trouble.
  assert.deepEqual([...more.data], Array(48).fill(0));
  const text = pngChunk("zTXt", concat(new TextEncoder().encode("a\0\0"), deflateSync(new Uint8Array(1 << 26))));
  assert.equal(
    (await decodeImage(concat(samplePng(1).subarray(0, 33), text, samplePng(1).subarray(33)), "f")).width,
    24,
  );
});

Deno.test("jpeg: photos are decoded at a part of their size, like Pillow's draft", async () => {
  await openCodec();
  const jpeg = sampleJpeg(1, 640, 480, 95);
  const reduction = (size: number, crop?: number): number => {
    const change = crop === undefined ? undefined : { crop: { scale: crop, ratio: 1, u: 0.5, v: 0.5 } };
    return planImage(jpeg, "f", { size, channels: 3, change }).reduction;
  };
  assert.deepEqual([8, 15, 16, 30, 31, 60, 61, 480].map((size) => reduction(size)), [8, 8, 4, 4, 2, 2, 1, 1]);
  assert.deepEqual([reduction(15, 0.25), reduction(15, 0.01)], [4, 1]);
  assert.equal(planImage(samplePng(1, 640, 480), "f", { size: 8, channels: 3 }).reduction, 1);
  // The picture is smooth: the square of the reduced one is that of the whole one but for rounding.
  const whole = toSquare(pictureOf(await decodeImage(jpeg, "f")), 15, 3);
  const reduced = await prepareImage(jpeg, "f", { size: 15, channels: 3 });
  let most = 0;
  whole.forEach((v, i) => most = Math.max(most, Math.abs(v - reduced[i])));
  assert.ok(most <= 2, String(most));
});

Deno.test("images: memory is asked for by what the header says, and given back", async () => {
  await openCodec();
  const need = (bytes: Uint8Array, size: number): number => planImage(bytes, "f", { size, channels: 3 }).memory;
  const photo = sampleJpeg(1, 64, 48, 90), frame = photo.findIndex((v, i) => v === 0xff && photo[i + 1] === 0xc0);
  const large = concat(photo, new Uint8Array(1 << 17));
  large.set([6144 >> 8, 6144 & 255, 8160 >> 8, 8160 & 255], frame + 5); // What phones sell as 50 megapixels.
  assert.ok(need(large, 1024) < LARGE_MEMORY && need(large, 128) < LARGE_MEMORY / 16);
  assert.ok(need(samplePng(1), 64) < LARGE_MEMORY / 16);
  const big = encodePng({
    width: 3000,
    height: 3000,
    depth: 8,
    colour: 6,
    sample: (y, x, c) => (x ^ y) + 60 * c & 255,
  });
  const { data } = await decodeImage(big, "f");
  assert.ok(codecMemory() > 30 * 2 ** 20);
  trimCodec(2 ** 25);
  assert.equal(codecMemory(), 0);
  assert.equal((await prepareImage(big, "f", { size: 8, channels: 1 })).length, 64); // It opens again.
  assert.equal(data.length, 27e6);
});

Deno.test("images: cameras' orientations", async () => {
  // Dark but for the upper left corner, which ends up in another corner (or stays) for each orientation.
  const size = 32, corner = (y: number, x: number): number => y < 12 && x < 20 ? 255 : 0;
  const png = await decodeImage(encodePng({ width: size, height: size, depth: 8, colour: 0, sample: corner }), "f");
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
    assert.equal((await decodeImage(withOrientation(sampleJpeg(0), orientation), "f")).orientation, orientation);
    const out = toSquare(pictureOf({ ...png, orientation }), size, 1),
      light = (y: number, x: number): boolean => out[size * y + x] > 0;
    const corners = { "top left": [0, 0], "top right": [0, 31], "bottom left": [31, 0], "bottom right": [31, 31] };
    const lit = Object.entries(corners).filter(([, [y, x]]) => light(y, x)).map(([name]) => name);
    assert.deepEqual(lit, [upright[orientation][0]], `orientation ${orientation}`);
    const [y, x] = corners[lit[0] as keyof typeof corners], wide = light(y, x === 0 ? 15 : 16);
    assert.equal(wide, upright[orientation][1], `orientation ${orientation}`);
  }
  assert.equal((await decodeImage(withOrientation(sampleJpeg(0), 9), "f")).orientation, 1);

  // Where EXIF says nothing, XMP may.
  const packet = (inner: string) => `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>${inner}</rdf:RDF></x:xmpmeta>`;
  for (
    const [xmp, wanted] of [
      [packet('<rdf:Description tiff:Orientation="6"/>'), 6],
      [packet("<rdf:Description><tiff:Orientation>8</tiff:Orientation></rdf:Description>"), 8],
      [packet('<rdf:Description tiff:Orientation="9"/>'), 1],
    ] as const
  ) {
    const text = new TextEncoder().encode(`XML:com.adobe.xmp\0\0\0\0\0${xmp}`), file = samplePng(1);
    const noted = concat(file.subarray(0, 33), pngChunk("iTXt", text), file.subarray(33));
    assert.equal((await decodeImage(noted, "f")).orientation, wanted);
    const body = new TextEncoder().encode(`http://ns.adobe.com/xap/1.0/\0${xmp}`), jpeg = sampleJpeg(0);
    const segment = concat(Uint8Array.of(0xff, 0xe1, 0, body.length + 2), body);
    const camera = concat(jpeg.subarray(0, 2), segment, jpeg.subarray(2));
    assert.equal((await decodeImage(camera, "f")).orientation, wanted);
    if (wanted > 1) {
      assert.equal((await decodeImage(withOrientation(camera, 3), "f")).orientation, 3, "EXIF goes first");
    }
  }
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
  assert.deepEqual([...toSquare(pictureOf(pixels), 2, 3)], [30, 60, 150, 180, 40, 70, 160, 190, 50, 80, 170, 200]);
  const luma = (r: number, g: number, b: number): number => Math.round(0.299 * r + 0.587 * g + 0.114 * b);
  assert.deepEqual([...toSquare(pictureOf(pixels), 2, 1)], [
    luma(30, 40, 50),
    luma(60, 70, 80),
    luma(150, 160, 170),
    luma(180, 190, 200),
  ]);
  const grey: Pixels = { width: 2, height: 2, channels: 1, data: Uint8Array.of(1, 2, 3, 4), orientation: 1 };
  assert.deepEqual([...toSquare(pictureOf(grey), 2, 3)], [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]);
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
  for (const { name, file } of GOLDEN) assert.equal(sniff(file)?.name.toLowerCase(), name.split(" ")[0], name);
  for (const text of ["BM is how this note begins, and it is long", "RIFF\0\0\0\0WAVEfmt ", "", "\x89PNG\n"]) {
    assert.equal(sniff(new TextEncoder().encode(text)), undefined, text);
  }
});

Deno.test("png: what is written is read again", async () => {
  for (const channels of [1, 3] as const) {
    const data = Uint8Array.from({ length: 7 * 5 * channels }, (_, i) => (i * 37) & 255);
    const pixels = { width: 7, height: 5, channels, data, orientation: 1 };
    assert.deepEqual(await decodeImage(await writePng(pixels), "f"), pixels);
  }
});

Deno.test("codec: the module is that of the version in deno.json", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile("deno.json"));
  const source = await Deno.readTextFile(new URL("../platform/deno.ts", import.meta.url));
  assert.ok(source.includes(`"${imports["@imagemagick/magick-wasm"]}/magick.wasm"`));
});
