/**
 * A live page, in a browser: what it is told and how it shows that. Imports nothing that computes, as all of it is sent to
 * pages. Not responsible for what is shown (`live.ts`).
 * @module
 */
import { type Html, html, trusted } from "./markup.ts";
import { styleSheet } from "./style.ts";

/** Parts of a live page, and the ids of the elements that hold them. */
export const LIVE_PARTS = ["numbers", "cells", "curves", "training"] as const;

/** What a live page is told; what is left out stays as it is. */
export interface LiveUpdate {
  /** A sentence that is worth being read aloud: an epoch is done, say. */
  readonly news?: string;
  /** Where it is: the share that is done, and the same in words. */
  readonly progress?: { readonly share: number; readonly text: string };
  /** Markup of parts. */
  readonly parts?: Readonly<Partial<Record<(typeof LIVE_PARTS)[number], string>>>;
}

/** What {@linkcode showUpdate} needs of an element. */
interface Element {
  innerHTML: string;
  textContent: string | null;
  value?: number;
}

/**
 * Puts an update into a page: the parts, `news` for those who listen, the bar `progress` and its words `where`. Its own
 * text is sent to pages as a script, so it uses nothing but what it is given.
 */
export function showUpdate(
  page: { getElementById(id: string): Element | null },
  { news, progress, parts = {} }: LiveUpdate,
): void {
  for (const [id, markup] of Object.entries(parts)) {
    const part = page.getElementById(id) as Element & { shown?: string } | null;
    if (part === null || part.shown === markup) continue; // what is open or scrolled stays so
    part.innerHTML = part.shown = markup;
  }
  if (news !== undefined) page.getElementById("news")!.textContent = news;
  if (progress === undefined) return;
  page.getElementById("progress")!.value = progress.share;
  page.getElementById("where")!.textContent = progress.text;
}

/**
 * Asks the place that a page came from for updates, once a second, and shows them; goes on when it is there again. Its own
 * text is sent, too.
 */
export async function follow(
  page: Parameters<typeof showUpdate>[0],
  show: typeof showUpdate,
): Promise<void> {
  let seen = "";
  while (true) {
    try {
      const response = await fetch("live.json", { headers: { "if-none-match": seen } });
      if (response.status === 200) {
        seen = response.headers.get("etag") ?? "";
        show(page, await response.json());
      }
    } catch {
      if (seen !== "") show(page, { news: "The program that served this page has ended." });
      seen = "";
    }
    await new Promise((done) => setTimeout(done, 1000));
  }
}

/** The program of a page that a program serves. */
export function liveScript(): string {
  return `const show = ${showUpdate};\n(${follow})(document, show);\n`;
}

/** The HTML of a page that a program serves. */
export function livePage(title: string, version: string): string {
  const policy =
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'";
  const document = html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <title>${title}</title>
        ${html`<style>${trusted(styleSheet() + LIVE_RULES)}</style>`}
        <script type="module" src="live.js"></script>
      </head>
      <body>
        <header>
          <h1><bdi>${title}</bdi></h1>
        </header>
        <main>${liveElements()}</main>
        <footer>
          <p>idarts ${version}</p>
        </footer>
      </body>
    </html>
  `;
  return `${document}\n`;
}

/** The elements that {@linkcode showUpdate} fills. */
export function liveElements(): Html {
  return html`
    <section aria-labelledby="going">
      <h2 id="going">Where it is</h2>
      <progress id="progress" max="1" value="0" aria-label="Share that is done"></progress>
      <p id="where"></p>
      <p id="news" role="status" aria-live="polite"></p>
      <div id="numbers"></div>
    </section>
    <div id="cells"></div>
    <div id="curves"></div>
    <div id="training"></div>
  `;
}

/** Rules of a live page besides those of a report. */
export const LIVE_RULES = `progress{width:100%;height:14px;accent-color:var(--accent)}
#where{margin:.2rem 0 0;color:var(--muted);font-variant-numeric:tabular-nums;min-height:1.55em}
#news{min-height:1.55em}
`;
