/** What becomes of output when its stream takes none: waits, what is said, and what the next line looks like. */
import assert from "node:assert/strict";
import { Output } from "./output.ts";

/** A stream that does what `script` says, call by call: take so many bytes, or throw; then it takes everything. */
class Script {
  readonly #text = new TextDecoder();
  taken = "";
  calls = 0;
  readonly said: string[] = [];
  waited = 0;
  readonly output: Output;

  constructor(readonly script: (number | Error)[]) {
    this.output = new Output(this, "stdout", (message) => this.said.push(message), false, (ms) => this.waited += ms);
  }

  writeSync(bytes: Uint8Array): number {
    this.calls++;
    const next = this.script.shift() ?? bytes.length;
    if (next instanceof Error) throw next;
    this.taken += this.#text.decode(bytes.subarray(0, next), { stream: true });
    return Math.min(next, bytes.length);
  }
}

const full = (): Error => new Deno.errors.WouldBlock("full");
const system = (code: string): Error => Object.assign(new Error(`${code}: no`), { code });

Deno.test("output: a full pipe is waited for, and a line written in parts is whole", () => {
  const script = new Script([2, full(), full(), 1, new Deno.errors.Interrupted("signal"), full()]);
  script.output.write("hällo\n");
  assert.deepEqual([script.taken, script.said, script.output.lost], ["hällo\n", [], false]);
  assert.equal(script.waited, 60);
});

Deno.test("output: a pipe that stays full is given up once, then tried without waiting, until it moves", () => {
  const script = new Script([3, ...Array.from({ length: 501 }, full), full()]);
  script.output.write("first\n");
  assert.equal(script.waited, 10_000);
  assert.match(script.said.join(), /^Cannot write to stdout as nobody reads what is in the pipe: .*goes on$/);
  script.output.write("second\n");
  script.output.write("third\n");
  assert.equal(script.waited, 10_000);
  assert.equal(script.taken, "fir\nthird\n", "a torn line ends before the next");
  assert.deepEqual([script.said.length, script.output.lost], [1, true]);
  script.script.push(full());
  script.output.write("fourth\n");
  assert.deepEqual([script.taken, script.waited], ["fir\nthird\nfourth\n", 10_020], "and is waited for again");
});

Deno.test("output: a full disk is said once, a reader that has gone never", () => {
  const script = new Script([system("ENOSPC"), system("ENOSPC"), system("EIO"), 6]);
  for (const line of ["one\n", "two\n", "three\n", "four\n"]) script.output.write(line);
  assert.equal(script.taken, "four\n");
  assert.deepEqual(script.said, [
    "Cannot write to stdout as the disk is full: free some space; everything else goes on",
  ]);
  assert.ok(script.output.lost);
  const gone = new Script([new Deno.errors.BrokenPipe("gone"), new Deno.errors.BrokenPipe("gone")]);
  gone.output.write("one\n");
  gone.output.write("two\n");
  assert.deepEqual([gone.taken, gone.said, gone.output.lost], ["", [], false]);
  const strange = new Script([new TypeError("odd")]);
  strange.output.write("one\n");
  assert.match(strange.said.join(), /as the system says: odd; /);
});
