import assert from "node:assert/strict";
import { Random } from "../base/random.ts";
import { rowPitch } from "../graph/tensor_type.ts";
import { CutMix } from "./cutmix.ts";

/** A batch whose image n has the value 100 c + n everywhere in channel c, and NaN between its rows. */
function batchOf(count: number, [channels, height, width]: readonly [number, number, number]) {
  const pitch = rowPitch(width), images = new Float32Array(channels * count * height * pitch).fill(NaN);
  for (let row = 0; row < channels * count * height; row++) {
    const plane = Math.floor(row / height);
    images.fill(100 * Math.floor(plane / count) + plane % count, row * pitch, row * pitch + width);
  }
  const labels = Int32Array.from({ length: count }, (_, n) => n + 5);
  return { images, labels, mixed: new CutMix(count, { channels, height, width }), pitch };
}

Deno.test("cutmix: each image gets one rectangle of the next one, and says how much is its own", () => {
  const shares = new Set<number>();
  for (const [count, ...size] of [[4, 3, 8, 8], [3, 1, 5, 7], [1, 2, 6, 6]] as const) {
    const [, height, width] = size;
    for (let seed = 0; seed < 60; seed++) {
      const { images, labels, mixed, pitch } = batchOf(count, size);
      mixed.mix({ images, labels }, new Random(seed, "test"));
      const taken = new Set<number>();
      for (let i = 0; i < images.length; i++) {
        const row = Math.floor(i / pitch), plane = Math.floor(row / height), n = plane % count;
        if (i % pitch >= width) {
          assert.ok(Number.isNaN(images[i]), "nothing is written between rows");
          continue;
        }
        const own = 100 * Math.floor(plane / count) + n, other = own - n + (n + 1) % count;
        assert.ok(images[i] === own || images[i] === other);
        if (images[i] !== own) taken.add(row % height * width + i % pitch);
      }
      const rows = [...taken].map((at) => Math.floor(at / width)), columns = [...taken].map((at) => at % width);
      const span = (of: number[]): number => taken.size > 0 ? Math.max(...of) - Math.min(...of) + 1 : 0;
      assert.equal(taken.size, span(rows) * span(columns), "a rectangle, the same one in all images and channels");
      if (count > 1) {
        assert.ok(mixed.shares.every((share) => share === Math.fround(1 - taken.size / (height * width))));
        shares.add(mixed.shares[0]);
      }
      assert.deepEqual([...mixed.others], Array.from(labels, (_, n) => labels[(n + 1) % count]));
      const again = batchOf(count, size);
      again.mixed.mix(again, new Random(seed, "test"));
      assert.deepEqual(again.images, images);
    }
  }
  assert.ok(shares.size > 20 && Math.min(...shares) < 0.5 && Math.max(...shares) > 0.9, "small parts and large ones");
});

Deno.test("cutmix: a batch that is not mixed has its own labels alone", () => {
  const { labels, mixed } = batchOf(3, [1, 2, 2]);
  mixed.leave({ labels });
  assert.deepEqual([[...mixed.others], [...mixed.shares]], [[5, 6, 7], [1, 1, 1]]);
});
