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
  return html`<span class="meter" role="img" aria-label="${label}: ${fixed(part, 2)}"><span style="width:${
    (part * 100).toFixed(1)
  }%"></span></span>`;
}

/** Names and values, one pair a row. */
export function pairTable(label: string, pairs: readonly (readonly [name: Content, value: Content])[]): Html {
  return scroller(
    label,
    html`
      <table class="plain pairs">
        <tbody>
      ${pairs.map(([name, value]) =>
        html`
          <tr>
            <th scope="row">${name}</th>
            <td>${value}</td>
          </tr>
        `
      )}</tbody>
      </table>
    `,
  );
}
