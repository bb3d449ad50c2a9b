/**
 * Names and texts from files that would like to steer the terminal: through verbs that print them, as text and as JSON.
 * The only line that has them is the line that names them, and nothing in it is a control character.
 */
import assert from "node:assert/strict";
import { encodeModel } from "../src/train/model_file.ts";
import { printable } from "../src/base/printable.ts";
import { type Options, type Outcome, WITHOUT_GPU, Workplace } from "./cli_support.ts";
import { mnistModel } from "./export/models.ts";
import { encodePng } from "../src/data/testing.ts";

const place = new Workplace("hostile-"), { path, idarts } = place;

/** Clears the screen, sets the title, fakes a line, goes up, turns the direction (U+009B and U+0085 are C1). */
const EVIL = "a\x1b[2J\x1b]0;pwned\x07\nerror: all is lost\r\u009b1A\u0085\u202egpj";
/** Whatever may not reach a terminal. */
const CONTROL = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Runs a command line and looks at all that it says. */
async function says(args: readonly string[], options: Options = {}): Promise<Outcome> {
  const outcome = await idarts(args, options);
  for (const line of (outcome.out + outcome.err).split("\n")) {
    assert.doesNotMatch(line, CONTROL, JSON.stringify(line));
    assert.doesNotMatch(line, /^error: all is lost/);
  }
  return outcome;
}

const SHOWN = printable(EVIL);
const write = (name: string, bytes: Uint8Array | string): string => {
  if (typeof bytes === "string") Deno.writeTextFileSync(path(name), bytes);
  else Deno.writeFileSync(path(name), bytes);
  return path(name);
};

/** A PNG of 28x28 grey pixels. */
const png = (seed: number): Uint8Array =>
  encodePng({
    ...{ width: 28, height: 28, depth: 8, colour: 0 },
    sample: (y, x) => ((28 * y + x) * 31 + seed * 17) % 256,
  });

const model = write(
  "model.safetensors",
  encodeModel({ ...mnistModel, classNames: mnistModel.classNames.map((name, i) => `${i}${name}${EVIL}`) }),
);

Deno.test("hostile names: classes and files in predictions, and the same in JSON", async () => {
  const image = write(`x${EVIL}.png`, png(1));
  const { code, out, err } = await says(["predict", model, image, "--top", "2"]);
  assert.equal(code, 0, err);
  const lines = out.trimEnd().split("\n");
  assert.equal(lines.length, 3);
  assert.ok(lines[0].startsWith(`${printable(image)}: `) && lines[1].includes(SHOWN));
  const json = await says(["predict", model, image, "--json"]);
  const value = JSON.parse(json.out);
  assert.equal(value.image, image);
  assert.ok(value.class.endsWith(EVIL));
  const missing = await says(["predict", model, path(`y${EVIL}.png`)]);
  assert.equal(missing.code, 1);
  assert.ok(missing.err.includes(SHOWN) && missing.err.trimEnd().split("\n").length === 1, missing.err);
});

Deno.test("hostile names: class folders in tables and warnings of an evaluation", async () => {
  for (let k = 0; k < 20; k++) {
    const folder = path(`photos/${k < 10 ? "train" : "test"}/${k % 10}${EVIL}`);
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeFileSync(`${folder}/${k}.png`, png(k));
  }
  const args = ["evaluate", model, "--data", path("photos")];
  const { code, out, err } = await says(args);
  assert.equal(code, 0, err);
  const rows = out.split("\n").filter((line) => line.includes(SHOWN) && /\b1 +(100.0|0.0)%/.test(line));
  assert.ok(rows.length >= 10, out);
  assert.equal(new Set(rows.slice(0, 10).map((row) => /\b1 +(100.0|0.0)%/.exec(row)!.index)).size, 1, "aligned");
  assert.match(err, /^warning: The classes of [^\n]*are called otherwise/m);
});

Deno.test("hostile names: keys and values of YAML, names and types of tensors, genotypes, arguments", async () => {
  const text = JSON.stringify(EVIL).replace(
    /[\u007f-\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const header = (entry: Record<string, unknown>): Uint8Array => {
    const json = new TextEncoder().encode(JSON.stringify(entry)), bytes = new Uint8Array(8 + json.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
    bytes.set(json, 8);
    return bytes;
  };
  const type = { dtype: EVIL, shape: [1], data_offsets: [0, 4] },
    name = { dtype: "F32", shape: [-1], data_offsets: [0, 4] };
  const cases: [number, string[]][] = [
    [2, ["search", "--config", write("key.yaml", `${text}: 1\n`)]],
    [2, ["search", "--config", write("value.yaml", `space: ${text}\n`)]],
    [2, ["study", "run", write("study.yaml", `search: { ${text}: 1 }\n`)]],
    [1, ["predict", write("type.safetensors", header({ x: type })), model]],
    [1, ["predict", write("name.safetensors", header({ [EVIL]: name })), model]],
    [1, ["cost", write("cell.json", JSON.stringify({ normal: [[[EVIL, 0]]] }))]],
    [2, ["search", `--${EVIL}`]],
    [2, ["cost", "DARTS_V2", "--form", EVIL]],
  ];
  for (const [code, args] of cases) {
    const { err, ...rest } = await says(args, { env: WITHOUT_GPU });
    assert.match(err, /^error: [^\n]+\n$/, args[1]);
    assert.equal(rest.code, code, err);
    assert.doesNotMatch(err, /defect/);
  }
});
