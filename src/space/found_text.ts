/**
 * Finds a genotype's text in what it was pasted with: lines of logs, a file of a repository that defines several, a
 * value in quotes. Everything else becomes blanks, so that places in errors stay those of the file. Not responsible for
 * what the text says.
 * @module
 */
import { FailureError } from "../base/errors.ts";

/** Where Python writes one down; `namedtuple('Genotype', ...)` and `Genotype = ...` are none. */
const CALL = /\bGenotype\s*\(/g;
/** A cell of NAS-Bench-201, in whatever quotes: `|op~0|+|op~0|op~1|`. */
const NAS_BENCH = /\|[^|~+\s]+~\d+\|(?:\+\|(?:[^|~+\s]+~\d+\|)+)*/g;
/** Text that is told apart from what the product itself writes, which is JSON. */
const JSON_FORMAT = /"format"\s*:/;
const SHOWN = 8;

/** A piece of a text. */
interface Piece {
  readonly start: number;
  readonly end: number;
  /** What it is called there; empty where nothing says it. */
  readonly name: string;
}

/** What kind of text a file holds. */
export type TextKind = "json" | "python" | "nas-bench";

/** Where the bracket that is open before `at` closes; the end of the text where it does not. */
function closing(text: string, at: number): number {
  let quote = "";
  for (let depth = 1, i = at; i < text.length; i++) {
    const c = text[i];
    if (quote !== "") {
      if (c === quote || c === "\n") quote = "";
    } else if (c === "'" || c === '"') quote = c;
    else if (c === "#") {
      const end = text.indexOf("\n", i);
      if (end < 0) break;
      i = end;
    } else if ("([".includes(c)) depth++;
    else if (")]".includes(c) && --depth === 0) return i + 1;
  }
  return text.length;
}

function calls(text: string): Piece[] {
  const pieces: Piece[] = [];
  for (const { index, 0: head } of text.matchAll(CALL)) {
    const line = text.slice(text.lastIndexOf("\n", index - 1) + 1, index);
    if (index < (pieces.at(-1)?.end ?? 0) || /^\s*#/.test(line) || /\bclass\s+$|\bdef\s+$/.test(line)) continue;
    const name = /([A-Za-z_]\w*)\s*=\s*$/.exec(line)?.[1] ?? "";
    pieces.push({ start: index, end: closing(text, index + head.length), name });
  }
  return pieces;
}

/** The text with blanks for all but a piece of it. */
function alone(text: string, { start, end }: Piece): string {
  const blank = (part: string): string => part.replace(/[^\n]/g, " ");
  return blank(text.slice(0, start)) + text.slice(start, end) + blank(text.slice(end));
}

/** The only piece, or the one that all of them repeat. Throws FailureError for different ones, with their places. */
function only(text: string, pieces: readonly Piece[], file: string): string {
  const [first] = pieces, content = ({ start, end }: Piece): string => text.slice(start, end).replace(/\s+/g, "");
  if (pieces.every((piece) => content(piece) === content(first))) return alone(text, first);
  const places = pieces.map(({ start, name }) => {
    const line = `line ${text.slice(0, start).split("\n").length}`;
    return name === "" || name === "genotype" ? line : `${name} in ${line}`;
  });
  const shown = places.slice(0, SHOWN).join(", ") +
    (places.length > SHOWN ? `, ... (the last in ${places.at(-1)})` : "");
  throw new FailureError(
    `Cannot read ${file} as a genotype as it holds ${pieces.length} different ones: ${shown}; keep only the one that ` +
      "you want",
  );
}

/** What turns a terminal's colours on and off. */
const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`, "g");

/** Text without what terminals, word processors and web pages make of it. */
function plain(text: string): string {
  return text.replace(COLOURS, (sequence) => " ".repeat(sequence.length))
    .replace(/&#0?39;|&#x27;|&apos;|[\u2018\u2019\u201a\u2032]/gi, "'")
    .replace(/&quot;|&#34;|[\u201c\u201d\u201e\u2033]/gi, '"');
}

/**
 * The genotype in a text, with blanks for what stands around it, and its kind.
 * @param file names the text in errors
 * @throws {FailureError} where it holds several that differ.
 */
export function findGenotype(given: string, file: string): { readonly kind: TextKind; readonly text: string } {
  const bracketed = /^\s*[{[]/.test(given);
  if (bracketed && JSON_FORMAT.test(given)) return { kind: "json", text: given };
  const text = plain(given);
  const python = calls(text);
  if (python.length > 0) return { kind: "python", text: only(text, python, file) };
  const cells = [...text.matchAll(NAS_BENCH)].map(({ index, 0: cell }) => ({
    ...{ start: index, end: index + cell.length, name: "" },
  }));
  if (cells.length > 0 && !/^\s*\|/.test(text)) return { kind: "nas-bench", text: only(text, cells, file) };
  if (/^\s*\|/.test(text)) return { kind: "nas-bench", text };
  return { kind: bracketed ? "json" : "python", text };
}
