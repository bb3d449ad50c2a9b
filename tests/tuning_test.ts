/** Tunings: measured on the real device, kept in a file, checked where they come from, and part of a run. */
import assert from "node:assert/strict";
import { openGpu, parseSpace, planSearch, resolveSearchConfig, search, supernetConfig, UsageError } from "../mod.ts";
import { adapterText, checkTuning, type KernelTimes, tune, tuned, type Tuning } from "../src/graph/tuning.ts";
import { events, Workplace } from "./cli_support.ts";
import { DATA, message, tiny } from "./search_support.ts";

const gpu = await openGpu(), place = new Workplace("tuning-", [".cache/mnist"]);
const { path, read, idarts, refused, works } = place;
const SMALL = ["--cells", "3", "--init-channels", "2", "--batch-size", "4"];
const TWO = parseSpace("two", "name: two\nnodes: 1\nprimitives: [skip_connect, sep_conv_3x3]\n");
const TINY = resolveSearchConfig({
  ...tiny(),
  space: TWO,
  epochs: 1,
  stepsPerEpoch: 2,
  precision: "f32",
});

/** A tuning that takes the last variant of every kernel of {@linkcode TINY}, which differs from the first one. */
function lastVariants(): Tuning {
  const kernels: Record<string, string> = {};
  const choose = (key: string, names: readonly string[]) => kernels[key] = names[names.length - 1];
  planSearch(supernetConfig(TINY, DATA), TINY, { ...gpu.limits, choose });
  return { name: adapterText(gpu), kernels };
}

Deno.test("tune measures every kernel that has variants once, and takes none that is slower than the first", async () => {
  const { plans } = planSearch(supernetConfig(TINY, DATA), TINY, gpu.limits), all: KernelTimes[] = [];
  const tuning = await tune(gpu, plans, undefined, (times, done, of) => {
    assert.equal(done, all.push(times));
    assert.ok(done <= of);
  });
  assert.deepEqual(Object.keys(tuning.kernels).sort(), Object.keys(lastVariants().kernels).sort());
  assert.deepEqual(checkTuning(JSON.parse(JSON.stringify(tuning)), "it"), tuning);
  for (const { key, chosen, nanoseconds, uses } of all) {
    const times = [...nanoseconds.values()];
    assert.ok(times.length > 1 && times.every((ns) => ns > 0) && uses > 0, key);
    assert.equal(tuning.kernels[key], chosen);
    assert.ok(nanoseconds.get(chosen)! <= times[0]);
  }
  const [gone] = Object.keys(tuning.kernels), { [gone]: _, ...others } = tuning.kernels;
  const again: string[] = [];
  const extended = await tune(gpu, plans, { ...tuning, kernels: others }, ({ key }) => again.push(key));
  assert.deepEqual(again, [gone], "what is known stays");
  assert.deepEqual(Object.keys(extended.kernels).length, all.length);
});

Deno.test("a tuned search runs other kernels to nearly the same losses; one of another adapter is left aside", async () => {
  const tuning = lastVariants(), warnings: string[] = [], warn = (m: string) => warnings.push(m);
  const losses = async (given: Tuning | "off") =>
    (await search({ ...TINY, tuning: given }, DATA, { gpu, warn })).epochs;
  const [plain] = await losses("off"),
    [other] = await losses(tuning),
    [foreign] = await losses({ ...tuning, name: "X" });
  assert.ok(Math.abs(plain.trainLoss - other.trainLoss) < 1e-4 * plain.trainLoss);
  assert.notDeepEqual(plain.meanWeights, other.meanWeights, "sums in another order");
  assert.deepEqual(plain.meanWeights, foreign.meanWeights);
  assert.deepEqual(warnings.map((w) => w.includes("of adapter 'X'") && w.includes("left aside")), [true]);
  const { choose } = tuned(gpu, { name: adapterText(gpu), kernels: { known: "b" } }).limits;
  assert.deepEqual([choose!("known", ["a", "b"]), choose!("unknown", ["a", "b"])], ["b", "a"]);
});

Deno.test("tune stops by its signal, with the reason, before it begins and between kernels", async () => {
  const { plans } = planSearch(supernetConfig(TINY, DATA), TINY, gpu.limits), reason = new Error("enough");
  const stop = new AbortController(), told: number[] = [], same = (error: unknown): boolean => error === reason;
  const onKernel = (_: KernelTimes, done: number): void => {
    told.push(done);
    if (done === 2) stop.abort(reason);
  };
  await assert.rejects(tune(gpu, plans, undefined, onKernel, stop.signal), same);
  await assert.rejects(tune(gpu, plans, undefined, onKernel, stop.signal), same);
  assert.deepEqual(told, [1, 2]);
});

Deno.test("what is no tuning is refused in one sentence", () => {
  const refuse = (value: unknown, pattern: RegExp) =>
    assert.throws(() => checkTuning(value, "'t.yaml'"), message(pattern, UsageError));
  for (const value of [null, "x", [], {}, { name: "", kernels: {} }, { name: "x" }, { name: 1, kernels: {} }]) {
    refuse(value, /^Cannot use 't.yaml' as a tuning has a name, .*: measure one with tune$/);
  }
  refuse({ name: "x", kernels: { "depthwise 5": 7 } }, /must have the name of a variant: 'depthwise 5' has not/);
});

Deno.test("cli tune: written, extended, part of a search, resumed without its file", async () => {
  const file = path("tuning.yaml"), noise = ["--shape", "1x28x28", "--classes", "10", "--out", file];
  Deno.writeTextFileSync(path("space.yaml"), "name: two\nnodes: 1\nprimitives: [skip_connect, sep_conv_3x3]\n");
  const sized = [...SMALL, "--space", path("space.yaml")];
  const made = events(await works(["tune", "search", ...sized, ...noise, "--json"]));
  const result = made.pop()!, { kernels } = result;
  assert.deepEqual(made.map((e) => e.event), Array(kernels).fill("kernel"));
  assert.equal(result.event, "tuned");
  assert.ok(kernels > 10 && result.after <= result.before);
  assert.match(await works(["tune", "search", ...sized, ...noise]), /Nothing to measure: the file knows every kernel/);
  const steps = ["--images", "64", "--epochs", "1", "--steps-per-epoch", "2", "--eval-images", "8"];
  const few = [...sized, ...steps, "--probe-images", "8", "--statistics-images", "8"];
  await works(["search", ...few, "--tuning", file, "--out", path("run")]);
  const bits = place.bits("run", ["checkpoint.safetensors"]);
  const before = read("tuning.yaml");
  assert.equal(read("run/tuning.yaml"), before);
  assert.ok(read("run/report.html").includes(`--tuning ${path("run/tuning.yaml")}`), "the command that repeats it");
  const trained = [...SMALL, "--auxiliary-weight", "0"];
  assert.match(await works(["tune", "train", path("run"), ...trained, ...noise]), /ms before +ms after\n/);
  assert.ok(read("tuning.yaml").startsWith(before.trimEnd()), "what a training needs comes behind it");
  Deno.writeTextFileSync(file, before.replace(/^name: .*/, "name: another one"));
  await works(["search", "--resume", path("run")]);
  assert.deepEqual(place.bits("run", ["checkpoint.safetensors"]), bits);

  await refused(2, /Cannot extend '.*tuning.yaml' on adapter '.*' as it is of 'another one'/, [
    "tune",
    "search",
    ...sized,
    ...noise,
  ]);
  const foreign = await idarts(["search", ...few, "--tuning", file, "--out", path("foreign")]);
  assert.equal(foreign.code, 0, foreign.err);
  assert.match(foreign.err, /^warning: The tuning is of adapter 'another one' and this is '[^\n]*\n$/);
  Deno.writeTextFileSync(file, "kernels: [1, 2]\n");
  await refused(2, /Cannot use '.*tuning.yaml' as a tuning has a name/, ["search", ...few, "--tuning", file]);
});
