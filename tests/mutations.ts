/**
 * Readers of files, files that they are given, and damage that is done to these: a function of the case's number, so that
 * a failure can be repeated. Shared by the tests (`data_fuzz_test.ts`) and the campaign (`campaigns/inputs.ts`).
 * @module
 */
import assert from "node:assert/strict";
import { crc32, gzipSync } from "node:zlib";
import { FailureError, UsageError } from "../src/base/errors.ts";
import { defineOptions, formatYaml, parseYamlOptions } from "../src/base/options.ts";
import { Random } from "../src/base/random.ts";
import { decodeTensors, encodeTensors } from "../src/base/safetensors.ts";
import { prepareImage } from "../src/data/decode.ts";
import { decodeIdx } from "../src/data/idx.ts";
import { readTar } from "../src/data/tar.ts";
import { encodePng, encodeTar, PILLOW_JPEGS, sampleJpeg, samplePng, withOrientation } from "../src/data/testing.ts";
import { checkTuning } from "../src/graph/tuning.ts";
import { checkSpace, parseSpace, spaceOf } from "../src/space/definition.ts";
import { formatGenotypeJson, formatGenotypePython, formatGenotypeText, parseGenotype } from "../src/space/genotype.ts";
import { reductionCells } from "../src/space/reductions.ts";
import { candidatesOf, CELL_KINDS } from "../src/space/space.ts";

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff, 0xd8, 0xda, 0xc4, 0xc0, 0x20, 0x30, 0x5b, 0x7b, 0x22];

/** A damaged copy of `bytes`: bits, bytes and words changed, parts cut out, repeated or moved, the end cut off. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  let out = bytes.slice();
  for (let edits = 1 + random.below(4); edits > 0 && out.length > 0; edits--) {
    // Half of the damage is near the start, where headers are.
    const at = random.below(random.below(2) ? Math.min(out.length, 100) : out.length);
    const length = Math.min(out.length - at, 1 + random.below(random.below(8) ? 8 : 200));
    switch (random.below(8)) {
      case 0:
        out[at] ^= 1 << random.below(8);
        break;
      case 1:
        out[at] = random.below(256);
        break;
      case 2:
        out[at] = INTERESTING[random.below(INTERESTING.length)];
        break;
      case 3:
        out.fill(INTERESTING[random.below(INTERESTING.length)], at, at + Math.min(4, length));
        break;
      case 4:
        out = Uint8Array.of(...out.subarray(0, at), ...out.subarray(at + length));
        break;
      case 5:
        out = Uint8Array.of(...out.subarray(0, at + length), ...out.subarray(at));
        break;
      case 6:
        out.copyWithin(random.below(out.length), at, at + length);
        break;
      default:
        if (random.below(4) === 0) out = out.slice(0, at);
    }
  }
  return out;
}

/** Makes the check sums of a PNG right again where its chunks can be followed, so that the damage gets further in. */
export function repairPng(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer);
  for (let at = 8; at + 12 <= bytes.length;) {
    const end = at + 12 + view.getUint32(at);
    if (end > bytes.length) break;
    view.setUint32(end - 4, crc32(bytes.subarray(at + 4, end - 4)));
    at = end;
  }
  return bytes;
}

/** The same for the headers of a tar archive. */
export function repairTar(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    if (bytes[at] === 0 || bytes[at + 257] !== 0x75) continue;
    bytes.fill(32, at + 148, at + 156);
    const sum = bytes.subarray(at, at + 512).reduce((a, b) => a + b, 0);
    bytes.set(new TextEncoder().encode(sum.toString(8).padStart(6, "0") + "\0 "), at + 148);
  }
  return bytes;
}

/** A reader of files, and what it is given. */
export interface Reader {
  /** What it reads. */
  readonly name: string;
  /** Damaged files that the tests give it. */
  readonly cases: number;
  /** Files before the damage. */
  readonly originals: readonly Uint8Array<ArrayBuffer>[];
  /** Makes check sums right again, so that the damage gets further in. */
  readonly repair?: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
  /** Reads one. */
  readonly read: (bytes: Uint8Array<ArrayBuffer>) => unknown;
}

const text = (s: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(s);
const string = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const PNGS = [0, 2, 3, 4, 6].flatMap((colour) =>
  [false, true].map((interlaced) =>
    encodePng({
      width: 13,
      height: 11,
      depth: colour === 3 ? 4 : colour === 4 ? 16 : 8,
      colour,
      interlaced,
      filter: 1,
      sample: (y, x, c) => (x * 7 + y * 3 + c * 50) & 15,
      palette: colour === 3 ? Array.from({ length: 48 }, (_, i) => i * 5) : undefined,
      transparency: colour === 3 ? [0, 128, 255] : undefined,
    })
  )
);

const IDX = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, ...Array(120).keys());

const GENOTYPE = parseGenotype(
  "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), ('dil_conv_3x3', 2)], " +
    "normal_concat=range(2, 4), reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), " +
    "('max_pool_3x3', 1)], reduce_concat=[2, 3])",
  "seed",
);

const NAS_BENCH = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|";

const OPTIONS = defineOptions([
  { key: "epochs", kind: "int", min: 1, max: 100, default: 50, group: "A", help: "h" },
  { key: "weight-lr", kind: "number", exclusiveMin: 0, default: 0.1, group: "A", help: "h" },
  { key: "flip", kind: "boolean", default: false, group: "A", help: "h" },
  { key: "space", kind: "choice", choices: ["darts", "s2"], default: "darts", group: "A", help: "h" },
  { key: "data", kind: "string", default: null, group: "A", help: "h" },
]);

/** The readers of files in memory. */
export const READERS: readonly Reader[] = [
  {
    name: "PNG",
    cases: 10000,
    originals: [...PNGS, samplePng(1)],
    repair: repairPng,
    read: (bytes) => prepareImage(bytes, "f", { size: 8, channels: 3 }),
  },
  {
    name: "JPEG",
    cases: 10000,
    originals: [...Object.values(PILLOW_JPEGS), sampleJpeg(1, 20, 12), withOrientation(sampleJpeg(1, 20, 12), 6)],
    read: (bytes) => prepareImage(bytes, "f", { size: 8, channels: 3 }),
  },
  {
    name: "IDX",
    cases: 4000,
    originals: [IDX, Uint8Array.from(gzipSync(IDX))],
    read: (bytes) => decodeIdx(bytes, "f"),
  },
  {
    name: "tar",
    cases: 4000,
    originals: [encodeTar({ "a/b.bin": text("hello"), "c.bin": new Uint8Array(600), "d": new Uint8Array() })],
    repair: repairTar,
    read: (bytes) => [...readTar(bytes, "f")],
  },
  {
    name: "safetensors",
    cases: 4000,
    originals: [
      encodeTensors([["a", { shape: [2, 3], data: new Float32Array(6) }], ["b", {
        shape: [1],
        data: new Int32Array(1),
      }]], [["note", "x"]]),
    ],
    read: (bytes) => decodeTensors(bytes, "f"),
  },
  {
    name: "genotype",
    cases: 4000,
    originals: [text(formatGenotypeJson(GENOTYPE)), text(formatGenotypePython(GENOTYPE))],
    read: (bytes) => parseGenotype(string(bytes), "f"),
  },
  {
    name: "NAS-Bench-201 cell",
    cases: 4000,
    originals: [text(NAS_BENCH), text(formatGenotypeJson(parseGenotype(NAS_BENCH, "seed")))],
    read(bytes) {
      const genotype = parseGenotype(string(bytes), "f");
      for (const format of [formatGenotypeJson, formatGenotypeText]) {
        assert.deepEqual(parseGenotype(format(genotype), "again").normal, genotype.normal);
      }
    },
  },
  {
    name: "YAML",
    cases: 4000,
    originals: [
      text("epochs: 3\nweight-lr: 0.5\nflip: true\nspace: s2\ndata: 'a b'\n"),
      text("{epochs: &x 3, weight-lr: *x, flip: true, space: !!str darts}\n# comment\n"),
    ],
    read: (bytes) => OPTIONS.resolve([{ source: "f", values: parseYamlOptions("f", string(bytes)) }]),
  },
  {
    name: "tuning",
    cases: 4000,
    originals: [
      text(
        formatYaml({ name: "llvmpipe with 32 buffers", kernels: { 'depthwise {"stride":1} f32[1,3,3]': "tiles 1x8" } }),
      ),
      text('{name: "a", kernels: {? "pointwise {}" : held 8x32, "b": "c"}}\n'),
    ],
    read(bytes) {
      const tuning = checkTuning(parseYamlOptions("f", string(bytes)), "'f'");
      assert.deepEqual(checkTuning(parseYamlOptions("again", formatYaml(tuning)), "'again'"), tuning);
      assert.doesNotMatch(tuning.name, /\p{Cc}/u, "it is printed");
    },
  },
  {
    name: "search space",
    cases: 6000,
    originals: [
      text("name: a\nnodes: 2\nprimitives: [none, skip_connect, sep_conv_3x3]\nreduce-at: [1/3, 0.5]\n"),
      text(
        "{name: b, nodes: 1, summary: x, primitives: {normal: &l [[noise, none], [max_pool_3x3]], reduce: *l}}\n",
      ),
    ],
    read(bytes) {
      const space = spaceOf(parseSpace("f", string(bytes)));
      for (const kind of CELL_KINDS) {
        for (let node = 0; node < space.nodes; node++) {
          const edges = new Set(candidatesOf(space, kind, node).map(({ edge }) => edge));
          assert.equal(edges.size, node + 2, "every edge has a candidate");
        }
      }
      assert.equal(reductionCells(64, space.reduceAt).length, space.reduceAt?.length ?? 2);
      assert.deepEqual(spaceOf(checkSpace(parseYamlOptions("f", string(bytes)), "f")), space);
    },
  },
];

/** What an error must be: ours, one sentence on one line, not endless. */
export function checkError(error: unknown, what: string): void {
  assert.ok(
    error instanceof FailureError || error instanceof UsageError,
    `${what}: ${error} ${(error as Error)?.stack}`,
  );
  assert.doesNotMatch(error.message, /\n/, what);
  assert.ok(error.message.length > 10 && error.message.length < 1000, `${what}: ${error.message}`);
}

/** Case `i` of a reader: a damaged file. */
export function damaged({ name, originals, repair }: Reader, i: number, seed = 11): Uint8Array<ArrayBuffer> {
  const random = new Random(seed, `fuzz/${name}`, i), bytes = mutate(originals[i % originals.length], random);
  return repair !== undefined && random.below(4) > 0 ? repair(bytes) : bytes;
}
