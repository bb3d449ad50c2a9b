/**
 * The work of `case.ts` in Deno, whose results it prints as JSON: by the main entry with files in the folder that is
 * named (then another search as JSON, if any), or without one by the browser's entry with files in memory.
 * @module
 */
import { caseFiles, runCase } from "./case.ts";

const [folder, other = "{}"] = Deno.args;
if (folder !== undefined) {
  for (const [path, bytes] of caseFiles()) {
    Deno.mkdirSync(`${folder}/${path.split("/")[0]}`, { recursive: true });
    Deno.writeFileSync(`${folder}/${path}`, bytes);
  }
  console.log(JSON.stringify(await runCase(await import("../../mod.ts"), folder, JSON.parse(other))));
} else {
  const web = await import("../../web.ts");
  // @ts-expect-error TypeScript does not know this phase of imports
  // deno-lint-ignore no-import-prefix
  web.useCodec(await import.source("npm:@imagemagick/magick-wasm@0.0.43/magick.wasm"));
  await web.addFiles("mine", [...caseFiles()].map(([path, bytes]) => ({ path, blob: new Blob([bytes]) })));
  console.log(JSON.stringify(await runCase(web, "mine")));
}
