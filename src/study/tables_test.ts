/** The file of a study's trainings, as others read it. */
import "../platform/deno.ts";
import assert from "node:assert/strict";
import type { Results } from "./results.ts";
import { parseStudy } from "./study_file.ts";
import { csv } from "./tables.ts";

Deno.test("results.csv: a space of one's own by its name, and random cells by all that they are a control for", () => {
  const study = parseStudy(
    "x.yaml",
    "search: { space: [s3, { name: mine, nodes: 1, primitives: [skip_connect, sep_conv_3x3] }], image-size: [32, 64], " +
      "node-norm: [rms, none] }\ntrain: {}\nrandom: 1",
  );
  const training = (setting: number, rule: string | null) => ({
    ...{ name: "t", setting, rule, unit: rule === null ? "random 0" : "search-1", seed: 0, cell: "a,b" },
    ...{ split: "test", accuracy: 0.5, skips: 1, parameterFree: 1 },
  });
  const trainings = study.settings.flatMap(({ control }, i) => [
    training(i, "alpha"),
    ...(control === i ? [training(i, null)] : []),
  ]);
  const [header, ...lines] = csv(study, { trainings, searches: [] } as unknown as Results).trim().split("\n");
  assert.equal(
    header,
    "space,image-size,node-norm,rule,unit,search-seed,train-seed,accuracy,split,skips,free,run,cell",
  );
  const random = lines.filter((line) => line.includes(",random,")).map((line) => line.split(",").slice(0, 4).join(","));
  assert.deepEqual(random, ["s3,32,,random", "s3,64,,random", "mine,32,,random", "mine,64,,random"]);
  assert.ok(lines.every((line) => line.endsWith('"a,b"') && !line.includes("object")), lines[0]);
});
