/**
 * Text from files as a terminal may get it: names, keys and messages can hold escape sequences that clear the screen or
 * set its title, line breaks that fake further lines, and marks that turn the direction of what follows. Here they are
 * made visible. Not responsible for writing anything, but for the one warning of who has no other place for it.
 * @module
 */

/**
 * What no terminal gets: control characters (C0, DEL, C1), separators of lines and paragraphs, format characters that
 * nobody sees (directions, tags, marks of the byte order), and halves of surrogate pairs. Joiners stay (U+200C, U+200D):
 * scripts and emoji need them, and they move nothing.
 */
const HIDDEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Names of control characters that everybody knows. */
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escape(char: string): string {
  const code = char.codePointAt(0)!, hex = code.toString(16);
  return SHORT[char] ?? (code < 0x100 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`);
}

/**
 * `text` with every character visible that moves the cursor, changes the terminal or hides what is there: on one line.
 * @example A class folder that would like to be more
 * ```ts
 * import { printable } from "./printable.ts";
 * import assert from "node:assert/strict";
 * assert.equal(printable("cat\x1b[2J\nerror: \u202egpj"), "cat\\x1b[2J\\nerror: \\u{202e}gpj");
 * ```
 */
export function printable(text: string): string {
  return showHidden(text, escape);
}

/** `text` with another spelling of what {@linkcode printable} makes visible. */
export function showHidden(text: string, spell: (char: string) => string): string {
  return text.replace(HIDDEN, spell);
}

/**
 * JSON of `value` that a terminal may get as well: the same value to whoever parses it, and one line to whoever splits
 * lines (at U+0085 and U+2028 too).
 */
export function printableJson(value: unknown): string {
  const units = (char: string): string =>
    char.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
  return showHidden(JSON.stringify(value), units);
}

/** A warning of a function that was told no other place for it: on the console. */
export function warnOnConsole(message: string): void {
  console.warn(printable(message));
}
