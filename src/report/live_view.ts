/**
 * A live page, in a browser: what it is told and how it shows that. Imports nothing that computes, as all of it is sent to
 * pages. Not responsible for what is shown (`live.ts`).
 * @module
 */
import { type Html, html } from "./markup.ts";

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
