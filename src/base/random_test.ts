import assert from "node:assert/strict";
import { philox, Random } from "./random.ts";

Deno.test("philox gives the published vectors of Philox 4x32-10", () => {
  assert.deepEqual(philox([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  const ones = 0xffffffff;
  assert.deepEqual(philox([ones, ones, ones, ones], [ones, ones]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
  assert.deepEqual(
    philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  );
});

Deno.test("streams are functions of seed, name, epoch and item, and differ in each", () => {
  const draw = (...args: ConstructorParameters<typeof Random>) => {
    const random = new Random(...args);
    return Array.from({ length: 6 }, () => random.word());
  };
  assert.deepEqual(draw(1, "a", 2, 3), draw(1, "a", 2, 3));
  const others = [
    draw(2, "a", 2, 3),
    draw(1, "b", 2, 3),
    draw(1, "a", 3, 3),
    draw(1, "a", 2, 4),
    draw(2 ** 33, "a", 2, 3),
  ];
  for (const other of others) assert.notDeepEqual(other, draw(1, "a", 2, 3));
});

Deno.test("uniform, normal and permutation have the moments that they must have", () => {
  const random = new Random(5, "moments"), n = 20000;
  let uniform = 0, normal = 0, square = 0;
  for (let i = 0; i < n; i++) {
    uniform += random.uniform() / n;
    const z = random.normal();
    normal += z / n;
    square += z * z / n;
  }
  assert.ok(Math.abs(uniform - 0.5) < 0.01 && Math.abs(normal) < 0.03 && Math.abs(square - 1) < 0.05);
  const p = random.permutation(1000);
  assert.equal(new Set(p).size, 1000);
  assert.ok(p.some((v, i) => v !== i));
});
