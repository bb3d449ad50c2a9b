/**
 * Writes a data set of a few hundred digits of MNIST, for tests and for trying things out:
 *
 *     deno run --allow-read=.cache/mnist --allow-write=FOLDER scripts/few_digits.ts FOLDER
 *
 * @module
 */
import "../src/platform/deno.ts";
import { readIdxImages, readIdxLabels } from "../src/data/idx.ts";

const SIDE = 28, PIXELS = SIDE * SIDE;

/** Which digits of MNIST's test images are written, from and to: those to train with, and those to test with. */
interface Digits {
  readonly train: readonly [number, number];
  readonly t10k: readonly [number, number];
}

/** Writes digits as IDX files into `folder`, which is made: 200 to train with and 60 to test with if not told. */
export function writeDigits(folder: string, { train, t10k }: Digits = { train: [200, 400], t10k: [0, 60] }): void {
  const images = readIdxImages(".cache/mnist/t10k-images-idx3-ubyte").data;
  const labels = readIdxLabels(".cache/mnist/t10k-labels-idx1-ubyte").data;
  const words = (...all: number[]): number[] => all.flatMap((n) => [n >> 24, n >> 16, n >> 8, n].map((b) => b & 255));
  Deno.mkdirSync(folder, { recursive: true });
  for (const [part, [from, to]] of [["train", train], ["t10k", t10k]] as const) {
    const put = (name: string, header: number[], bytes: Uint8Array): void =>
      Deno.writeFileSync(`${folder}/${part}-${name}`, Uint8Array.from([...header, ...bytes]));
    put("images-idx3-ubyte", words(0x803, to - from, SIDE, SIDE), images.slice(from * PIXELS, to * PIXELS));
    put("labels-idx1-ubyte", words(0x801, to - from), labels.slice(from, to));
  }
}

if (import.meta.main) writeDigits(Deno.args[0]);
