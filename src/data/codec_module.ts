/**
 * The decoder's WebAssembly as a module. Deno hands it out without reading a file, so that no permission is needed;
 * where that syntax is not known (browsers, bundlers) a program gives the module itself. The specifier is whole, with
 * the version of `deno.json`: publishing does not know this kind of import and leaves it as it is.
 * @module
 */

/** Compiles it; the runtime does so once for all threads. */
export async function codecModule(): Promise<WebAssembly.Module> {
  // @ts-expect-error TypeScript does not know this phase of imports: https://github.com/tc39/proposal-source-phase-imports
  // deno-lint-ignore no-import-prefix
  return await import.source("npm:@imagemagick/magick-wasm@0.0.43/magick.wasm");
}
