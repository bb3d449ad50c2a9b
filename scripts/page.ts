/**
 * Puts what the page needs besides its programs into a folder: its HTML, the decoder of image files, digits of MNIST.
 * Part of `deno task page`, which makes the programs. Run with `--unstable-raw-imports`.
 * @module
 */
import { pageHtml } from "../src/web/page_html.ts";
import { SAMPLE_FOLDER } from "../src/web/sample.ts";
import { writeDigits } from "./few_digits.ts";
import { writeCodec } from "./web_codec.ts";

/** Writes them into `folder`. */
export async function writePage(folder: string): Promise<void> {
  await writeCodec(folder);
  writeDigits(`${folder}/${SAMPLE_FOLDER}`, { train: [1000, 5000], t10k: [0, 1000] });
  Deno.writeTextFileSync(`${folder}/index.html`, pageHtml());
}

if (import.meta.main) await writePage(Deno.args[0]);
