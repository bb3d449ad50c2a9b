/**
 * The page's program in the test with a browser: it is bundled, and does the work of `case.ts` with the browser's entry.
 * @module
 */
import * as web from "../../web.ts";
import { caseFiles, runCase, type Search } from "./case.ts";

async function work(other?: Search): Promise<unknown> {
  await web.addFiles("mine", [...caseFiles()].map(([path, bytes]) => ({ path, blob: new Blob([bytes]) })));
  return await runCase(web, "mine", other);
}

Object.assign(globalThis, { work });
