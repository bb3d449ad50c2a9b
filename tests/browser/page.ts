/**
 * The page's program in the test with a browser: it is bundled, and does the work of `case.ts` with the browser's entry.
 * @module
 */
import * as web from "../../web.ts";
import { caseFiles, runCase } from "./case.ts";

async function work(): Promise<unknown> {
  await web.addFiles("mine", [...caseFiles()].map(([path, bytes]) => ({ path, blob: new Blob([bytes]) })));
  return await runCase(web, "mine");
}

Object.assign(globalThis, { work });
