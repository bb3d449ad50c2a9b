/**
 * The browser's entry: that nothing it leads to asks for Deno or Node, and that it computes what the main entry does.
 * What a browser makes of it is tested in `tests/browser`.
 * @module
 */
/// <reference lib="deno.unstable" />
import assert from "node:assert/strict";
import { ended, ROOT, Workplace } from "./cli_support.ts";

const { folder, path } = new Workplace("idarts-web-");

/** What `deno info --json` says of a module. */
interface ModuleInfo {
  readonly specifier: string;
  readonly dependencies?: readonly { readonly code?: { readonly specifier?: string } }[];
}

/** The modules that `entry` leads to when it runs; types alone lead nowhere. */
async function reached(entry: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("deno", { args: ["info", "--json", entry], cwd: ROOT }).output();
  const { modules, redirects } = JSON.parse(new TextDecoder().decode(stdout));
  const known = new Map((modules as ModuleInfo[]).map((module) => [module.specifier, module]));
  const found = new Set<string>([new URL(entry, ROOT).href]);
  for (const specifier of found) {
    for (const { code } of known.get(specifier)?.dependencies ?? []) {
      if (code?.specifier !== undefined) found.add(redirects[code.specifier] ?? code.specifier);
    }
  }
  return [...found].sort();
}

/** Where the text of a module names Deno. */
function namesDeno(file: string, text: string): boolean {
  let found = false;
  const look: Deno.lint.Plugin = {
    name: "look",
    rules: { deno: { create: () => ({ Identifier: ({ name }) => void (found ||= name === "Deno") }) } },
  };
  Deno.lint.runPlugin(look, file, text);
  return found;
}

Deno.test("web: the entry and the page lead to nothing of Node and name Deno nowhere; the main entry does", async () => {
  assert.ok(namesDeno("a.ts", "const { files } = Deno;") && !namesDeno("a.ts", "// Deno\nconst a = 'Deno';"));
  const faults = async (entry: string): Promise<string[]> =>
    (await reached(entry)).filter((module) =>
      module.startsWith("node:") ||
      module.startsWith(ROOT.href) && namesDeno(module, Deno.readTextFileSync(new URL(module)))
    ).map((module) => module.replace(ROOT.href, ""));
  for (const entry of ["web.ts", "src/web/worker.ts", "src/web/page.ts"]) assert.deepEqual(await faults(entry), []);
  const main = await faults("idarts.ts");
  assert.ok(main.includes("src/platform/deno.ts") && main.includes("node:zlib"), main.join());
  const packages = (await reached("web.ts")).filter((module) => module.startsWith("npm:"));
  assert.ok(packages.some((name) => /^npm:\/?fflate@/.test(name)), packages.join());
});

/** What a program in `tests/browser` prints, run with these permissions and no others. */
// deno-lint-ignore no-explicit-any
async function printed(program: string, flags: readonly string[] = [], args: readonly string[] = []): Promise<any> {
  const command = new Deno.Command("deno", {
    args: ["run", "--quiet", "--no-prompt", "--no-check", ...flags, `tests/browser/${program}`, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { code, out, err } = await ended(command.output());
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

Deno.test("web: files in memory give what files on the disk give", async () => {
  const permissions = [`--allow-read=${folder}`, `--allow-write=${folder}`];
  const main = await printed("deno_side.ts", permissions, [path("images")]);
  assert.deepEqual(await printed("deno_side.ts"), main, "and without any permission");
});

Deno.test("web: a search whose folder is in memory goes on where it was stopped", async () => {
  const { stopped, whole, resumed, files, left } = await printed("memory_run.ts");
  assert.equal(stopped, true);
  assert.equal(whole.length, 2);
  assert.deepEqual(resumed, whole);
  for (const name of ["config.json", "checkpoint.safetensors", "genotype.json", "genotypes/zca.txt"]) {
    assert.ok(files.includes(`runs/a/${name}`), files.join());
  }
  assert.deepEqual(left, []);
});
