import assert from "node:assert/strict";
import { UsageError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import { rowPitch } from "../graph/tensor_type.ts";
import { normaliseTable, placePlane } from "./augment.ts";
import { batchElements, Batcher, type BatcherOptions, splitHalves } from "./batches.ts";
import type { Dataset } from "./dataset.ts";

/** A data set of noise; the label of image i is i mod classes. */
function noise(
  count: number,
  channels: number,
  height: number,
  width: number,
  classes = 3,
): Dataset {
  const random = new Random(9, "test/noise");
  return {
    name: "noise",
    images: Uint8Array.from({ length: count * channels * height * width }, () => random.below(256)),
    labels: Int32Array.from({ length: count }, (_, i) => i % classes),
    count,
    channels,
    height,
    width,
    classes,
    classNames: [],
    mean: Array.from({ length: channels }, (_, c) => 0.3 + 0.1 * c),
    std: Array.from({ length: channels }, (_, c) => 0.2 + 0.1 * c),
    fingerprint: "",
  };
}

const OPTIONS: BatcherOptions = {
  batch: 4,
  seed: 1,
  stream: "test",
  augment: { pad: 2, flip: true },
  shuffle: true,
  last: "drop",
};

/** A filled batch in fresh arrays, poisoned first so that what is not written shows. */
function filled(
  batcher: Batcher,
  batch: number,
  epoch: number,
  step: number,
): { images: Float32Array; labels: Int32Array; valid: number } {
  const images = new Float32Array(batcher.imageElements).fill(NaN);
  const labels = new Int32Array(batch).fill(-99);
  const valid = batcher.fill(epoch, step, images, labels);
  return { images, labels, valid };
}

Deno.test("augment: placePlane is torchvision's pad, crop, flip, normalise", () => {
  for (const [height, width] of [[5, 7], [4, 4], [3, 1]]) {
    const source = noise(1, 1, height, width).images;
    const table = normaliseTable([0.4], [0.3]);
    const pitch = rowPitch(width);
    for (let pad = 0; pad <= 9; pad += 3) {
      // The slow way: a padded copy, then a crop at (top, left), then a mirror image.
      const padded = Array.from(
        { length: height + 2 * pad },
        (_, y) =>
          Array.from({ length: width + 2 * pad }, (_, x) => {
            const sy = y - pad, sx = x - pad;
            return sy >= 0 && sy < height && sx >= 0 && sx < width ? source[sy * width + sx] : 0;
          }),
      );
      for (let top = 0; top <= 2 * pad; top++) {
        for (let left = 0; left <= 2 * pad; left++) {
          for (const flip of [false, true]) {
            const out = new Float32Array(height * pitch + 2).fill(NaN);
            placePlane(
              out,
              1,
              source,
              0,
              height,
              width,
              top - pad,
              left - pad,
              flip,
              table,
              0,
            );
            const want = new Float32Array(height * pitch + 2);
            want[0] = want[want.length - 1] = NaN;
            for (let y = 0; y < height; y++) {
              for (let x = 0; x < width; x++) {
                const v = padded[top + y][left + (flip ? width - 1 - x : x)];
                want[1 + y * pitch + x] = (v / 255 - 0.4) / 0.3;
              }
            }
            assert.deepEqual(out, want);
          }
        }
      }
    }
  }
});

Deno.test("augment: a channel that never varies is only centred", () => {
  const table = normaliseTable([0.5, 0.2], [0, 0.1]);
  assert.equal(table[255], 0.5);
  assert.ok(Math.abs(table[256] + 2) < 1e-6);
});

Deno.test("batches: evaluation has each image once, in the device layout", () => {
  const data = noise(10, 3, 5, 6);
  const batcher = new Batcher(data, {
    batch: 4,
    seed: 0,
    stream: "eval",
    shuffle: false,
    last: "fill",
  });
  assert.equal(batcher.batchesPerEpoch, 3);
  assert.equal(batcher.imagesPerEpoch, 10);
  assert.equal(batcher.imageElements, 3 * 4 * 5 * 8);
  assert.equal(batchElements(data, 4), batcher.imageElements);
  let seen = 0;
  for (let step = 0; step < 3; step++) {
    const { images, labels, valid } = filled(batcher, 4, 0, step);
    assert.equal(valid, step < 2 ? 4 : 2);
    for (let n = 0; n < 4; n++) {
      const index: number = 4 * step + n % valid;
      assert.equal(labels[n], n < valid ? data.labels[index] : -1);
      if (n < valid) seen++;
      for (let c = 0; c < 3; c++) {
        for (let y = 0; y < 5; y++) {
          for (let x = 0; x < 8; x++) {
            const value = x < 6
              ? Math.fround(
                (data.images[((index * 3 + c) * 5 + y) * 6 + x] / 255 -
                  data.mean[c]) / data.std[c],
              )
              : 0;
            assert.equal(images[((c * 4 + n) * 5 + y) * 8 + x], value);
          }
        }
      }
    }
  }
  assert.equal(seen, 10);
});

Deno.test("batches: a batch depends on epoch and step only", () => {
  const data = noise(23, 1, 6, 5);
  const one = new Batcher(data, OPTIONS);
  assert.equal(one.batchesPerEpoch, 5);
  const run = [[0, 0], [0, 1], [0, 4], [1, 0], [2, 3]].map(([e, s]) => filled(one, 4, e, s));
  // "Resumed": a new batcher asked in another order gives the same bits.
  const two = new Batcher(data, OPTIONS);
  const again = [[2, 3], [1, 0], [0, 4], [0, 1], [0, 0]].map(([e, s]) => filled(two, 4, e, s)).reverse();
  assert.deepEqual(again, run);
  assert.notDeepEqual(run[0].images, run[3].images);
  const other = filled(new Batcher(data, { ...OPTIONS, seed: 2 }), 4, 0, 0);
  assert.notDeepEqual(other.images, run[0].images);
  const stream = filled(
    new Batcher(data, { ...OPTIONS, stream: "b" }),
    4,
    0,
    0,
  );
  assert.notDeepEqual(stream.images, run[0].images);
  assert.ok(run.every(({ images }) => images.every((v) => !Number.isNaN(v))));
});

Deno.test("batches: an epoch has no image twice and only those asked for", () => {
  const data = {
    ...noise(50, 1, 2, 2),
    labels: Int32Array.from({ length: 50 }, (_, i) => i),
  };
  const indices = Uint32Array.from({ length: 20 }, (_, i) => 2 * i + 1);
  const batcher = new Batcher(data, { ...OPTIONS, indices, batch: 5 });
  const orders = [0, 1].map((epoch) => [0, 1, 2, 3].flatMap((step) => [...filled(batcher, 5, epoch, step).labels]));
  for (const order of orders) {
    assert.deepEqual(order.toSorted((a, b) => a - b), [...indices]);
  }
  assert.notDeepEqual(orders[0], orders[1]);
});

Deno.test("batches: shifts cover the padding evenly and half of the images are mirrored", () => {
  // One bright pixel in the middle of each image: where it ends up tells the shift. Column 3 and 4 tell the mirror.
  const data = { ...noise(2000, 1, 9, 10), mean: [0], std: [1] };
  data.images.fill(0);
  for (let i = 0; i < 2000; i++) {
    data.images[i * 90 + 4 * 10 + 4] = 255;
    data.images[i * 90 + 4 * 10 + 5] = 100;
  }
  const batcher = new Batcher(data, { ...OPTIONS, batch: 2000 });
  const { images } = filled(batcher, 2000, 0, 0);
  const rows = new Int32Array(9), columns = new Int32Array(10);
  let mirrored = 0;
  for (let n = 0; n < 2000; n++) {
    const at = images.subarray(n * 108, (n + 1) * 108).indexOf(1);
    const y = Math.floor(at / 12), x = at % 12;
    const flip = images[n * 108 + at + 1] === 0;
    if (flip) mirrored++;
    rows[y]++;
    columns[flip ? 9 - x : x]++;
  }
  assert.ok(mirrored > 900 && mirrored < 1100, String(mirrored));
  for (let k = 2; k <= 6; k++) {
    assert.ok(rows[k] > 320 && rows[k] < 480, `${rows}`);
    assert.ok(columns[k] > 320 && columns[k] < 480, `${columns}`);
  }
  assert.equal(rows.subarray(2, 7).reduce((a, b) => a + b), 2000);
});

Deno.test("batches: wrong use is refused", () => {
  const data = noise(10, 1, 2, 2);
  assert.throws(() => new Batcher(data, { ...OPTIONS, batch: 11 }), UsageError);
  assert.throws(() => new Batcher(data, { ...OPTIONS, batch: 0 }), UsageError);
  assert.throws(() => new Batcher(data, { ...OPTIONS, indices: new Uint32Array(0) }), UsageError);
  assert.throws(
    () =>
      new Batcher(data, {
        ...OPTIONS,
        indices: new Uint32Array([1, 2, 3, 10]),
      }),
    RangeError,
  );
  assert.throws(() => new Batcher(data, { ...OPTIONS, augment: { pad: -1, flip: false } }), RangeError);
  const batcher = new Batcher(data, OPTIONS);
  const images = new Float32Array(batcher.imageElements),
    labels = new Int32Array(4);
  assert.throws(() => batcher.fill(0, 2, images, labels), /from 0 to 1: current value is 2/);
  assert.throws(() => batcher.fill(-1, 0, images, labels), RangeError);
  assert.throws(() => batcher.fill(0, 0, images.subarray(1), labels), RangeError);
  assert.throws(() => batcher.fill(0, 0, images, new Int32Array(5)), RangeError);
});

Deno.test("split: disjoint, stratified, shuffled and the same each time", () => {
  const random = new Random(4, "test/labels");
  const labels = Int32Array.from({ length: 1003 }, () => Math.min(random.below(5), random.below(5)));
  const data = { name: "x", labels, classes: 5 };
  const sizes = [0, 1, 2, 3, 4].map((c) => labels.filter((l) => l === c).length);
  for (
    const split of [0.5, 0.25, 0.999, { train: 100, val: 50 }, {
      train: 1,
      val: 1002,
    }, { train: 501, val: 502 }]
  ) {
    const { train, val } = splitHalves(data, 7, split);
    const counts = typeof split === "number"
      ? {
        train: Math.round(1003 * split),
        val: 1003 - Math.round(1003 * split),
      }
      : split;
    assert.deepEqual([train.length, val.length], [counts.train, counts.val]);
    assert.equal(new Set([...train, ...val]).size, train.length + val.length);
    assert.ok([...train, ...val].every((i) => i < 1003));
    for (const part of [train, val]) {
      for (let c = 0; c < 5; c++) {
        const got = part.filter((i) => labels[i] === c).length;
        assert.ok(Math.abs(got - part.length * sizes[c] / 1003) <= 2, `${JSON.stringify(split)} class ${c}`);
      }
    }
    assert.deepEqual(splitHalves(data, 7, split), { train, val });
  }
  const { train } = splitHalves(data, 7, 0.5);
  assert.notDeepEqual(splitHalves(data, 8, 0.5).train, train);
  assert.notDeepEqual(train, train.toSorted());
  const inOrder = train.filter((i, k) => k > 0 && labels[i] >= labels[train[k - 1]]).length;
  assert.ok(inOrder < 0.8 * train.length, "classes are mixed");
});

Deno.test("split: copies stay together and are shared out like other images", () => {
  const count = 800, labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  // 220 images of each class that are alone, and 60 that are there three times.
  const firsts = Int32Array.from({ length: count }, (_, i) => i < 560 ? i : i < 440 ? i : 440 + (i - 440) % 120);
  const distinct = (part: Uint32Array): number => new Set(Array.from(part, (i) => firsts[i])).size;
  const { train, val } = splitHalves({ name: "x", labels, classes: 2, firsts }, 5, 0.5);
  assert.deepEqual([train.length, val.length], [400, 400]);
  assert.equal(
    new Set(Array.from(train, (i) => firsts[i])).intersection(new Set(Array.from(val, (i) => firsts[i]))).size,
    0,
  );
  for (const part of [train, val]) assert.ok(Math.abs(distinct(part) - 280) < 40, `${distinct(part)} of 560`);
});

Deno.test("split: a class may have very many images, and very many copies", () => {
  const count = 300_000,
    labels = new Int32Array(count),
    firsts = Int32Array.from(labels, (_, i) => i < 150_000 ? 0 : i);
  for (const data of [{ firsts }, {}]) {
    const { train, val } = splitHalves({ name: "x", labels, classes: 1, ...data }, 0, 0.5);
    assert.equal(new Set([...train, ...val]).size, count);
  }
});

Deno.test("split: what cannot be split is refused", () => {
  const data = { name: "x", labels: new Int32Array(4), classes: 2 };
  for (
    const split of [
      0,
      1,
      NaN,
      0.01,
      { train: 3, val: 2 },
      { train: 4, val: 0 },
      { train: 1.5, val: 1 },
    ]
  ) {
    assert.throws(() => splitHalves(data, 0, split), UsageError);
  }
});

Deno.test("batches: cutout leaves the mean in a square hole, the same for epoch and image", () => {
  const data = noise(12, 3, 9, 10), cutout = 4;
  const plain = new Batcher(data, { batch: 12, seed: 5, stream: "a", shuffle: true, last: "drop" });
  const options = { batch: 12, seed: 5, stream: "a", shuffle: true, last: "drop" } as const;
  const batcher = new Batcher(data, { ...options, augment: { pad: 0, flip: false, cutout } });
  const labels = new Int32Array(12),
    want = new Float32Array(plain.imageElements),
    got = want.slice(),
    again = want.slice();
  const places = new Set<number>();
  for (let epoch = 0; epoch < 4; epoch++) {
    plain.fill(epoch, 0, want, labels);
    batcher.fill(epoch, 0, got, labels);
    for (let n = 0; n < 12; n++) {
      const hole: number[] = [];
      for (let c = 0; c < 3; c++) {
        for (let i = 0; i < 9 * 12; i++) {
          const at = (c * 12 + n) * 9 * 12 + i;
          if (got[at] === 0 && want[at] !== 0) hole.push(i);
          else assert.equal(got[at], want[at]);
        }
      }
      // The centre lies inside, so that at least a quarter of the square does.
      assert.ok(hole.length >= 3 * (cutout / 2) ** 2 - 2 && hole.length <= 3 * cutout ** 2, String(hole.length));
      const rows = hole.map((i) => Math.floor(i / 12)), columns = hole.map((i) => i % 12);
      assert.ok(Math.max(...rows) - Math.min(...rows) < cutout && Math.max(...columns) - Math.min(...columns) < cutout);
      places.add(Math.min(...hole));
    }
  }
  assert.ok(places.size > 15);
  new Batcher(data, { ...options, augment: { pad: 0, flip: false, cutout } }).fill(3, 0, again, labels);
  assert.deepEqual(again, got);
});

Deno.test("batches: resized crops and colours change images, repeatably, and only where they are asked for", () => {
  const data = noise(20, 3, 12, 12);
  const options = { batch: 5, seed: 5, stream: "a", shuffle: true, last: "drop" } as const;
  const fill = (augment: BatcherOptions["augment"], epoch: number): Float32Array => {
    const batcher = new Batcher(data, { ...options, augment }), images = new Float32Array(batcher.imageElements);
    batcher.fill(epoch, 1, images, new Int32Array(5));
    return images;
  };
  const none = fill(undefined, 2);
  assert.deepEqual(fill({ pad: 0, flip: false, cutout: 0, resizedCrop: 1, jitter: 0 }, 2), none);
  for (const augment of [{ resizedCrop: 0.3 }, { jitter: 0.4 }, { resizedCrop: 0.5, jitter: 0.2, cutout: 3 }]) {
    const one = fill({ pad: 0, flip: false, ...augment }, 2);
    assert.notDeepEqual(one, none);
    assert.deepEqual(fill({ pad: 0, flip: false, ...augment }, 2), one);
    assert.ok(one.every(Number.isFinite));
    assert.notDeepEqual(fill({ pad: 0, flip: false, ...augment }, 3), one);
  }
  // Lanes beyond the width stay 0 and values stay those of bytes.
  const low = (0 - data.mean[0]) / data.std[0] - 1e-4, high = (1 - data.mean[0]) / data.std[0] + 1e-4;
  assert.ok(fill({ pad: 0, flip: true, jitter: 1 }, 0).subarray(0, 5 * 144).every((v) => v >= low && v <= high));
  for (
    const [augment, part] of [[{ cutout: -1 }, /cutout/], [{ resizedCrop: 0 }, /resizedCrop/], [
      { jitter: 2 },
      /jitter/,
    ]] as const
  ) {
    assert.throws(() => fill({ pad: 0, flip: false, ...augment }, 0), (error) => {
      assert.ok(error instanceof RangeError);
      assert.match(error.message, part);
      return true;
    });
  }
});
