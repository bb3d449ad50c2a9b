/**
 * What tests of exported models share: ONNX Runtime and ONNX's checker, and whether they may run here.
 * @module
 */
import assert from "node:assert/strict";
import type { TensorType } from "../../src/graph/tensor_type.ts";

const granted = (query: Deno.PermissionDescriptor) => Deno.permissions.querySync(query).state === "granted";
/** Whether onnxruntime-node may not be loaded. */
export const withoutRuntime = !granted({ name: "ffi" });
/** Debian's Python. */
export const PYTHON = "/usr/bin/python3";

/** Whether Debian's Python may run and has these modules. */
async function has(...modules: readonly string[]): Promise<boolean> {
  if (!granted({ name: "run", command: PYTHON })) return false;
  const command = new Deno.Command(PYTHON, { args: ["-c", `import ${modules}`], stdout: "null", stderr: "null" });
  return await command.output().then((o) => o.success, () => false);
}
/** Whether ONNX's checker (python3-onnx) is not there or may not run. */
export const withoutChecker = !await has("onnx");
/** The same of Pillow and NumPy (python3-pil, python3-numpy). */
export const withoutPillow = !await has("PIL", "numpy");

/** A tensor as ONNX has it. */
export interface Batch {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What is used of ONNX Runtime. */
interface Ort {
  readonly Tensor: new (type: "float32", data: Float32Array, shape: readonly number[]) => OrtTensor;
  readonly InferenceSession: { create(model: Uint8Array, options: { logSeverityLevel: number }): Promise<OrtSession> };
}
interface OrtTensor {
  readonly dims: readonly number[];
  readonly data: unknown;
}
interface OrtSession {
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

/**
 * Deno downloads all that the lock file names for any program of this project, and this package is large: a specifier
 * that is put together at run time stays out of the lock.
 */
const RUNTIME = ["npm:onnxruntime-node", "1.30.0"].join("@");

/** Runs a model in ONNX Runtime. */
export async function runOnnx(model: Uint8Array, inputs: Record<string, Batch>): Promise<Record<string, Batch>> {
  const ort = await import(RUNTIME) as Ort;
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 });
  try {
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape, data }]) => [name, new ort.Tensor("float32", data, shape)]),
    );
    const results = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, t]) => [name, { shape: t.dims, data: t.data as Float32Array }]),
    );
  } finally {
    await session.release();
  }
}

/** Elements of a tensor of ours as ONNX orders them: images become `[N, C, H, W]`. */
export function toOnnx({ layout, shape }: TensorType, values: ArrayLike<number>): Batch {
  if (layout === "dense") return { shape, data: Float32Array.from(values) };
  const [c, n, h, w] = shape, size = h * w, data = new Float32Array(c * n * size);
  for (let i = 0; i < c * n; i++) {
    for (let p = 0; p < size; p++) data[((i % n) * c + Math.floor(i / n)) * size + p] = values[i * size + p];
  }
  return { shape: [n, c, h, w], data };
}

/** Fails where elements differ by more than `tolerance` of the largest one, or shapes do. */
export function assertClose(name: string, actual: Batch, expected: Batch, tolerance: number): void {
  assert.deepEqual([...actual.shape], [...expected.shape], name);
  let worst = 0, scale = 1e-3;
  expected.data.forEach((v, i) => {
    scale = Math.max(scale, Math.abs(v));
    worst = Math.max(worst, Math.abs(v - actual.data[i]));
  });
  assert.ok(worst <= tolerance * scale, `${name} is off by ${worst} of ${scale}`);
}

const CHECK = `
import json, sys, onnx
model = onnx.load_model_from_string(sys.stdin.buffer.read())
onnx.checker.check_model(model, full_check=True)
dims = lambda v: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
print(json.dumps({
    "opset": [[o.domain, o.version] for o in model.opset_import],
    "ports": {v.name: dims(v) for v in [*model.graph.input, *model.graph.output]},
    "metadata": {p.key: p.value for p in model.metadata_props},
    "producer": [model.producer_name, model.producer_version, model.graph.name],
    "operators": sorted({n.op_type for n in model.graph.node}),
    "input": model.graph.input[0].doc_string,
}))`;

/** What ONNX's checker has to say about a model, which it must accept. */
export async function checkOnnx(model: Uint8Array<ArrayBuffer>): Promise<Record<string, unknown>> {
  const child = new Deno.Command(PYTHON, { args: ["-c", CHECK], stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(model);
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}
