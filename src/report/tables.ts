/**
 * Small parts that tables of a report share.
 * @module
 */
import { type Content, type Html, html } from "./markup.ts";
import { fixed, known } from "./numbers.ts";

/** Lets what is wider than the screen scroll by itself, by keyboard too. */
export function scroller(label: string, content: Content): Html {
  return html`
    <div class="scroll" role="region" aria-label="${label}" tabindex="0">${content}</div>
  `;
}

/** A bar of the part `share` of its full width. */
export function meter(share: number, label: string): Html {
  const part = known(share) ? Math.min(1, Math.max(0, share)) : 0;
  const width = `${(part * 100).toFixed(1)}%`, name = `${label}: ${fixed(part, 2)}`;
  return html`<span class="meter" role="img" aria-label="${name}"><span style="width:${width}"></span></span>`;
}

/** A column of a table. */
export interface Column {
  /** Heading. */
  readonly name: string;
  /** `num`: figures, to the right; `wide`: text that may take several lines. */
  readonly kind?: "num" | "wide";
}

/** A table whose first column names the rows. */
export function dataTable(label: string, columns: readonly Column[], rows: readonly (readonly Content[])[]): Html {
  const head = columns.map(({ name, kind }) => html`<th scope="col" class="${kind}">${name}</th>`);
  const body = rows.map(([name, ...cells]) => {
    const data = cells.map((cell, i) => html`<td class="${columns[i + 1].kind}">${cell}</td>`);
    return html`<tr><th scope="row">${name}</th>${data}</tr>`;
  });
  const table = html`
    <table class="plain">
      <thead>
        <tr>${head}</tr>
      </thead>
      <tbody>${body}</tbody>
    </table>
  `;
  return scroller(label, table);
}

/** Names and values, one pair a row. */
export function pairTable(label: string, pairs: readonly (readonly [name: Content, value: Content])[]): Html {
  const rows = pairs.map(([name, value]) =>
    html`
      <tr>
        <th scope="row">${name}</th>
        <td>${value}</td>
      </tr>
    `
  );
  return scroller(
    label,
    html`
      <table class="plain pairs">
        <tbody>${rows}</tbody>
      </table>
    `,
  );
}
