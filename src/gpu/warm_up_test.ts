/** What is compiled ahead on threads: everything, once, or nothing. */
import assert from "node:assert/strict";
import { openGpu } from "./device.ts";
import { type ShaderText, warmUp } from "./warm_up.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.device.destroy());

/** A shader that no disk has seen, and that takes a while to compile. */
function freshShader(): ShaderText {
  const salt = crypto.getRandomValues(new Uint32Array(1))[0];
  const loads = Array.from({ length: 24 }, (_, i) => `  s += a[i * 31u + ${i}u] * a[i ^ ${(salt + i) >>> 0}u];`);
  const code = `@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> b: array<vec4f>;
@group(0) @binding(2) var<uniform> n: vec4u;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x % n.x;
  var s = vec4f(${salt}.0);
${loads.join("\n")}
  b[i] = s;
}`;
  return { code, bindings: 3 };
}

const helps = gpu.software && navigator.hardwareConcurrency > 1;

Deno.test("shaders that the driver would compile one after the other are compiled by threads, each once", async () => {
  const shaders = Array.from({ length: 20 }, freshShader), ahead = await warmUp(gpu, shaders);
  assert.equal(ahead !== undefined, helps);
  if (!ahead) return;
  const { threads, compiled, errors } = await ahead.ended;
  assert.deepEqual(
    [compiled, errors],
    [shaders.length - 1, []],
    "the longest one was compiled to see whether it helps",
  );
  assert.ok(threads >= 2 && threads <= 3);
});

Deno.test("nothing is started for a few shaders, nor where the longest one is none", async () => {
  const shaders = Array.from({ length: 16 }, freshShader);
  assert.equal(await warmUp(gpu, shaders.slice(1)), undefined);
  const { code } = shaders[0];
  for (const broken of [code.replace("vec4f(", "vec5f("), code.replace("fn main", "fn other"), "?"]) {
    const padded = `${broken}\n// ${"longer ".repeat(500)}`;
    assert.equal(await warmUp(gpu, [...shaders, { code: padded, bindings: 3 }]), undefined);
  }
});
