/**
 * A worker for tests: claims tasks `t0`, `t1`, ..., does three steps of each, and prints what it finished. With the
 * argument `true` it dies in the middle of its tenth task.
 * @module
 */
import "../platform/deno.ts";
import { exists } from "../base/files.ts";
import { Claims, SharedFolder } from "./claims.ts";

if (import.meta.main) {
  const [path, tasks, dies] = Deno.args, folder = new SharedFolder(path);
  using claims = await Claims.join(folder, { every: 0.2 });
  const names = Array.from({ length: Number(tasks) }, (_, i) => `t${i}`);
  for (let begun = 0; names.some((name) => !folder.done(name));) {
    for (const name of names) {
      const claim = claims.take(name);
      if (!claim) continue;
      begun++;
      const metrics = `${claim.path}/metrics.jsonl`;
      if (!exists(claim.path)) Deno.mkdirSync(claim.path);
      const done = exists(metrics) ? Deno.readTextFileSync(metrics).split("\n").length - 1 : 0;
      for (let step = done; step < 3; step++) {
        Deno.writeTextFileSync(metrics, `{"step":${step}}\n`, { append: true });
        if (dies === "true" && begun === 10 && step === 1) Deno.exit(9); // the sign of life stays behind
      }
      if (claim.finish()) console.log(name);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
