/**
 * The two spellings of an option's name: `alpha-lr` in YAML and on the command line, `alphaLr` in TypeScript.
 * @module
 */

/** `"alpha-lr"` as `"alphaLr"`. */
export type Camel<S extends string> = S extends `${infer A}-${infer B}` ? `${A}${Capitalize<Camel<B>>}`
  : S;

/** `"alpha-lr"` as `"alphaLr"`. */
export function camelCase(key: string): string {
  return key.replace(/-(.)/g, (_, c: string) => c.toUpperCase());
}

/** `"alphaLr"` as `"alpha-lr"`. */
export function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
}
