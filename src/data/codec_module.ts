/**
 * The decoder's WebAssembly as a module. Deno hands it out without reading a file, so that no permission is needed;
 * where that syntax is not known (browsers, bundlers) a program gives the module itself. Nothing else is done here.
 * @module
 */

/** Compiles it; the runtime does so once for all threads. */
export async function codecModule(): Promise<WebAssembly.Module> {
  // @ts-expect-error TypeScript does not know this phase of imports: https://github.com/tc39/proposal-source-phase-imports
  return await import.source("@imagemagick/magick-wasm/magick.wasm");
}
