import assert from "node:assert/strict";
import { UsageError } from "../base/errors.ts";
import type { Dataset } from "./dataset.ts";
import { datasetOf, type LabelledImages } from "./labelled_images.ts";

const IMAGES: LabelledImages = {
  images: Uint8Array.of(0, 255, 51, 204, 255, 0, 204, 51),
  labels: [0, 1],
  classNames: ["a", "b"],
  channels: 2,
  height: 1,
  width: 2,
};

Deno.test("images in memory: statistics, count and fingerprint are computed", async () => {
  const data = await datasetOf(IMAGES), { fingerprint, mean, std, ...rest } = data;
  assert.deepEqual(rest, {
    name: "images in memory",
    images: IMAGES.images,
    labels: Int32Array.of(0, 1),
    count: 2,
    channels: 2,
    height: 1,
    width: 2,
    classes: 2,
    classNames: ["a", "b"],
  });
  assert.deepEqual(mean, [0.5, 0.5]);
  assert.ok(std.every((v, c) => Math.abs(v - [0.5, 0.3][c]) < 1e-12), String(std));
  assert.match(fingerprint, /^[0-9a-f]{64}$/);
  assert.equal(data.images.buffer, IMAGES.images.buffer, "pixels are not copied");
  const same = await datasetOf({
    ...IMAGES,
    images: Uint8ClampedArray.from(IMAGES.images),
    labels: Int32Array.of(0, 1),
  });
  assert.equal(same.fingerprint, fingerprint);
  assert.notEqual((await datasetOf({ ...IMAGES, labels: [1, 0] })).fingerprint, fingerprint);
  assert.equal(await datasetOf(data), data, "a data set stays as it is");
});

Deno.test("images in memory: what does not fit is refused by name", async () => {
  const refuse = (given: Partial<LabelledImages>, message: RegExp) =>
    assert.rejects(
      datasetOf({ ...IMAGES, ...given }),
      (e: Error) => e instanceof UsageError && message.test(e.message),
    );
  await refuse(
    { images: new Uint8Array(7) },
    /length of its images must be 8 for 2 labels and images of 2x1x2: .* is 7$/,
  );
  await refuse({ images: [1] as unknown as Uint8Array }, /its images must be a Uint8Array/);
  await refuse({ labels: [], images: new Uint8Array() }, /labels must be one for each image, 1 at least: .* is 0$/);
  await refuse({ labels: [0, 2] }, /label 1 must be a whole number from 0 to 1, as there are 2 class names: .* is 2$/);
  await refuse({ labels: [0.5, 1] }, /label 0 must be a whole number .* is 0.5$/);
  await refuse({ labels: [0, -1], name: "mine" }, /^Cannot use data set 'mine' as label 1 .* is -1$/);
  await refuse({ classNames: ["a", "a"] }, /each of its class names must be there once: current value is 'a' twice$/);
  await refuse({ height: 0 }, /its height must be a whole number from 1: current value is 0$/);
  await refuse({ width: undefined as unknown as number }, /its width must be a whole number/);
  const whole = await datasetOf(IMAGES);
  await assert.rejects(datasetOf({ ...whole, mean: [] } as Dataset), /length of its mean must be 2/);
});
