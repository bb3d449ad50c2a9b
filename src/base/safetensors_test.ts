import assert from "node:assert/strict";
import { FailureError } from "./errors.ts";
import { Random } from "./random.ts";
import { decodeTensors, duplicateKey, encodeTensors, type TensorEntry } from "./safetensors.ts";

const SAMPLE: [string, TensorEntry][] = [
  ["b/weight", { shape: [2, 3], data: new Float32Array([1, 2, 3, 4, 5, -0]) }],
  ["bytes", { shape: [3], data: new Uint8Array([7, 8, 9]) }],
  ["a", { shape: [], data: new Float32Array([NaN]) }],
  ["i", { shape: [2], data: new Int32Array([-1, 2 ** 31 - 1]) }],
  ["u", { shape: [1, 1], data: new Uint32Array([2 ** 32 - 1]) }],
  ["d", { shape: [2], data: new Float64Array([Math.PI, 1e300]) }],
  ["none", { shape: [0, 4], data: new Float32Array(0) }],
  ['quote " \u{1F600}', { shape: [1], data: new Float32Array([1]) }],
];
const NOTES: [string, string][] = [["z", "last"], ["a", 'é "\n']];

/** A file with the given header text and data bytes. */
function raw(header: string, data = 0): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(header);
  const out = new Uint8Array(8 + text.length + data);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  return out;
}

Deno.test("safetensors: decoding gives back what was encoded, bit for bit", () => {
  const bytes = encodeTensors(SAMPLE, NOTES);
  const { tensors, metadata } = decodeTensors(bytes, "x");
  assert.equal(tensors.size, SAMPLE.length);
  for (const [name, { shape, data }] of SAMPLE) {
    const back = tensors.get(name)!;
    assert.deepEqual(back.shape, shape, name);
    assert.deepEqual(back.data, data, name);
    assert.equal(back.data.buffer, bytes.buffer, "aligned data is a view");
  }
  assert.deepEqual(Object.fromEntries(metadata), Object.fromEntries(NOTES));
});

Deno.test("safetensors: the bytes do not depend on the order of insertion", () => {
  const bytes = encodeTensors(SAMPLE, NOTES);
  assert.deepEqual(encodeTensors([...SAMPLE].reverse(), [...NOTES].reverse()), bytes);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  assert.equal(length % 8, 0);
  const tiny = encodeTensors([["w", { shape: [1], data: new Float32Array([1]) }]]);
  assert.equal(
    new TextDecoder().decode(tiny.subarray(8, -4)),
    '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  ',
  );
});

Deno.test("safetensors: an empty file, a file at an odd offset, an unpadded one", () => {
  assert.equal(decodeTensors(encodeTensors([]), "x").tensors.size, 0);
  const bytes = encodeTensors(SAMPLE);
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  const back = decodeTensors(shifted.subarray(1), "x").tensors;
  for (const [name, { data }] of SAMPLE) {
    assert.deepEqual(back.get(name)!.data, data);
  }
  const odd = raw('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} ', 4);
  assert.deepEqual(decodeTensors(odd, "x").tensors.get("w")!.data, new Float32Array(1));
});

Deno.test("safetensors: names like those of Object's properties are names", () => {
  const names = ["__proto__", "constructor", "10", "9"];
  const bytes = encodeTensors(names.map((n) => [n, { shape: [1], data: new Uint8Array([1]) }]), [["__proto__", "x"]]);
  const { tensors, metadata } = decodeTensors(bytes, "x");
  assert.deepEqual([...tensors.keys()], [...names].sort());
  assert.equal(metadata.get("__proto__"), "x");
});

Deno.test("safetensors: what the format cannot hold is refused", () => {
  const one = { shape: [1], data: new Float32Array(1) };
  assert.throws(() => encodeTensors([["a", one], ["a", one]]), RangeError);
  assert.throws(() => encodeTensors([["__metadata__", one]]), RangeError);
  assert.throws(() => encodeTensors([["\ud800", one]]), RangeError);
  assert.throws(
    () => encodeTensors([["a", { shape: [2], data: one.data }]]),
    /must hold 1 elements: current value is \[2\]/,
  );
  assert.throws(() => encodeTensors([["a", { shape: [-1, -1], data: one.data }]]), RangeError);
  const half = new Int16Array(1) as unknown as Int32Array;
  assert.throws(() => encodeTensors([["a", { shape: [1], data: half }]]), TypeError);
  assert.throws(() => encodeTensors([], [["a", "1"], ["a", "2"]]), RangeError);
});

Deno.test("safetensors: each fault has a sentence that names the file", () => {
  const t = (dtype: string, shape: string, offsets: string): string =>
    `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
  const cases: [Uint8Array<ArrayBuffer>, RegExp][] = [
    [new Uint8Array(0), /at least 10 bytes/],
    [raw("{}").fill(255, 0, 8), /header length must be at most 2/],
    [raw("{}").fill(3, 0, 1), /header length must be at most 2 and is 3/],
    [raw("{]"), /must be JSON/],
    [raw("  "), /must be JSON/],
    [raw("[]"), /JSON object/],
    [raw("null"), /JSON object/],
    [raw("[".repeat(100000)), /must be JSON/],
    [raw('{"a":1}'), /entry 'a' must be a JSON object/],
    [raw('{"__metadata__":{"k":1}}'), /metadata 'k' must be a string/],
    [raw('{"__metadata__":[]}'), /'__metadata__' must be a JSON object/],
    [raw(`{"a":${t("F16", "[1]", "[0,2]")}}`, 2), /dtype of tensor 'a'.*'F16'/],
    [raw(`{"a":${t("toString", "[1]", "[0,2]")}}`, 2), /dtype of tensor/],
    [raw(`{"a":${t("F32", "[-1]", "[0,4]")}}`, 4), /shape of tensor 'a'/],
    [raw(`{"a":${t("F32", "[1.5]", "[0,6]")}}`, 6), /shape of tensor 'a'/],
    [raw(`{"a":${t("F32", "1", "[0,4]")}}`, 4), /shape of tensor 'a'/],
    [raw(`{"a":${t("F32", "[1]", "[0]")}}`, 4), /data_offsets of tensor 'a'/],
    [raw(`{"a":${t("F32", "[1]", '["0",4]')}}`, 4), /data_offsets/],
    [raw(`{"a":${t("F32", "[1]", "[4,0]")}}`, 4), /must take 4 bytes/],
    [raw(`{"a":${t("F32", "[1]", "[0,3]")}}`, 3), /must take 4 bytes/],
    [
      raw(`{"a":${t("F32", "[4294967296,4294967296]", "[0,0]")}}`),
      /must take 73786976294838210000 bytes/,
    ],
    [raw(`{"a":${t("F32", "[2]", "[0,8]")}}`, 4), /end within the 4 bytes/],
    [raw(`{"a":${t("F32", "[1]", "[4,8]")}}`, 8), /must begin where/],
    [
      raw(`{"a":${t("U8", "[4]", "[0,4]")},"b":${t("U8", "[4]", "[2,6]")}}`, 6),
      /tensor 'b' must begin where the one before it ends, at 4, and begins at 2/,
    ],
    [raw(`{"a":${t("U8", "[4]", "[0,4]")}}`, 6), /take all 6 bytes/],
    [raw(`{"a":${t("U8", "[1]", "[0,1]")},"\\u0061":${t("U8", "[1]", "[0,1]")}}`, 1), /key 'a' twice/],
    [raw(`{"a":{"dtype":"U8","dtype":"U8"}}`), /key 'dtype' twice/],
    [raw(`{"${"n".repeat(5000)}":1}`), /entry 'n{60}\.\.\.'/],
  ];
  const bad = raw('{"a":1}');
  bad[10] = 0xff;
  cases.push([bad, /UTF-8/]);
  for (const [bytes, part] of cases) {
    assert.throws(() => decodeTensors(bytes, "model.safetensors"), (error) => {
      assert.ok(error instanceof FailureError, String(error));
      assert.match(error.message, part);
      assert.match(error.message, /^Cannot read 'model.safetensors' as/);
      assert.ok(error.message.length < 400);
      return true;
    });
  }
});

Deno.test("safetensors: duplicateKey tells keys from strings", () => {
  assert.equal(duplicateKey('{"a":"a","b":["a","a"],"c":{"a":1}}'), undefined);
  assert.equal(duplicateKey('{"a\\"":1, "a\\"" : 2}'), 'a"');
  assert.equal(duplicateKey('[{"x":1},{"x":1,"y":{"x":1,"x":2}}]'), "x");
});

Deno.test("safetensors: 2000 mutated files decode or fail cleanly", () => {
  const good = encodeTensors(SAMPLE, NOTES);
  const header = 8 +
    Number(new DataView(good.buffer).getBigUint64(0, true));
  const alphabet = '{}[]":,0123456789-.eE\\u FI8\x00\xff';
  let failed = 0;
  for (let i = 0; i < 2000; i++) {
    const random = new Random(1, "mutate/safetensors", i);
    let bytes = good.slice();
    const edits = 1 + random.below(3);
    for (let k = 0; k < edits; k++) {
      const at = random.below(random.below(2) ? header : bytes.length);
      const kind = random.below(4);
      if (kind === 0) bytes = bytes.slice(0, at);
      else if (kind === 1) {
        bytes[at % Math.max(1, bytes.length)] ^= 1 << random.below(8);
      } else if (kind === 2) {
        bytes[at % Math.max(1, bytes.length)] = alphabet.charCodeAt(random.below(alphabet.length));
      } else bytes = new Uint8Array([...bytes, ...bytes.subarray(at)]);
    }
    try {
      for (
        const { shape, data } of decodeTensors(bytes, "x").tensors.values()
      ) {
        assert.equal(shape.reduce((a, b) => a * b, 1), data.length);
      }
    } catch (error) {
      assert.ok(error instanceof FailureError, `${i}: ${error}`);
      failed++;
    }
  }
  assert.ok(failed > 1000, `only ${failed} of 2000 were refused`);
});
