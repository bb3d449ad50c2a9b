/**
 * Words of a command line that is printed to be pasted into a shell.
 * @module
 */
import { printable, showHidden } from "./printable.ts";

/** A path or a value as a shell takes it; with characters that no terminal gets, as bash and zsh take it. */
export function shellQuote(text: string): string {
  if (printable(text) !== text) return `$'${showHidden(text.replace(/[\\']/g, "\\$&"), shellEscape)}'`;
  return /^[\w./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function shellEscape(char: string): string {
  const code = char.codePointAt(0)!, hex = code.toString(16);
  return code < 0x80 ? `\\x${hex.padStart(2, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
