/**
 * HTML from templates that escape whatever is put into them, so that no caller can forget to.
 * Not responsible for what a page says or looks like.
 * @module
 */

/** Markup that may stand in a page as it is. Only {@linkcode html} and {@linkcode trusted} make it. */
export class Html {
  readonly #text: string;

  /** @param text well-formed markup */
  constructor(text: string) {
    this.#text = text;
  }

  /** The markup. */
  toString(): string {
    return this.#text;
  }
}

/** What a template takes: texts are escaped, lists are joined, null and false are nothing. */
export type Content = Html | string | number | null | undefined | false | readonly Content[];

/**
 * A template of markup. Everything put into it that is not markup itself is escaped, for elements and for quoted
 * attributes alike. The indentation of the template itself is dropped, as are line breaks at its ends: `deno fmt` lays
 * templates of this name out like other code.
 * @example A class name that would like to be an element
 * ```ts
 * import { html } from "./markup.ts";
 * import assert from "node:assert/strict";
 * const name = `<b title="x">`;
 * assert.equal(String(html`<p title="${name}">${[name, 1]}</p>`),
 *   `<p title="&lt;b title=&quot;x&quot;&gt;">&lt;b title=&quot;x&quot;&gt;1</p>`);
 * ```
 */
export function html(strings: TemplateStringsArray, ...values: Content[]): Html {
  const last = strings.length - 1;
  return new Html(
    strings.map((text, i) => {
      const literal = text
        .replace(i === 0 ? /^\n\s*/ : /^$/, "")
        .replace(i === last ? /\n\s*$/ : /^$/, "")
        .replace(/\n[ \t]+/g, "\n");
      return literal + (i < last ? textOf(values[i]) : "");
    }).join(""),
  );
}

/** Declares `text` to be markup already: drawings that were made here. */
export function trusted(text: string): Html {
  return new Html(text);
}

function textOf(content: Content): string {
  if (content === null || content === undefined || content === false) return "";
  if (content instanceof Html) return content.toString();
  if (typeof content === "object") return content.map(textOf).join("");
  return escapeText(String(content));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text for an element or a quoted attribute; characters that no document may hold become U+FFFD. */
function escapeText(text: string): string {
  return text.toWellFormed()
    // deno-lint-ignore no-control-regex
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]/g, "\ufffd")
    .replace(/[&<>"']/g, (character) => ENTITIES[character]);
}
