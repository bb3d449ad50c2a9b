/**
 * What the tests of whole searches share: tiny searches on synthetic images, and what must not depend on how they came
 * about.
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  type Dataset,
  FailureError,
  resolveSearchConfig,
  type RunFolder,
  type SearchConfig,
  type SearchResult,
} from "../mod.ts";

/** Images that are brighter in one half: above for class 0, below for class 1. */
export function halves(count: number, [channels, height, width]: readonly [number, number, number]): Dataset {
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2), size = channels * height * width;
  const images = Uint8Array.from({ length: count * size }, (_, p) => {
    const row = Math.floor(p / width) % height, lower = 2 * row >= height;
    return (lower === (labels[Math.floor(p / size)] === 1) ? 150 : 60) + (Math.imul(p, 0x9e3779b1) >>> 26);
  });
  return {
    name: "halves",
    images,
    labels,
    count,
    channels,
    height,
    width,
    classes: 2,
    classNames: ["above", "below"],
    mean: Array(channels).fill(0.53),
    std: Array(channels).fill(0.19),
    fingerprint: `halves ${count}`,
  };
}

/** The images of most tests. */
export const DATA = halves(128, [1, 8, 8]);
/** Steps of an epoch, and epochs, of {@linkcode tiny}. */
export const STEPS = 6, EPOCHS = 3;

/** A search of seconds. */
export function tiny(values: Record<string, string | number | boolean> = {}): SearchConfig {
  const base = {
    "space": "s3",
    "cells": 3,
    "init-channels": 2,
    "batch-size": 8,
    "epochs": EPOCHS,
    "steps-per-epoch": STEPS,
    "pad": 1,
    "weight-lr": 0.1,
    "alpha-lr": 0.05,
    "eval-images": 64,
    "probe-images": 16,
    "statistics-images": 32,
    "seed": 5,
  };
  return resolveSearchConfig([{ source: "test", values: { ...base, ...values } }]);
}

/** Everything of a finished search that must not depend on how it came about. */
export function bitsOf(folder: RunFolder, result: SearchResult): unknown {
  const { step, tensors, state } = folder.readCheckpoint()!, hash = createHash("sha256");
  for (const [name, { data }] of [...tensors].sort(([a], [b]) => a < b ? -1 : 1)) {
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const metrics = folder.readMetrics().map(({ secondsPerStep: _, ...rest }) => rest);
  return { step, tensors: hash.digest("hex"), state, metrics, report: result.report };
}

/** Whether an error is of `type` and says one sentence that `pattern` matches. */
export function message(
  pattern: RegExp,
  type: new (...args: never[]) => Error = FailureError,
): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof type, String(error));
    assert.match(error.message, pattern);
    assert.doesNotMatch(error.message, /\n|undefined|NaN/);
    return true;
  };
}
