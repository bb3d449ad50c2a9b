/** What a full check says of kernels and networks that compute right or wrong, and what it does with too little time. */
import "../src/platform/deno.ts";
import assert from "node:assert/strict";
import { closeForms, openForms } from "../src/doctor/forms.ts";
import type { FullCheck } from "../src/doctor/full_check.ts";
import { compareDigest, digestOf } from "../src/doctor/golden_digest.ts";
import { GOLDEN_NETWORKS } from "../src/doctor/golden_digests.ts";
import { BF16_LOGITS, type Outcome } from "../src/doctor/golden_networks.ts";
import { checkKernels } from "../src/doctor/kernels.ts";
import { fullCheckPage } from "../src/doctor/page.ts";
import type { OpSpec } from "../src/graph/op.ts";
import { relu } from "../src/ops/relu.ts";
import { GOLDEN_DIGESTS, goldenDigests } from "../scripts/golden_digests.ts";
import { readGoldenFile } from "./golden_support.ts";

Deno.test("doctor: the digests are those of the golden files", () => {
  assert.equal(Deno.readTextFileSync(GOLDEN_DIGESTS), goldenDigests(), "run: deno task generate");
});

Deno.test("doctor: a network that agrees with PyTorch is told from one that does not", () => {
  const [digest] = GOLDEN_NETWORKS, { names, tensor } = readGoldenFile(`${digest.name}.safetensors`);
  const outcomes = (change: (name: string, values: Float64Array) => void) =>
    new Map(names.map((name): [string, Outcome] => {
      const { shape, data } = tensor(name), values = Float64Array.from(data);
      change(name, values);
      return [name, { shape, values }];
    }));
  const failures = (change: (name: string, values: Float64Array) => void) =>
    compareDigest(outcomes(change), digest, 0).failures;
  const right = compareDigest(outcomes(() => {}), digest, 0);
  assert.deepEqual(right.failures, []);
  assert.ok(right.tensors > 100 && right.error < 1e-6 && right.bf16Error === null);
  const wrong = "grad.stem.bn.gamma";
  assert.ok(names.includes(wrong), names.filter((name) => name.includes("stem")).join());
  const length = Math.hypot(...tensor(wrong).data);
  for (const off of [length / 100, NaN]) {
    const [said] = failures((name, values) => void (name === wrong && (values[0] += off)));
    assert.match(said, /^'grad.stem.bn.gamma' is off by/);
  }
  const few = outcomes(() => {}), half = outcomes((_, values) => void (values[0] += 100)).get("logits_eval")!;
  few.delete("loss");
  assert.match(compareDigest(few, digest, 0).failures[0], /^'loss' is off by Infinity/);
  const bf16 = compareDigest(outcomes(() => {}).set(BF16_LOGITS, half), digest, 0);
  assert.match(bf16.failures.join(), /^the logits with activations as bf16 are off/);
  assert.deepEqual(Object.keys(digestOf(new Map([["other", { data: [1] }], ["loss", { data: [3, 4] }]]))), ["loss"]);
});

Deno.test("doctor: a kernel that computes wrong is named, and right ones beside it", async () => {
  const forms = await openForms();
  const broken: OpSpec = { ...relu, name: "broken", reference: (...x) => relu.reference!(...x).map((y) => y.fill(9)) };
  try {
    const { kernels, done, all, leftOut } = await checkKernels(forms, Infinity, undefined, [relu, broken]);
    assert.deepEqual([done, all, leftOut], [6, 6, []]);
    const ok = kernels.find(({ op }) => op === "relu")!, bad = kernels.find(({ op }) => op === "broken")!;
    assert.deepEqual([ok.failures, ok.errors.f32], [[], 0]);
    assert.ok(ok.errors.bf16! < 1e-2 && ok.runs === 6 * forms.length && bad.runs === ok.runs);
    assert.ok(bad.failures.length >= bad.runs && /as f32, kernels its own: output 0 is off/.test(bad.failures[0]));
    const late = await checkKernels(forms, -Infinity, undefined, [relu, broken]); // the first case is done all the same
    assert.deepEqual([late.done, late.leftOut, late.kernels.map(({ op }) => op)], [1, ["broken", "relu"], [
      "gradient of relu",
      "relu",
    ]]);
  } finally {
    closeForms(forms);
  }
});

Deno.test("doctor: the page has what was found, and nothing that an adapter's name could break", () => {
  const rate = { milliseconds: 2, dispatches: 3, macs: 4e6, bytes: 8e6 };
  const check: FullCheck = {
    ...{ version: "1", deno: "2", system: "linux", adapter: "a|b\n# c", info: {}, software: false, features: [] },
    limits: {
      ...{ maxStorageBuffersPerShaderStage: 8, maxStorageBufferBindingSize: 1, maxUniformBufferBindingSize: 1 },
      ...{ maxBufferSize: 1, software: false, subgroupSize: 0 },
    },
    forms: ["its own"],
    kernels: {
      kernels: [{ op: "conv", variant: "lanes", runs: 7, errors: { f32: 0.5 }, failures: ["one, as f32: off"] }],
      ...{ done: 1, all: 2, leftOut: ["conv"] },
    },
    golden: [{ name: "net", tensors: 5, error: 1e-6, worst: "x", bf16Error: 1e-3, milliseconds: 10, failures: [] }],
    ceilings: { gflops: 16, gigabytes: 8 },
    steps: [{
      ...{ name: "search", compileSeconds: 1, firstSeconds: 2, gpuBytes: 2 ** 20, step: rate, cpuMilliseconds: 5 },
      operations: [["conv", rate]],
    }],
    variants: [{
      ...{
        op: "conv",
        shape: "f32[4]",
        macs: 8e6,
        bytes: 4e6,
        nanoseconds: { taps: 2e6, lanes: 1e6 },
        fastest: "lanes",
      },
    }],
    leftOut: ["1 of 2 cases"],
    problems: ["conv (lanes), one, as f32: off"],
    seconds: 61,
  };
  const page = fullCheckPage(check), has = (line: string) => assert.ok(page.includes(line), `${line}\n${page}`);
  has("# idarts 1 on a\\|b\\\\n# c\n");
  has("**1 things are wrong**");
  has("Left out for want of time: 1 of 2 cases.");
  has("| conv | lanes | 7 | 5.0e-1 |  | **WRONG** in 1 |");
  has("| net | 5 | 1.0e-6 | 1.0e-3 | 10 ms | right |");
  has("| conv | 2.00 | 3 | 4.00 M | 7.63 MiB | 4.0 | 4.0 | 50.0% |"); // 8 MFLOP and 8 MB in 2 ms: half of the GB/s
  has("| conv | f32[4] | lanes | 1000.0 | 16.0 | 4.0 | 100.0% | taps: 2000.0; lanes: 1000.0 |");
});
