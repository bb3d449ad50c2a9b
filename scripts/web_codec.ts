/**
 * Puts the decoder of image files that a browser needs, `magick.wasm`, into a folder: part of `deno task web`. Run with
 * `--unstable-raw-imports`; Deno's npm client has the package.
 * @module
 */
import config from "../deno.json" with { type: "json" };

/** Writes `magick.wasm` into `folder`, which is made if need be. */
export async function writeCodec(folder: string): Promise<void> {
  const specifier = `${config.imports["@imagemagick/magick-wasm"]}/magick.wasm`; // no literal: it is no module of ours
  const { default: bytes } = await import(specifier, { with: { type: "bytes" } });
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeFileSync(`${folder}/magick.wasm`, bytes);
}

if (import.meta.main) await writeCodec(Deno.args[0]);
