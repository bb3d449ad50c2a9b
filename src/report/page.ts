/**
 * What every report has: the page around it, tiles, the picture of the cells, commands and settings. Whatever comes
 * from users (names, paths) is escaped, and a policy in the page forbids everything that it does not need.
 * @module
 */
import type { Genotype } from "../space/genotype.ts";
import { cellSvg, genotypeText } from "./cell_svg.ts";
import { type Content, type Html, html, trusted } from "./markup.ts";
import { count } from "./numbers.ts";
import type { CommandPart, Environment, ReportInput } from "./report_input.ts";
import { styleSheet } from "./style.ts";
import { pairTable, scroller } from "./tables.ts";

/** Nothing but the style and the pictures in the page itself: no scripts, no network. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** A part of a page; it is left out where it is empty. */
export interface Part {
  /** Its id in the page. */
  readonly id: string;
  /** What the navigation calls it. */
  readonly name: string;
  /** A `section` with this id. */
  readonly content: Content;
}

/** A whole document. @param header what comes below the title */
export function page(title: string, { version }: Environment, header: Content, parts: readonly Part[]): string {
  const shown = parts.filter(({ content }) => content !== "" && content !== false && content !== undefined);
  const links = shown.map(({ id, name }) => html`<a href="#${id}">${name}</a>`);
  const document = html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <title>${title}</title>
        ${html`<style>${trusted(styleSheet())}</style>`}
      </head>
      <body>
        <header>
          <h1><bdi>${title}</bdi></h1>
          ${header}
          <nav aria-label="Parts of this report">${links}</nav>
        </header>
        <main>${shown.map(({ content }) => content)}</main>
        <footer>
          <p>Written by idarts ${version}. This file is complete in itself: it holds no scripts and loads nothing.</p>
        </footer>
      </body>
    </html>
  `;
  return `${document}\n`;
}

/** The numbers that matter most; those without a value are left out. */
export function tileList(all: readonly (readonly [name: string, value: string | undefined])[]): Html {
  const shown = all.filter(([, value]) => value !== undefined);
  return html`<dl class="tiles">${
    shown.map(([name, value]) =>
      html`
        <div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>
      `
    )
  }</dl>`;
}

/** Picture and text of the cells. @param text that others exchange */
export async function cellPart(genotype: Genotype, text: string): Promise<Part> {
  const { skeleton } = genotype,
    exchanged = skeleton ? "text that NAS-Bench-201 exchanges" : "Python text that papers exchange";
  const caption = skeleton ? ONE_KIND : TWO_KINDS;
  const content = html`
    <section id="cell">
    <h2>The cell</h2>
    ${scroller(
      skeleton ? "Picture of the cell" : "Picture of both cells",
      html`<div class="cells">${trusted(await cellSvg(genotype))}</div>`,
    )}
    <p class="caption">Boxes are operations, circles are nodes: sums of what enters them. ${caption}</p>
    <details><summary>As text</summary>
    ${scroller("The cell as text", html`<pre>${genotypeText(genotype)}</pre>`)}
    <p class="caption">As the ${exchanged}:</p>
    ${scroller("The cell as exchanged", html`<pre>${text}</pre>`)}
    </details>
    </section>
  `;
  return { id: "cell", name: "Cell", content };
}

/** How cells lie in their network. */
const TWO_KINDS =
  "A cell reads the outputs of the two cells before it (c k−1 and c k−2) and puts its nodes side by side (c k). Normal " +
  "cells keep the image's resolution, reduction cells halve it.";
const ONE_KIND =
  "“none” (dotted) cuts an edge. A cell reads the output of the cell before it (c k−1), and its last node is its output " +
  "(c k). All cells keep the image's resolution; residual blocks between the stages halve it.";

/** The commands that made a run, and what else can be done with it. */
export function commandPart(commands: readonly CommandPart[] = []): Part {
  const content = commands.length > 0 && html`
    <section id="commands">
      <h2>Do it again</h2>
      <p>The same seed on the same adapter gives the same bits.</p>
      <ol class="commands">
    ${commands.map(({ purpose, command }) =>
      html`
        <li><p>${purpose}</p>${scroller(purpose, html`<pre>${command}</pre>`)}</li>
      `
    )}</ol>
    </section>
  `;
  return { id: "commands", name: "Commands", content };
}

/** Where, with what and on what a run was made. */
export function environmentTable(
  { version, adapter, runtime, folder }: Environment,
  data: ReportInput["data"],
  seed: unknown,
): Html {
  const place: [Content, Content][] = [["version", `idarts ${version}`], ["adapter", html`<bdi>${adapter}</bdi>`]];
  if (runtime !== undefined) place.push(["runtime", runtime]);
  if (folder !== undefined) place.push(["run folder", html`<bdi>${folder}</bdi>`]);
  if (seed !== undefined) place.push(["seed", String(seed)]);
  place.push(
    [
      "data",
      html`<bdi>${data.name}</bdi>: ${count(data.count)} images of ${data.channels}×${data.height}×${data.width}`,
    ],
    ["fingerprint of the data", html`<code>${data.fingerprint}</code>`],
  );
  return pairTable("Environment", place);
}

/** The configuration of a training with its heading; nothing where it is not known. */
export function trainingConfig(config: Readonly<Record<string, unknown>> = {}): Content {
  const rows = Object.entries(config).map((
    [key, value],
  ): [Content, Content] => [html`<code>${key}</code>`, valueText(value)]);
  return rows.length > 0 &&
    html`<h3>Configuration of the training</h3>${pairTable("Configuration of the training", rows)}`;
}

/** A value of a configuration. */
export function valueText(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
