/**
 * The page's HTML, which `deno task page` writes. It looks like a report. What happens in it is `page.ts`.
 * @module
 */
import { VERSION } from "../base/version.ts";
import { LIVE_RULES, liveElements } from "../report/live_view.ts";
import { html, trusted } from "../report/markup.ts";
import { styleSheet } from "../report/style.ts";
import { OFFERED } from "./job.ts";

/**
 * The page and its worker speak with the place that they came from and nobody else, whatever is in them: the browser
 * sees to it. The charts' library makes functions of formulas, the decoder and the drawing of cells are WebAssembly.
 */
const POLICY = "default-src 'none'; script-src 'self' blob: 'unsafe-eval'; style-src 'unsafe-inline'; " +
  "img-src data: blob:; worker-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'";

const RULES = `${LIVE_RULES}
#drop{border:2px dashed var(--rule);border-radius:10px;padding:18px;text-align:center;margin:0 0 .8rem}
#drop p{max-width:none}
#drop.over{border-color:var(--accent);background:var(--paper)}
.row{display:flex;flex-wrap:wrap;gap:.6rem;align-items:center;margin:0 0 .8rem}
button,.button{font:inherit;padding:.45rem 1rem;border:1px solid var(--rule);border-radius:8px;background:var(--paper);
color:var(--ink);cursor:pointer;min-height:44px;display:inline-flex;align-items:center}
button.main{background:#1f6fb8;border-color:#1f6fb8;color:#fff;font-weight:600}
button:disabled{opacity:.5;cursor:default}
:focus-visible,.button:focus-within{outline:3px solid var(--accent);outline-offset:2px}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
textarea{width:100%;font:13px/1.5 ui-monospace,Menlo,Consolas,monospace;background:var(--paper);color:var(--ink);
border:1px solid var(--rule);border-radius:6px;padding:.5rem}
.options{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,320px),1fr));gap:12px}
#fault{border-left:3px solid rgb(var(--bad));padding-left:.7rem;white-space:pre-wrap;overflow-wrap:anywhere}
#downloads{list-style:none;padding:0}
[hidden]{display:none!important}
`;

/** The whole document. */
export function pageHtml(): string {
  const document = html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <title>idarts: a network for your images</title>
        ${html`<style>${trusted(styleSheet() + RULES)}</style>`}
        <script type="module" src="page.js"></script>
      </head>
      <body>
        <header>
          <h1>A network for your images</h1>
          <p class="lead">This page searches a building block for image classifiers, a <em>cell</em>, on images of yours,
    and trains a small network of it. Everything happens on this machine: the images never leave it.</p>
        </header>
        <main>
          ${imagesSection()} ${startSection()}
          <div id="live" hidden>${liveElements()}</div>
          <section id="results" hidden aria-labelledby="results-title">
            <h2 id="results-title">What came of it</h2>
            <ul id="downloads"></ul>
          </section>
        </main>
        <footer>
          <p>idarts ${VERSION}</p>
        </footer>
      </body>
    </html>
  `;
  return `${document}\n`;
}

function imagesSection() {
  return html`
    <section aria-labelledby="images-title">
      <h2 id="images-title">1. Images</h2>
      <div id="drop">
        <p>Drop a folder here that has a folder of images for each class,</p>
        <div class="row" style="justify-content:center">
          <label class="button">or choose a folder<input id="folder" class="hidden" type="file" webkitdirectory multiple />
          </label>
          <button id="sample" type="button">or take digits of MNIST</button>
        </div>
      </div>
      <p id="images" role="status">No images yet.</p>
    </section>
  `;
}

function startSection() {
  const field = (id: string, label: string, text: string) =>
    html`<div><label for="${id}">${label}</label><textarea id="${id}" rows="12" spellcheck="false">${text}</textarea></div>`;
  return html`
    <section aria-labelledby="start-title">
      <h2 id="start-title">2. Search</h2>
      <p>Adapter: <b id="adapter" role="status">looking ...</b></p>
      <div class="row">
        <button id="start" class="main" type="button" disabled>Search and train</button>
        <button id="stop" type="button" disabled>Stop</button>
        <button id="forget" type="button" disabled>Forget all</button>
      </div>
      <p id="fault" role="alert" hidden></p>
      <ul id="warnings" class="caption" aria-label="Warnings"></ul>
      <details>
        <summary>Options</summary>
        <p class="caption">Keys and values as in the configuration files of the program; what is left out has the published
    recipe's value.</p>
        <div class="options">
          ${field("search-options", "Options of the search", OFFERED.search)}
          ${field("train-options", "Options of the training", OFFERED.train)}
        </div>
      </details>
    </section>
  `;
}
