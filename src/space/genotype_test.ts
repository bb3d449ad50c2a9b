import assert from "node:assert/strict";
import { FailureError } from "../base/errors.ts";
import { Random } from "../base/random.ts";
import {
  checkGenotype,
  formatGenotypeJson,
  formatGenotypePython,
  formatGenotypeText,
  type Genotype,
  MAX_GENOTYPE_CHARACTERS,
  parseGenotype,
  parseGenotypeJson,
  parseGenotypePython,
} from "./genotype.ts";
import { DARTS_V2 } from "./published.ts";
import { DARTS, skeletonOf } from "./space.ts";

/** Copied from quark0/darts, `cnn/genotypes.py`. */
const PUBLISHED =
  "DARTS_V2 = Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])";

function randomGenotype(random: Random): Genotype {
  const ops = DARTS.primitives.slice(1);
  const size = 1 + random.below(5);
  const cell = () => {
    const nodes = Array.from({ length: size }, (_, i) => {
      const choice = () => ({
        op: ops[random.below(ops.length)],
        from: random.below(i + 2),
      });
      return [choice(), choice()] as const;
    });
    const all = nodes.map((_, i) => i + 2);
    const kept = all.filter(() => random.uniform() < 0.7);
    return { nodes, concat: kept.length > 0 ? kept : all };
  };
  return { normal: cell(), reduce: cell() };
}

function refuses(read: () => unknown, message: RegExp): void {
  assert.throws(read, (error) => {
    assert(error instanceof FailureError, String(error));
    assert.match(error.message, message);
    assert(!error.message.includes("\n"));
    return true;
  });
}

Deno.test("the published text of DARTS_V2 is DARTS_V2", () => {
  assert.deepEqual(parseGenotype(PUBLISHED, "genotypes.py"), DARTS_V2);
  assert.equal(
    formatGenotypePython(DARTS_V2),
    PUBLISHED.slice(PUBLISHED.indexOf("Genotype(")).replaceAll("[2, 3, 4, 5]", "range(2, 6)"),
  );
});

Deno.test("both texts round-trip and are stable", () => {
  for (let i = 0; i < 100; i++) {
    const genotype = randomGenotype(new Random(1, "genotype", 0, i));
    for (const format of [formatGenotypeJson, formatGenotypePython]) {
      const text = format(genotype);
      const read = parseGenotype(text, "file");
      assert.deepEqual(read, genotype);
      assert.equal(format(read), text);
    }
  }
});

Deno.test("Python text may be spread over lines, commented and written with other brackets and quotes", () => {
  const text = PUBLISHED
    .replace("normal=[", "# found by hand\n  normal = (\n")
    .replace("], normal_concat", ",), normal_concat")
    .replaceAll("'", '"')
    .replaceAll(", ", ",\r\n\t") + "  # end\n";
  assert.deepEqual(parseGenotypePython(text, "file"), DARTS_V2);
});

Deno.test("Python text of AutoDL-Projects: pairs by node, and fields that say nothing", () => {
  const nested = PUBLISHED.replace(
    /\[\('sep_conv_3x3', 0\), \('sep_conv_3x3', 1\), /,
    "[[('sep_conv_3x3', 0), ('sep_conv_3x3', 1)], ",
  );
  assert.notEqual(nested, PUBLISHED);
  for (const ending of [", connectN=None, connects=None)", ",\n  connectN = None, connects=[]\n)"]) {
    assert.deepEqual(parseGenotypePython(PUBLISHED.replace(/\)$/, ending), "file"), DARTS_V2);
    assert.deepEqual(parseGenotypePython(nested.replace(/\)$/, ending), "file"), DARTS_V2);
  }
  const [pair] = ["('sep_conv_3x3', 0)"],
    said = (text: string): () => Genotype => () => parseGenotypePython(text, "g.py");
  refuses(said(PUBLISHED.replace(/\)$/, `, connects=[${pair}])`)), /must be None/);
  for (const node of [`[${pair}]`, `[${pair}, ${pair}, ${pair}]`]) {
    refuses(said(PUBLISHED.replace("normal=[", `normal=[${node}, `)), /two operations for each node/);
  }
});

Deno.test("a node may read one source twice and be left out of the output, as in AmoebaNet", () => {
  const text =
    "Genotype(normal=[('avg_pool_3x3', 0), ('max_pool_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 1)], normal_concat=[3], " +
    "reduce=[('avg_pool_3x3', 0), ('sep_conv_3x3', 1)], reduce_concat=range(2, 3))";
  const genotype = parseGenotype(text, "amoeba");
  assert.deepEqual(genotype.normal.concat, [3]);
  assert.equal(genotype.normal.nodes[1][0].from, genotype.normal.nodes[1][1].from);
});

Deno.test("Python text that is wrong is refused with its place", () => {
  const bad = (from: string, to: string): () => Genotype => {
    assert(PUBLISHED.includes(from));
    return () => parseGenotypePython(PUBLISHED.replace(from, to), "g.py");
  };
  refuses(bad("sep_conv_3x3", "sep_conv3x3"), /g\.py.*node 0 of normal.*did you mean "sep_conv_3x3"/);
  refuses(bad("sep_conv_3x3", "none"), /an operation of node 0 of normal must be one of/);
  refuses(
    bad("('sep_conv_3x3', 1)", "('sep_conv_3x3', 2)"),
    /source of node 0 of normal must be a node from 0 to 1.*2$/,
  );
  refuses(bad("('sep_conv_3x3', 0), ", ""), /number of operations of normal must be even.*7$/);
  refuses(bad("normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ", "normal=["), /concat list of normal/);
  refuses(bad("[2, 3, 4, 5]", "[2, 3, 4, 4]"), /concat list of normal must be different nodes from 2 to 5/);
  refuses(bad("[2, 3, 4, 5]", "range(2, 99999)"), /range of at most 64/);
  refuses(bad("[2, 3, 4, 5]", "range(6, 2)"), /concat list/);
  refuses(
    bad("'sep_conv_3x3'", "__import__('os')"),
    /line 1, column 30 must be the name of an operation in quotes/,
  );
  refuses(bad("reduce=", "normal="), /must be reduce, reduce_concat: current value is "normal=/);
  refuses(bad(")", ") trailing"), /must be ","/);
  refuses(() => parseGenotypePython(PUBLISHED + " + 1", "g.py"), /a name, a number/);
  refuses(
    () => parseGenotypePython("Genotype()", "g.py"),
    /must be normal, normal_concat, reduce, reduce_concat/,
  );
  refuses(
    () => parseGenotypePython("", "g.py"),
    /line 1, column 1 must be "Genotype\(": current value is the end/,
  );
  refuses(
    () => parseGenotypePython(" ".repeat(MAX_GENOTYPE_CHARACTERS + 1), "g.py"),
    /at most 65536 characters/,
  );
});

Deno.test("JSON that is wrong is refused with the field", () => {
  const text = formatGenotypeJson(DARTS_V2);
  const bad = (from: string, to: string): () => Genotype => {
    assert(text.includes(from));
    return () => parseGenotypeJson(text.replace(from, to), "g.json");
  };
  refuses(() => parseGenotypeJson(text.slice(0, -10), "g.json"), /g\.json.*not complete JSON/);
  refuses(() => parseGenotypeJson("", "g.json"), /not complete JSON/);
  refuses(
    () => parseGenotypeJson('{"name":"package"}', "g.json"),
    /field format must be "idarts-genotype\/1".*missing/,
  );
  refuses(() => parseGenotypeJson("[]", "g.json"), /the file must be an object/);
  refuses(bad("genotype/1", "genotype/2"), /field format/);
  refuses(bad('"from":0', '"from":-1'), /source of node 0 of normal/);
  refuses(bad('"from":0', '"from":0.5'), /source of node 0 of normal/);
  refuses(bad('"from":0', '"form":0'), /source of node 0 of normal.*missing/);
  refuses(bad("skip_connect", "skip_conect"), /did you mean "skip_connect"/);
  refuses(bad(',{"op":"sep_conv_3x3","from":1}', ""), /node 0 of normal must be a list of two operations/);
  refuses(bad("[2,3,4,5]", "[]"), /concat list of normal/);
  refuses(bad("[2,3,4,5]", '["2"]'), /concat list of normal/);
  refuses(
    bad('"reduce"', '"shrink"'),
    /the fields must be format, normal, reduce, reduceAt and skeleton.*shrink/,
  );
  refuses(
    () => checkGenotype({ normal: DARTS_V2.normal }, "x"),
    /reduce must be an object: current value is missing/,
  );
  const nodes = Array(17).fill(DARTS_V2.normal.nodes[0]);
  refuses(
    () => checkGenotype({ ...DARTS_V2, normal: { nodes, concat: [2] } }, "x"),
    /a list of 1 to 16: current value is 17/,
  );
});

Deno.test("cells of NAS-Bench-201 are read and written, and wrong ones refused by node", () => {
  const text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|";
  const genotype = parseGenotype(` ${text}\n`, "arch.txt");
  assert.deepEqual(genotype.normal.nodes[1], [{ op: "none", from: 0 }, { op: "skip_connect", from: 1 }]);
  assert.deepEqual([genotype.normal.concat, skeletonOf(genotype).inputs, skeletonOf(DARTS_V2).inputs], [[3], 1, 2]);
  assert.equal(formatGenotypeText(genotype), text);
  assert.equal(formatGenotypeText(DARTS_V2), formatGenotypePython(DARTS_V2));
  assert.deepEqual(parseGenotype(formatGenotypeJson(genotype), "g.json"), genotype);
  assert.deepEqual(checkGenotype(JSON.parse(JSON.stringify(genotype)), "g"), genotype);
  const bad = (from: string, to: string) => () => parseGenotype(text.replace(from, to), "arch.txt");
  refuses(bad("nor_conv_3x3", "nor_conv_3"), /operation of node 1 must be one of .* \(did you mean "nor_conv_3x3"\?\)/);
  refuses(bad("connect~1", "connect~0"), /the source of operation 1 of node 2 must be node 1: current value is 0/);
  refuses(bad("|none~0", ""), /arch.txt.* node 2 must be a list of 2 operations, one for each node before it.* 1$/);
  refuses(bad("+|none~0|skip_connect~1|", ""), /node 2 must be a list of 2 operations.* 3$/);
  refuses(bad("|+|none", "|+none"), /each node must be like \|none~0\|skip_connect~1\|: current value is 'none~0/);
  refuses(() => parseGenotype(Array(6).fill("|none~0|").join("+"), "arch.txt"), /a list of 1 to 4 nodes.* 6$/);
  refuses(() => checkGenotype({ skeleton: "nb" }, "g"), /field skeleton must be "nas-bench-201", or missing/);
});

Deno.test("mutated texts are read or refused, never anything else", () => {
  const alphabet = [
    ..."()[]{},:='\"#\\ \n019-.axN",
    "range",
    "Genotype",
    "none",
    "1e999",
    "\u0000",
    "é",
    "__proto__",
  ];
  let refused = 0;
  for (const original of [PUBLISHED, formatGenotypeJson(DARTS_V2)]) {
    for (let i = 0; i < 600; i++) {
      const random = new Random(2, "mutation", original.length, i);
      let text = original;
      for (let edits = 1 + random.below(3); edits > 0; edits--) {
        const at = random.below(text.length),
          length = random.below(4) === 0 ? random.below(40) : random.below(2);
        const insert = random.below(3) === 0 ? "" : alphabet[random.below(alphabet.length)];
        text = random.below(20) === 0 ? text.slice(0, at) : text.slice(0, at) + insert + text.slice(at + length);
      }
      try {
        const genotype = parseGenotype(text, "mutant");
        assert.deepEqual(parseGenotype(formatGenotypeJson(genotype), "again"), genotype);
      } catch (error) {
        assert(error instanceof FailureError, `${error} from ${text}`);
        assert.match(error.message, /^Cannot read mutant as a (Python )?genotype: /);
        refused++;
      }
    }
  }
  assert(refused > 600 && refused < 1200, String(refused));
});

Deno.test("a genotype is found in what it was pasted with", () => {
  const CALL = PUBLISHED.replace(/^.*?(?=Genotype)/s, "");
  const cell = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|";
  const nested = CALL.replace(/\(('\w+'), (\d)\), \(('\w+'), (\d)\)/g, "[($1, $2), ($3, $4)]");
  assert.notEqual(nested, CALL);
  for (
    const around of [
      `06/12 03:15:03 PM genotype = ${CALL}`,
      `[2019-03-05 11:02:33] INFO genotype: ${CALL}\n06/12 03:15:09 PM alphas [0.1, 0.2]\n`,
      `{"epoch": 49, "genotype": "${CALL}"}`,
      `>>> print(genotype)\n${CALL}\n>>> `,
      `from collections import namedtuple\n\nGenotype = namedtuple('Genotype', 'normal normal_concat reduce ` +
      `reduce_concat')\n\nPRIMITIVES = [\n    'none',\n]\n\n# OLD = Genotype(normal=[])\nDARTS_V2 = ${CALL}\n\n` +
      "DARTS = DARTS_V2\n",
      `${CALL}\n${CALL}`,
      nested,
      `\x1b[32mINFO\x1b[0m genotype = \x1b[1m${CALL}\x1b[0m`,
      CALL.replaceAll("'", "\u2019"),
      `<pre>DARTS = ${CALL.replaceAll("'", "&#39;")}</pre>`,
      CALL.replace(/\('/g, "['").replace(/(\d)\)(?=[,\]])/g, "$1]"),
      CALL.replace(/_concat=(\[.*?\]|range\(.*?\))/g, "_concat=array(list($1))"),
    ]
  ) assert.deepEqual(parseGenotype(around, "log"), parseGenotypePython(CALL, "g"), around);
  for (const around of [`arch: ${cell} (acc 94.1)`, `Structure(4 nodes with ${cell})`, `{"arch_str": "${cell}"}`]) {
    assert.deepEqual(parseGenotype(around, "log"), parseGenotype(cell, "g"), around);
  }
  const other = CALL.replace("sep_conv_3x3", "dil_conv_3x3");
  refuses(
    () => parseGenotype(`NASNet = ${CALL}\n\nDARTS = ${other}\n`, "genotypes.py"),
    /holds 2 different ones: NASNet in line 1, DARTS in line 3; keep only the one that you want$/,
  );
  refuses(
    () => parseGenotype(`epoch 3\ngenotype = ${CALL.replace("sep_conv_3x3", "sep_conv3x3")}`, "log"),
    /did you mean "sep_conv_3x3"/,
  );
  refuses(() => parseGenotype(`epoch 3\n  genotype = ${CALL.slice(0, 60)}`, "log"), /^Cannot read log .* line 2,/);
});
