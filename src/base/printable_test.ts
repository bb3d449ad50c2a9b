/** What reaches a terminal of hostile text. */
import assert from "node:assert/strict";
import { printable, printableJson } from "./printable.ts";

Deno.test("printable: what moves the cursor, changes the terminal or hides is shown; everything else stays", () => {
  const cases: Record<string, string> = {
    "\x1b[2J": "\\x1b[2J",
    "\x1b]0;title\x07": "\\x1b]0;title\\x07",
    "a\nb\r\tc": "a\\nb\\r\\tc",
    "\x00\x7f\x08": "\\x00\\x7f\\x08",
    "\x9b31m\x85": "\\x9b31m\\x85", // C1: one character that begins a sequence; next line
    "\u202egpj.exe\u2066\u200f\u061c": "\\u{202e}gpj.exe\\u{2066}\\u{200f}\\u{61c}",
    "\u2028\u2029": "\\u{2028}\\u{2029}",
    "\ufeffcat\u200b\u00ad": "\\u{feff}cat\\u{200b}\\xad",
    "\ud800x\udfff": "\\u{d800}x\\u{dfff}",
    "\u{e0041}": "\\u{e0041}", // an invisible letter
    "Hündin 猫 قطة क्‍ष 👩‍🌾 🐈": "Hündin 猫 قطة क्‍ष 👩‍🌾 🐈",
    "C:\\new": "C:\\new",
  };
  for (const [text, shown] of Object.entries(cases)) assert.equal(printable(text), shown);
});

Deno.test("printable: JSON has the same value, on one line, in harmless characters", () => {
  const value = { "\x1b]0;\x07": ["\u202e\u2028\x85\x9b", "\ud800", "\u{e0041}", "猫", '"\\\n'], n: NaN };
  const text = printableJson(value);
  assert.deepEqual(JSON.parse(text), { ...value, n: null });
  assert.doesNotMatch(text, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
});
