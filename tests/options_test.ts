/**
 * The options of the library: the interfaces that are generated from the lists, and what they refuse.
 * @module
 */
import assert from "node:assert/strict";
import {
  resolveSearchConfig,
  resolveTrainConfig,
  SEARCH_PRESETS,
  type SearchConfig,
  TRAIN_PRESETS,
  type TrainConfig,
  UsageError,
} from "../mod.ts";
import { MODULES, moduleText } from "../scripts/option_types.ts";
import { camelCase } from "../src/base/option_key.ts";
import { message } from "./search_support.ts";

Deno.test("options: the generated interfaces are those of the lists (else run 'deno task generate')", () => {
  for (const module of MODULES) {
    const text = Deno.readTextFileSync(new URL(`../${module.path}`, import.meta.url));
    assert.equal(moduleText(module), text, module.path);
    for (const { key } of module.list) assert.match(text, new RegExp(`^  readonly ${camelCase(key)}\\?:`, "m"));
  }
});

Deno.test("options: what is left out has its default, presets are spread, and a configuration is options again", () => {
  const searched: SearchConfig = resolveSearchConfig({ ...SEARCH_PRESETS["pc-darts"], epochs: 20 });
  const { epochs, partialChannels, momentum, images } = searched;
  assert.deepEqual({ epochs, partialChannels, momentum, images }, {
    epochs: 20,
    partialChannels: 4,
    momentum: 0.9,
    images: null,
  });
  assert.deepEqual(resolveSearchConfig(searched), searched);
  const trained: TrainConfig = resolveTrainConfig({ ...TRAIN_PRESETS.imagenet, seed: 1 });
  assert.deepEqual([trained.form, trained.seed, trained.clip], ["imagenet", 1, 5]);
  assert.deepEqual(resolveTrainConfig(trained), trained);
});

Deno.test("options: a wrong key is a type error, and refused with the one that was meant", () => {
  const refused = (of: () => unknown, text: RegExp) => assert.throws(of, message(text, UsageError));
  // @ts-expect-error: the key is initChannels
  refused(() => resolveSearchConfig({ initChanels: 2 }), /'initChanels': did you mean 'initChannels'\?$/);
  // @ts-expect-error: the key is auxiliaryWeight
  refused(() => resolveTrainConfig({ "auxiliary-weight": 0 }), /'auxiliary-weight': did you mean 'auxiliaryWeight'\?$/);
  refused(
    // @ts-expect-error: it is a number
    () => resolveSearchConfig({ epochs: "2" }),
    /^Cannot use epochs as it must be a whole number from 1 to 100000/,
  );
  // @ts-expect-error: there is no such space
  refused(() => resolveSearchConfig({ space: "s9" }), /^Cannot use space as it must be one of darts, .*mean 's[1-4]'/);
  refused(() => resolveSearchConfig({ discretizer: "zcaa" }), /^Cannot use discretizer .*did you mean 'zca'/);
  refused(() => resolveTrainConfig({ warmupEpochs: 700 }), /^Cannot use warmupEpochs as it must be at most epochs 600/);
  refused(
    () => resolveSearchConfig({ alphaWarmupEpochs: 50 }),
    /^Cannot use alphaWarmupEpochs as it must be less than epochs 50/,
  );
  const space = { name: "mine", nodes: 0, primitives: ["skip_connect"] };
  refused(() => resolveSearchConfig({ space }), /search space in the options as nodes must be/);
});
