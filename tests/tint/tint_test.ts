/**
 * Browsers of Chromium's family and Dawn take shaders that Tint takes, which is stricter than naga, the compiler in Deno.
 * Every shader of every portable program is given to it here.
 */
import assert from "node:assert/strict";
import { Dawn } from "./dawn.ts";
import { collectModules } from "./modules.ts";

/** The message without the text around the place. */
const firstLine = (message: string): string => message.split("\n")[0];

Deno.test("Tint takes every shader of every portable program", async () => {
  using plain = await Dawn.open([]);
  using extended = await Dawn.open(["subgroups"]);
  const modules = collectModules(), problems: string[] = [];
  for (const { code, where, portable } of modules) {
    const problem = await (portable ? plain : extended).problem(code, portable);
    if (problem !== undefined) problems.push(`${where}: ${firstLine(problem)}`);
  }
  assert.ok(modules.length > 3000, `${modules.length} shaders`);
  assert.ok(modules.filter(({ portable }) => portable).length > 2000);
  assert.ok(modules.some(({ code }) => code.startsWith("enable subgroups;")));
  assert.deepEqual(problems.slice(0, 20), [], `${problems.length} of ${modules.length} shaders are refused`);
});

Deno.test("Tint refuses what naga lets pass", async () => {
  using plain = await Dawn.open([]);
  using extended = await Dawn.open(["subgroups"]);
  const shader = (body: string, before = "") =>
    `${before}@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3u) { ${body} }`;
  const refused = async (dawn: Dawn, code: string, pattern: RegExp): Promise<void> => {
    assert.match(await dawn.problem(code, false) ?? "", pattern);
  };
  assert.equal(await plain.problem(shader("words[0] = (words[1] >> 3u) & 1u;"), true), undefined);
  await refused(plain, shader("words[0] = words[1] >> 3u & 1u;"), /mixing '>>' and '&' requires parenthesis/);
  const shuffle = "words[id.x] = subgroupShuffle(words[id.x], 3u);", enable = "enable subgroups;\n";
  assert.equal(await extended.problem(shader(shuffle, enable), true), undefined);
  await refused(extended, shader(shuffle), /without extension 'subgroups'/);
  await refused(plain, shader(shuffle, enable), /extension 'subgroups' is not allowed/);
  await refused(extended, shader(`if (words[id.x] == 0u) { return; } ${shuffle}`, enable), /uniform control flow/);
});
