/**
 * The layout that docs promise: layers of `src/`, shaders imported in one place each, and entries of the package.
 * @module
 */
/// <reference lib="deno.unstable" />
import assert from "node:assert/strict";
import { AUTO_OPTIONS } from "../src/auto/config.ts";
import { SEARCH_OPTIONS } from "../src/search/config.ts";
import { TRAIN_OPTIONS } from "../src/train/config.ts";
import plugin, { LAYERS } from "../scripts/layers_plugin.ts";
import printing from "../scripts/printing_plugin.ts";
import { constantOf, SHADER_TEXTS, shaderTexts } from "../scripts/shader_texts.ts";

const ROOT = new URL("../", import.meta.url);

/** Messages of the plugin for `code` in `file`. */
function lint(file: string, code: string): string[] {
  return Deno.lint.runPlugin(plugin, file, code).map(({ id, message }) => {
    assert.equal(id, "idarts/layers");
    return message;
  });
}

/** Files below `folder` (relative to the root) whose name ends in `ending`, as paths from the root. */
function files(folder: string, ending: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap((entry) => {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory) return files(`${path}/`, ending);
    return path.endsWith(ending) ? [path] : [];
  }).sort();
}

Deno.test("layers plugin: imports from the same layer and from lower ones pass", () => {
  for (const [rank, names] of LAYERS.entries()) {
    for (const name of names) {
      for (const lower of [name, ...LAYERS.slice(0, rank).flat()]) {
        const code = `import { x } from "../${lower}/x.ts";`;
        assert.deepEqual(
          lint(`src/${name}/a.ts`, code),
          [],
          `${name} -> ${lower}`,
        );
      }
    }
  }
});

Deno.test("layers plugin: imports from higher layers and from the side are refused", () => {
  for (const [rank, names] of LAYERS.entries()) {
    for (const name of names) {
      for (
        const other of LAYERS.slice(rank).flat().filter((other) => other !== name)
      ) {
        const [message, ...more] = lint(
          `src/${name}/a.ts`,
          `import { x } from "../${other}/x.ts";`,
        );
        assert.deepEqual(more, []);
        assert.match(
          message,
          new RegExp(`layer '${other}' from layer '${name}': imports go down`),
        );
      }
    }
  }
});

Deno.test("layers plugin: the message says what the layer may import", () => {
  assert.deepEqual(lint("src/graph/a.ts", `import { x } from "../nn/x.ts";`), [
    "Cannot import layer 'nn' from layer 'graph': imports go down, so 'graph' may import only platform, base, gpu",
  ]);
  assert.deepEqual(lint("src/platform/a.ts", `import { x } from "../gpu/x.ts";`), [
    "Cannot import layer 'gpu' from layer 'platform': imports go down, so 'platform' may import no other layer",
  ]);
});

Deno.test("layers plugin: every form of import counts", () => {
  for (
    const code of [
      `import type { X } from "../ops/x.ts";`,
      `import "../ops/x.ts";`,
      `export * from "../ops/x.ts";`,
      `export { x } from "../ops/x.ts";`,
      `await import("../ops/x.ts");`,
      `type X = import("../ops/x.ts").X;`,
      `import { x } from "../gpu/../ops/x.ts";`,
      `import { x } from "./deeper/../../ops/x.ts";`,
    ]
  ) {
    assert.equal(lint("src/graph/a.ts", code).length, 1, code);
    assert.equal(
      lint(new URL("src/graph/a.ts", ROOT).pathname, code).length,
      1,
      code,
    );
  }
  assert.equal(
    lint("src/graph/deeper/a.ts", `import "../../ops/x.ts";`).length,
    1,
  );
  assert.equal(
    lint(
      "src/graph/deeper/a.ts",
      `import "../x.ts"; import "node:zlib"; import "js-yaml";`,
    ).length,
    0,
  );
});

Deno.test("layers plugin: src/ does not import what lies outside it", () => {
  for (
    const path of [
      "../../mod.ts",
      "../../cli.ts",
      "../../bench/x.ts",
      "../x.ts",
    ]
  ) {
    assert.equal(
      lint("src/commands/a.ts", `import "${path}";`).length,
      1,
      path,
    );
  }
});

Deno.test("layers plugin: tests and files outside src/ may import anything", () => {
  const code = `import "../commands/x.ts"; import "../ops/shader_texts.ts";`;
  assert.deepEqual(lint("src/base/a_test.ts", code), []);
  assert.deepEqual(lint("mod.ts", `import "./src/commands/x.ts";`), []);
  assert.deepEqual(lint("bench/a.ts", `import "../src/commands/x.ts";`), []);
});

Deno.test("layers plugin: shaders are for src/ops, and come as constants", () => {
  assert.deepEqual(lint("src/ops/a.ts", `import { x } from "./shader_texts.ts";`), []);
  for (const layer of ["nn", "commands"]) {
    assert.deepEqual(lint(`src/${layer}/a.ts`, `import { x } from "../ops/shader_texts.ts";`), [
      `Cannot import shaders from layer '${layer}': only 'ops' may, each shader in one file`,
    ]);
  }
  for (const layer of ["gpu", "ops"]) {
    const code = `import source from "../../shaders/x.wgsl" with { type: "text" };`;
    assert.deepEqual(lint(`src/${layer}/a.ts`, code), [
      "Cannot import 'shaders/x.wgsl' as JSR takes no texts: import its constant from src/ops/shader_texts.ts",
    ]);
  }
});

Deno.test("layers plugin: a new folder needs a place among the layers", () => {
  assert.match(
    lint("src/util/a.ts", `import "../base/x.ts";`)[0],
    /add it to LAYERS/,
  );
  for (const entry of Deno.readDirSync(new URL("src/", ROOT))) {
    assert.ok(
      LAYERS.flat().includes(entry.name),
      `src/${entry.name} is not in LAYERS`,
    );
  }
});

Deno.test("printing plugin: one file has the console, one has stdout and stderr", () => {
  const refused = [
    `console.log(1);`,
    `globalThis.console.warn(1);`,
    `const log = console;`,
    `Deno.stdout.writeSync(x);`,
    `await Deno.stderr.write(x);`,
    `Deno["stdout"];`,
    `const { stdout } = Deno;`,
  ];
  const found = (file: string, code: string): number => Deno.lint.runPlugin(printing, file, code).length;
  for (const code of refused) {
    for (const file of ["src/commands/search.ts", "src/base/files.ts", new URL("src/run/x.ts", ROOT).pathname]) {
      assert.equal(found(file, code), 1, `${file}: ${code}`);
    }
    for (const file of ["src/base/files_test.ts", "src/run/testing_claimer.ts", "bench/x.ts", "mod.ts"]) {
      assert.equal(found(file, code), 0, `${file}: ${code}`);
    }
  }
  assert.equal(found("src/base/printable.ts", "console.warn(1);"), 0);
  assert.equal(found("src/commands/output.ts", "Deno.stdout.writeSync(x);"), 0);
  assert.equal(found("src/commands/output.ts", "console.log(1);"), 1);
  assert.equal(found("src/commands/search.ts", "terminal.line(Deno.build.os);"), 0);
});

Deno.test("below the commands nothing that is said names a flag or a verb", () => {
  const below = files("src/", ".ts").filter((path) => !path.startsWith("src/commands/") && !path.endsWith("_test.ts"));
  const verbs = files("src/commands/", ".ts").flatMap((path) =>
    [...Deno.readTextFileSync(new URL(path, ROOT)).matchAll(/\.command\("(\w+)/g)].map(([, verb]) => verb)
  );
  assert.ok(below.length > 100 && verbs.includes("search") && verbs.includes("tune"));
  // Deno's own flags are the same for everybody; custom properties of style sheets and rules of tables are no flags.
  const flag = /(^|[^-\w(])--(?!allow-|no-prompt|unstable-)[a-z][a-z-]*\b(?!:)/;
  const any = `(${[...new Set(verbs)].join("|")})`,
    verb = new RegExp(`\\bidarts ${any}\\b|\\bdeno (task|run) |'${any} `);
  const found: string[] = [];
  const check = (file: string, text: string) => {
    if (flag.test(text) || verb.test(text)) found.push(`${file}: ${text.slice(0, 80)}`);
  };
  const reader: Deno.lint.Plugin = {
    name: "texts",
    rules: {
      all: {
        create: ({ filename }) => ({
          Literal: ({ value }) => typeof value === "string" && check(filename, value),
          TemplateElement: ({ raw }) => check(filename, raw),
        }),
      },
    },
  };
  for (const path of below) {
    if (/^src\/report\/(style|charts)\.ts$/.test(path)) continue; // a style sheet
    Deno.lint.runPlugin(reader, path, Deno.readTextFileSync(new URL(path, ROOT)));
  }
  assert.deepEqual(found, []);
});

Deno.test("options that messages mention exist", () => {
  const known = new Set(
    [...SEARCH_OPTIONS.options, ...TRAIN_OPTIONS.options, ...AUTO_OPTIONS.options].map(({ key }) => key as string),
  );
  const named = files("src/", ".ts").filter((path) => !/_test\.ts$|^src\/base\//.test(path)).flatMap((path) => {
    const code = Deno.readTextFileSync(new URL(path, ROOT));
    const lists = [...code.matchAll(/\boptions: \[((?:"[a-z-]+"(?:, )?)+)\]/g)].flatMap(([, list]) => list.split(", "));
    return [...code.matchAll(/\boption\(("[a-z-]+")\)|\b(?:option|key): ("[a-z-]+"),? (?:must|value)/g)]
      .map((match) => match[1] ?? match[2]).concat(lists).map((text) => JSON.parse(text) as string);
  });
  assert.ok(named.length >= 20, String(named.length));
  assert.deepEqual([...new Set(named)].filter((key) => !known.has(key)), []);
});

Deno.test("shaders: their module has the texts of the files (else run 'deno task generate')", async () => {
  assert.ok(Deno.readTextFileSync(new URL(SHADER_TEXTS, ROOT)) === shaderTexts(), SHADER_TEXTS);
  const texts: Record<string, string> = await import(new URL(SHADER_TEXTS, ROOT).href);
  const shaders = files("shaders/", ".wgsl");
  assert.equal(Object.keys(texts).length, shaders.length);
  for (const path of shaders) {
    const name = path.slice("shaders/".length, -".wgsl".length);
    assert.equal(texts[constantOf(name)], Deno.readTextFileSync(new URL(path, ROOT)), path);
  }
});

Deno.test("each shader is imported in exactly one place", () => {
  const importers = new Map(
    files("shaders/", ".wgsl").map((
      path,
    ) => [constantOf(path.slice("shaders/".length, -".wgsl".length)), [] as string[]]),
  );
  const collect = (file: string): Deno.lint.Plugin => ({
    name: "collect",
    rules: {
      shaders: {
        create: () => ({
          ImportDeclaration(node) {
            if (!node.source.value.endsWith("/shader_texts.ts")) return;
            for (const specifier of node.specifiers) {
              assert.ok(specifier.type === "ImportSpecifier" && specifier.imported.type === "Identifier", file);
              importers.get(specifier.imported.name)?.push(file);
            }
          },
        }),
      },
    },
  });
  for (const file of files("src/", ".ts").filter((file) => !file.endsWith("_test.ts"))) {
    Deno.lint.runPlugin(collect(file), file, Deno.readTextFileSync(new URL(file, ROOT)));
  }
  for (const [shader, where] of importers) {
    assert.equal(where.length, 1, `${shader} is imported by [${where}]`);
  }
});

Deno.test("what is published imports no texts, which JSR does not take", () => {
  const attributes = (file: string, found: string[]): Deno.lint.Plugin => ({
    name: "attributes",
    rules: {
      json: {
        create: () => ({
          ImportAttribute: (node) => {
            if (node.value.value !== "json") found.push(`${file}: ${node.value.value}`);
          },
        }),
      },
    },
  });
  const found: string[] = [];
  const look = (file: string, text: string): void => void Deno.lint.runPlugin(attributes(file, found), file, text);
  look("x.ts", `import x from "./x.txt" with { type: "text" };`);
  assert.deepEqual(found.splice(0), ["x.ts: text"], "and would be found");
  for (const file of [...files("src/", ".ts"), ...Object.values(exportsOf()).map((path) => path.slice(2))]) {
    look(file, Deno.readTextFileSync(new URL(file, ROOT)));
  }
  assert.deepEqual(found, []);
});

/** Entries of the package and their modules. */
function exportsOf(): Record<string, string> {
  return JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))).exports;
}

Deno.test("entries: the main one fits on a page, each says what it is, and mod.ts is all of them", async () => {
  const names = async (path: string): Promise<string[]> => {
    const { stdout } = await new Deno.Command("deno", { args: ["doc", "--json", path], cwd: ROOT }).output();
    const [{ symbols, module_doc: about }] = Object.values<
      { symbols: { name: string }[]; module_doc?: { doc: string } }
    >(
      JSON.parse(new TextDecoder().decode(stdout)).nodes,
    );
    assert.ok(about && about.doc.length > 50, path);
    return symbols.map(({ name }) => name);
  };
  const { "./cli": _cli, "./web": _web, ...entries } = exportsOf(),
    all = await Promise.all(Object.values(entries).map(names));
  const main = all[Object.keys(entries).indexOf(".")];
  assert.ok(main.length > 40 && main.length < 75, `${main.length} exports`);
  assert.deepEqual((await names("mod.ts")).sort(), all.flat().sort(), "no name is in two entries");
  const types = await import(new URL(entries["./types"], ROOT).href);
  assert.deepEqual(Object.keys(types), [], "types alone");
});
