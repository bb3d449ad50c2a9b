/**
 * Time of each operation at the shapes that a step of the search runs it at, taken from the planned programs.
 *
 *     NODEVICE_SELECT=1 deno bench --no-prompt bench/kernels_bench.ts                the costliest shape of each kind
 *     NODEVICE_SELECT=1 deno bench --no-prompt bench/kernels_bench.ts -- --large     of the second size of `SIZES`
 *     ... --filter depthwise bench/kernels_bench.ts -- --every                       every shape of some operations
 *
 * An iteration is one submission of 10, 100 or 1,000 runs, as the name says: the host looks only every 10 ms or so
 * whether the device is done. Names and numbers of runs depend on the plan alone, so that commits can be compared
 * (`--json`).
 * @module
 */
import "../src/platform/deno.ts";
import { measure, startTrial, type Trial } from "../src/doctor/measure.ts";
import { costliest, guessMilliseconds, settingsOf, shapesOf } from "../src/doctor/shapes.ts";
import { openGpu } from "../src/gpu/device.ts";
import { Graph } from "../src/graph/graph.ts";
import type { PlannedNode } from "../src/graph/plan.ts";
import { typeText } from "../src/graph/tensor_type.ts";
import { noiseInputs } from "../src/graph/tuning.ts";
import { OPERATIONS } from "../src/ops/registry.ts";
import { resolveSearchConfig } from "../src/search/config.ts";
import { planSearch } from "../src/search/programs.ts";
import { SIZES } from "./step_costs.ts";

const flags = new Set(Deno.args), gpu = await openGpu(), config = SIZES[flags.has("--large") ? 1 : 0];

function title({ node: { op, inputs, attrs } }: PlannedNode): string {
  const more = inputs.length > 2 ? ` +${inputs.length - 2}` : "";
  return `${op.name} ${inputs.slice(0, 2).map((t) => typeText(t.type)).join(" ")}${more} ${settingsOf(attrs)}`
    .trimEnd();
}

const nodes = planSearch(config, resolveSearchConfig(), gpu.limits).plans
  .filter(({ name }) => name === "weight_step" || name === "alpha_step")
  .flatMap((plan) => plan.nodes);
const shapes = shapesOf(nodes, title, gpu.software), chosen = flags.has("--every") ? shapes : costliest(shapes);

let current: { name: string; trial: Trial } | undefined;

for (const { name: operation } of OPERATIONS) {
  for (const { node } of chosen.filter((shape) => shape.node.node.op.name === operation)) {
    const runs = 10 ** Math.min(3, Math.max(1, Math.round(Math.log10(100 / guessMilliseconds(node, gpu.software)))));
    const name = `${title(node)} x${runs}`;
    Deno.bench({
      name,
      n: 3,
      warmup: 1,
      async fn() {
        if (current?.name !== name) {
          current?.trial.destroy();
          const { op, inputs, attrs } = node.node, graph = new Graph(config.precision);
          const leaves = inputs.map((t, i) => graph.input(`x${i}`, t.type));
          for (let i = 0; i < runs; i++) graph.apply(op, leaves, attrs);
          current = { name, trial: await startTrial(gpu, graph, {}, noiseInputs(graph)) };
        }
        await measure(current.trial.run, current.trial.idle);
      },
    });
  }
}
