import assert from "node:assert/strict";
import { UsageError } from "../base/errors.ts";
import {
  candidatesOf,
  DARTS,
  didYouMean,
  edgesOf,
  findSpace,
  incoming,
  outgoing,
  PARAMETER_FREE,
  primitivesOf,
  S3,
  type Space,
  SPACES,
} from "./space.ts";

Deno.test("a cell with four nodes has DARTS' 14 edges in DARTS' order", () => {
  const edges = edgesOf(DARTS);
  assert.equal(edges.length, 14);
  assert.deepEqual(edges.map(({ from, to }) => `${from}${to}`).join(" "), "02 12 03 13 23 04 14 24 34 05 15 25 35 45");
  assert.deepEqual(edges.map(({ index }) => index), [...edges.keys()]);
});

Deno.test("incoming and outgoing edges partition the edges", () => {
  assert.deepEqual(incoming(DARTS, 1).map(({ index }) => index), [2, 3, 4]);
  assert.deepEqual(outgoing(DARTS, 3).map(({ index }) => index), [8, 12]);
  assert.deepEqual(outgoing(DARTS, 5), []);
  for (let nodes = 1; nodes <= 5; nodes++) {
    const all = Array.from({ length: nodes }, (_, node) => incoming({ nodes }, node)).flat();
    assert.deepEqual(all, edgesOf({ nodes }));
  }
});

Deno.test("spaces have different names, and primitives without duplicates", () => {
  assert.equal(new Set(SPACES.map(({ name }) => name)).size, SPACES.length);
  for (const { primitives } of SPACES) {
    assert.equal(new Set(primitives).size, primitives.length);
  }
  assert.deepEqual(PARAMETER_FREE, [...DARTS.primitives.slice(0, 4), "noise"]);
});

Deno.test("candidates leave out none and follow the edges' own primitives", () => {
  assert.deepEqual(
    candidatesOf(S3, "normal", 0).map(({ edge, op }) => `${edge} ${op}`),
    [
      "0 skip_connect",
      "0 sep_conv_3x3",
      "1 skip_connect",
      "1 sep_conv_3x3",
    ],
  );
  const space: Space = {
    name: "uneven",
    summary: "",
    nodes: 1,
    primitives: S3.primitives,
    edgePrimitives: {
      normal: [["none", "skip_connect"], ["sep_conv_3x3"]],
      reduce: [["sep_conv_3x3"], ["sep_conv_3x3"]],
    },
  };
  assert.deepEqual(primitivesOf(space, "normal", 1), ["sep_conv_3x3"]);
  assert.deepEqual(candidatesOf(space, "normal", 0), [
    { edge: 0, from: 0, op: "skip_connect" },
    { edge: 1, from: 1, op: "sep_conv_3x3" },
  ]);
});

Deno.test("an unknown space is refused with the nearest name", () => {
  assert.equal(findSpace("darts"), DARTS);
  assert.throws(
    () => findSpace("dart"),
    (error) =>
      error instanceof UsageError &&
      /did you mean "darts"\?/.test(error.message),
  );
  assert.equal(didYouMean("completely different", ["darts", "s2"]), "");
});
