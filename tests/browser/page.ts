/**
 * The page's program in the test with a browser: it is bundled, does the work of `case.ts` with the browser's entry, and
 * sends what came of it to the server that it came from.
 * @module
 */
import * as web from "../../web.ts";
import { caseFiles, runCase } from "./case.ts";

async function work(): Promise<unknown> {
  try {
    await web.addFiles("mine", [...caseFiles()].map(([path, bytes]) => ({ path, blob: new Blob([bytes]) })));
    return await runCase(web, "mine");
  } catch (error) {
    return { error: error instanceof Error ? error.stack ?? error.message : String(error) };
  }
}

await fetch("result", { method: "POST", body: JSON.stringify(await work()) });
