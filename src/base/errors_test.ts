import assert from "node:assert/strict";
import { FailureError, IdartsError, option, optionError, text, UsageError, type Wording } from "./errors.ts";

const LOUD: Wording = {
  option: (key) => `<${key}>`,
  action: (action) => action.kind === "fetch" ? `FETCH ${action.data}` : action.kind.toUpperCase(),
};

Deno.test("errors: options and remedies are worded for the reader, and are data", () => {
  const error = new FailureError(text`Cannot search with ${option("batch-size")} ${48}: it needs ${3} MiB`, {
    option: "batch-size",
    value: 48,
    limit: 2 ** 20,
    remedies: [{ kind: "at-most", option: "batch-size", value: 12 }, "take smaller images"],
  });
  assert.equal(
    error.message,
    "Cannot search with batchSize 48: it needs 3 MiB; use batchSize 12 or less or take smaller images",
  );
  assert.equal(
    error.word(LOUD),
    "Cannot search with <batch-size> 48: it needs 3 MiB; use <batch-size> 12 or less or take smaller images",
  );
  assert.deepEqual([error.option, error.value, error.limit, error.exitCode], ["batch-size", 48, 2 ** 20, 1]);
  assert.deepEqual(error.remedies[0], { kind: "at-most", option: "batch-size", value: 12 });
  assert.ok(error instanceof IdartsError && error instanceof Error && error.stack!.includes("batchSize 12"));
});

Deno.test("errors: every kind of remedy", () => {
  const worded = (...remedies: NonNullable<ConstructorParameters<typeof UsageError>[1]>["remedies"] & object) => {
    const error = new UsageError("Cannot go on", { remedies });
    return [error.message, error.word(LOUD)];
  };
  assert.deepEqual(worded({ kind: "lower", options: ["lr", "clip", "init-channels"], afresh: true }), [
    "Cannot go on: start again with a smaller lr, clip or initChannels",
    "Cannot go on: start again with a smaller <lr>, <clip> or <init-channels>",
  ]);
  assert.deepEqual(
    worded({ kind: "lower", options: ["batch-size"] }, { kind: "set", option: "form", value: "cifar" }),
    [
      "Cannot go on: use a smaller batchSize or use form cifar",
      "Cannot go on: use a smaller <batch-size> or use <form> cifar",
    ],
  );
  assert.deepEqual(worded({ kind: "resume" }, { kind: "other-folder" }), [
    "Cannot go on: resume its run or take another folder",
    "Cannot go on: RESUME or OTHER-FOLDER",
  ]);
  assert.deepEqual(worded({ kind: "fetch", data: "cifar10" }), [
    'Cannot go on: fetch it with fetchCifar("cifar10", ...)',
    "Cannot go on: FETCH cifar10",
  ]);
  const [rest] = worded({ kind: "rediscretize", method: "zca" }, { kind: "driver" }, { kind: "tune" }, {
    kind: "study",
  });
  assert.equal(
    rest,
    "Cannot go on: search by another rule, then decide by zca with rediscretize, install a GPU driver with Vulkan, or " +
      "the software one with 'apt-get install mesa-vulkan-drivers libvulkan1', measure one with tune or begin one there",
  );
});

Deno.test("errors: the error of an option, and an error inside another one", () => {
  const inner = optionError({
    key: "lr-min",
    must: text`at most ${option("lr")} ${0.1}`,
    value: 0.5,
  });
  assert.equal(inner.message, "Cannot use lrMin as it must be at most lr 0.1: current value is 0.5");
  assert.deepEqual([inner.option, inner.value, inner.exitCode, inner.remedies], ["lr-min", 0.5, 2, []]);
  const cause = new TypeError("x"), outer = new FailureError(text`Cannot use 'f': ${inner} (${cause})`, { cause });
  assert.equal(outer.cause, cause);
  assert.equal(
    outer.word(LOUD),
    "Cannot use 'f': Cannot use <lr-min> as it must be at most <lr> 0.1: current value is 0.5 (x)",
  );
  assert.ok(!("cause" in new FailureError("no cause")));
});
