/** What is compiled ahead on threads. */
import assert from "node:assert/strict";
import { openGpu } from "./device.ts";
import { compileOnThreads, type ShaderText, warmUp } from "./warm_up.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.device.destroy());

/** A shader that no disk has seen. */
function freshShader(): ShaderText {
  const salt = crypto.getRandomValues(new Uint32Array(1))[0];
  const loads = Array.from({ length: 8 }, (_, i) => `  s += a[i * 31u + ${i}u] * a[i ^ ${(salt + i) >>> 0}u];`);
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

Deno.test("shaders are compiled by threads, each once", async () => {
  const shaders = Array.from({ length: 20 }, freshShader);
  const { threads, compiled, errors } = await compileOnThreads(gpu, shaders, Infinity);
  assert.deepEqual([compiled, errors], [19, []]);
  assert.equal(threads, Math.min(3, navigator.hardwareConcurrency));
});

Deno.test("threads stop where what one has compiled is not there for the others", async () => {
  const { threads, compiled, errors } = await compileOnThreads(gpu, Array.from({ length: 160 }, freshShader), 0);
  assert.ok(threads > 1 && compiled < 159, `${compiled} shaders, ${threads} threads`);
  assert.deepEqual(errors, []);
});

Deno.test("what is wrong with a shader is left to whoever needs it", async () => {
  const [first, second] = [freshShader(), freshShader()], broken = { code: "?", bindings: 1 };
  const { compiled, errors } = await compileOnThreads(gpu, [first, broken, second], Infinity);
  assert.equal(compiled, 1);
  assert.match(errors[0], /parsing error/);
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
