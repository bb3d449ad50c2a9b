/**
 * Every case of operations in the registry as tests, on the real device. They are two modules, which may run at the same
 * time.
 */
import "../src/platform/deno.ts";
import assert from "node:assert/strict";
import { openForms } from "../src/doctor/forms.ts";
import type { OpSpec } from "../src/graph/op.ts";
import { CaseCheck, checkCase, checkVariants, gradientGraphs, TriedVariants } from "../src/ops/check.ts";
import { OPERATIONS } from "../src/ops/registry.ts";

/** The adapter's own kernels, those that a GPU gets, and those without what only Mesa's software driver offers. */
export const [{ gpu }, { gpu: portable }, { gpu: plain } = { gpu: portable }] = await openForms();

/** Whether the kernel of an operation walks windows with weights: about half of the work. */
export const isConvolution = ({ name }: OpSpec): boolean => /^(conv2d|depthwise)/.test(name);

/** Registers the tests of some operations. */
export function testOperations(operations: readonly OpSpec[]): void {
  for (const op of operations) {
    if (op.testedBy) {
      Deno.test(`${op.name} is tested by ${op.testedBy}`, () => {
        const tester = OPERATIONS.find((o) => o.name === op.testedBy);
        assert.ok(tester?.gradient && tester.cases?.().length, "the tester must be differentiable and have cases");
        const graphs = tester.cases().flatMap((testCase) => gradientGraphs(tester, testCase));
        assert.ok(graphs.some(({ graph }) => graph.nodes.some((node) => node.op === op)), "no case runs it");
      });
      continue;
    }
    for (const testCase of op.cases!()) {
      const tried = new TriedVariants();
      for (const device of [gpu, portable]) {
        const where = device === portable ? ", 8 storage buffers, kernels for GPUs" : "";
        Deno.test(`${op.name}: ${testCase.name}, every variant${where}`, async () => {
          for await (const { result, taken } of checkVariants(new CaseCheck(op, testCase), device, tried)) {
            assert.deepEqual(result.failures, [], [...taken].join("; "));
          }
        });
      }
      if (testCase.inputs.some((type) => type.layout === "image")) {
        Deno.test(`${op.name}: ${testCase.name}, images as bf16`, async () => {
          for (const [name, device] of Object.entries({ gpu, plain, portable })) {
            assert.deepEqual((await checkCase(device, op, testCase, "bf16")).failures, [], name);
          }
        });
      }
    }
  }
}
