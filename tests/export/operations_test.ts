/**
 * Every operation that can be exported, by itself in onnxruntime-node against its f64 reference. Ignored without
 * `--allow-ffi`, which onnxruntime-node needs.
 */
import assert from "node:assert/strict";
import { Random } from "../../src/base/random.ts";
import { encodeOnnx } from "../../src/export/onnx_file.ts";
import { mapGraph, mapInput, OnnxBuilder, type OnnxGraph } from "../../src/export/onnx_graph.ts";
import { Graph, type Tensor } from "../../src/graph/graph.ts";
import type { OpCase, OpSpec } from "../../src/graph/op.ts";
import { elementCount, image } from "../../src/graph/tensor_type.ts";
import { Arena } from "../../src/graph/variables.ts";
import { noise as noiseOp } from "../../src/ops/noise.ts";
import { OPERATIONS } from "../../src/ops/registry.ts";
import { assertClose, type Batch, runOnnx, toOnnx, withoutRuntime } from "./onnx_support.ts";

/** One operation on its own: image inputs and the first one are fed, the others are constants. */
function caseModel(
  op: OpSpec,
  testCase: OpCase,
): { model: OnnxGraph; feeds: Record<string, Batch>; y: Float64Array[] } {
  const graph = new Graph(), arena = new Arena("constants"), values: Float64Array[] = [];
  const builder = new OnnxBuilder(), leaves = new Map<Tensor, string>(), feeds: Record<string, Batch> = {};
  const tensors = testCase.inputs.map((type, i) => {
    const source = new Random(3, `${op.name}/${testCase.name}`, i);
    const data = testCase.derive?.(i, values) ??
      new Float64Array(elementCount(type)).map((_, e) =>
        testCase.fill?.(i, e, source.normal(), source.uniform()) ?? source.normal()
      );
    values.push(data.map(Math.fround));
    if (i > 0 && type.layout === "dense") return graph.variable(arena.add(`x${i}`, type));
    const tensor = graph.input(`x${i}`, type);
    leaves.set(tensor, mapInput(builder, `x${i}`, tensor));
    feeds[`x${i}`] = toOnnx(type, values[i]);
    return tensor;
  });
  const y = graph.apply(op, tensors, testCase.attrs);
  if (tensors.length === 0) { // what is fed says how many images there are
    const other = graph.input("other", image(1, y[0].type.shape[1], 1, 1));
    mapInput(builder, "other", other);
    feeds.other = toOnnx(other.type, new Float64Array(elementCount(other.type)));
  }
  const [result] = mapGraph(builder, graph, leaves, [y[0]], (v) => values[Number(v.name.slice(1))]);
  return { model: builder.finish({ y: result }), feeds, y: op.reference!(values, testCase.inputs, testCase.attrs) };
}

Deno.test("noise, of which nothing could be compared, is refused with what to do", () => {
  assert.throws(() => caseModel(noiseOp, noiseOp.cases!()[0]), {
    name: "FailureError",
    message: /^Cannot export 'noise' to ONNX as noise is drawn anew for each batch: take a network without noise$/,
  });
});

const INFO = { name: "test", producer: "idarts", version: "0", doc: "", metadata: {} };

for (const op of OPERATIONS.filter((o) => o.onnx && o !== noiseOp)) {
  Deno.test({
    name: `${op.name} in ONNX Runtime is its reference, in every case`,
    ignore: withoutRuntime,
    async fn() {
      for (const testCase of op.cases!()) {
        const { model, feeds, y } = caseModel(op, testCase);
        const [type] = op.infer(testCase.inputs, testCase.attrs);
        const { y: actual } = await runOnnx(encodeOnnx(model, INFO), feeds);
        assertClose(testCase.name, actual, toOnnx(type, y[0]), 1e-4);
      }
    },
  });
}
