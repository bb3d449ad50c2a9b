/**
 * Images for tests of `auto`, and a process that leads or helps with a run until it dies: without a goodbye, as a kill
 * would leave it.
 *
 *     deno run tests/auto_support.ts FOLDER DECISIONS EVENT COUNT
 *
 * dies at the COUNT-th EVENT (`progress`: in the middle of a trial).
 * @module
 */
import "../src/platform/deno.ts";
import { auto, type AutoData } from "../src/auto/auto.ts";
import type { Entry } from "../src/auto/ledger.ts";
import { Random } from "../src/base/random.ts";
import type { LabelledImages } from "../src/data/labelled_images.ts";

/** Stripes of three directions under noise: easy for a convolution, hard for the nearest neighbour. */
export function stripes(
  count: number,
  seed: number,
  side = 8,
  classOf: (i: number) => number = (i) => i % 3,
): LabelledImages {
  const random = new Random(seed, "tests/stripes"), labels = Int32Array.from({ length: count }, (_, i) => classOf(i));
  const images = new Uint8Array(count * side * side), classNames = ["flat", "slanted", "upright"];
  labels.forEach((label, n) => {
    const shift = random.below(4);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const along = label === 0 ? y : label === 1 ? x + y : x, bright = (along + shift) % 4 < 2;
        images[(n * side + y) * side + x] = Math.round((bright ? 150 : 70) + 70 * random.uniform());
      }
    }
  });
  return { images, labels, classNames, channels: 1, height: side, width: side, name: "stripes" };
}

/** Images of all three parts. */
export const DATA: AutoData<LabelledImages> = { train: stripes(192, 1), val: stripes(60, 2), test: stripes(60, 3) };

/** Name of the machine that the processes of a test say that they are on. */
export const HOST = "here";

if (import.meta.main) {
  const [folder, decisions, event, count] = Deno.args;
  let left = Number(count);
  const happens = (what: string): void => {
    if (what === event && --left === 0) Deno.exit(9); // the sign of life stays behind
  };
  await auto({ search: "off" }, DATA, {
    ...{ folder, host: HOST, repeat: JSON.parse(Deno.readTextFileSync(decisions)) as Entry[] },
    onEvent: ({ event }) => happens(event),
    onProgress: (what, share) => what.startsWith("training") && share >= 0.5 && happens("progress"),
  });
}
