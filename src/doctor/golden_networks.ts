/**
 * Networks whose outcome PyTorch has computed in f64 (tests/golden), built and run here: what the device makes of the
 * same parameters and images, by the names that the golden tensors have. Not responsible for what should come out.
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import { elementCount, pack, type Precision, unpack } from "../graph/tensor_type.ts";
import type { Arena } from "../graph/variables.ts";
import { resolveSearchConfig, type SearchConfig } from "../search/config.ts";
import { SearchEngine } from "../search/engine.ts";
import { planSearch } from "../search/programs.ts";
import type { NetworkConfig, NetworkForm } from "../space/derived.ts";
import { parseGenotypePython } from "../space/genotype.ts";
import { DARTS } from "../space/space.ts";
import type { NodeNorm, SupernetConfig } from "../space/supernet.ts";
import { resolveTrainConfig } from "../train/config.ts";
import { TrainEngine } from "../train/engine.ts";
import { planTraining } from "../train/programs.ts";
import { goldenBatch, parameter, uniforms } from "./golden_values.ts";

/** What a golden file says of its network. */
export type GoldenFacts = ReadonlyMap<string, string>;

/** A tensor of an outcome: logical elements, row-major. */
export interface Outcome {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

/** Tensors by the names that the golden files have. */
export type Outcomes = ReadonlyMap<string, Outcome>;

/** Options of the golden searches. */
export const GOLDEN_SEARCH: SearchConfig = resolveSearchConfig({ alphaLr: 3e-3 });

/** Rates that change nothing. */
export const NO_RATES = { weightLr: 0, alphaLr: 0, alphaStep: 1, alphaBeta1: 0.5, alphaBeta2: 0.999 } as const;

/** The supernet of a golden file. */
export function goldenSupernet(facts: GoldenFacts): SupernetConfig {
  const number = (key: string) => Number(facts.get(key));
  return {
    space: DARTS,
    channels: number("channels"),
    cells: number("cells"),
    classes: number("classes"),
    inputChannels: number("inputChannels"),
    height: number("height"),
    width: number("width"),
    batch: number("batch"),
    nodeNorm: facts.get("norm") as NodeNorm,
    edgeWeights: facts.get("edgeWeights") === "True",
    partialChannels: Number(facts.get("partialChannels") ?? 1),
  };
}

/** The network of a golden file. */
export function goldenNetwork(facts: GoldenFacts): NetworkConfig {
  const number = (key: string) => Number(facts.get(key));
  return {
    genotype: parseGenotypePython(facts.get("genotype")!, "the golden genotype"),
    form: facts.get("form") as NetworkForm,
    channels: number("channels"),
    cells: number("cells"),
    classes: number("classes"),
    inputChannels: number("inputChannels"),
    height: number("height"),
    width: number("width"),
  };
}

function writeParameters(engine: { runtime: SearchEngine["runtime"] }, arena: Arena, prefix = ""): void {
  for (const v of arena.variables) {
    const values = parameter(prefix + v.name, v.type.shape);
    engine.runtime.write(v, pack(v.type, values) as Float32Array<ArrayBuffer>);
  }
}

/** A search that starts with the golden parameters. */
export async function startGoldenSearch(gpu: Gpu, config: SupernetConfig, order = 1): Promise<SearchEngine> {
  const plan = planSearch(config, { ...GOLDEN_SEARCH, order }, gpu.limits);
  const engine = await SearchEngine.create(gpu, plan);
  engine.initialise(0, 0);
  writeParameters(engine, plan.arenas.weights);
  writeParameters(engine, plan.arenas.alphas, "alphas.");
  return engine;
}

/** Every variable of an arena, by its name after `prefix`. */
export async function arenaOutcomes(
  engine: { runtime: SearchEngine["runtime"] },
  arena: Arena,
  prefix: string,
): Promise<[string, Outcome][]> {
  const data = await engine.runtime.readArena(arena);
  return arena.variables.map(({ name, type, offset }) => {
    const values = unpack(type, data.subarray(offset)).subarray(0, elementCount(type));
    return [prefix + name, { shape: type.shape, values }];
  });
}

const flat = (values: ArrayLike<number>): Outcome => ({ shape: [values.length], values: Float64Array.from(values) });

/** A step of a golden supernet that changes nothing, and its inference. */
export async function supernetOutcomes(gpu: Gpu, facts: GoldenFacts, precision: Precision = "f32"): Promise<Outcomes> {
  const config = { ...goldenSupernet(facts), precision }, engine = await startGoldenSearch(gpu, config);
  const { arenas } = engine.plan, batch = goldenBatch(config), size = config.batch * config.classes;
  const logits = async (program: string) =>
    flat((await engine.runtime.readResult(program, "logits")).subarray(0, size));
  try {
    await engine.step(batch, batch, NO_RATES);
    const out = new Map([["logits", await logits("weight_step")]]), { train } = await engine.tallies();
    out.set("loss", flat([train.loss]));
    for (const [name, each] of await arenaOutcomes(engine, arenas.gradients, "grad.")) out.set(name, each);
    for (const [name, each] of await arenaOutcomes(engine, arenas.alphaGradients, "grad.alphas.")) out.set(name, each);
    await engine.evaluate(batch);
    return out.set("logits_eval", await logits("evaluate"));
  } finally {
    engine.destroy();
  }
}

/** Logits of the inference with activations as bf16, which is compared with that of the golden file too. */
export const BF16_LOGITS = "logits_eval as bf16";

/** A step of a golden derived network that changes nothing, and its inference. */
export async function networkOutcomes(gpu: Gpu, facts: GoldenFacts): Promise<Outcomes> {
  const network = goldenNetwork(facts), number = (key: string) => Number(facts.get(key));
  const batch = number("batch"), keep = number("keep");
  const config = resolveTrainConfig({
    weightDecay: 0,
    labelSmoothing: number("labelSmoothing"),
    auxiliaryWeight: number("auxiliaryWeight"),
    dropPath: 1 - keep,
    precision: "f32",
  });
  const plan = planTraining(network, batch, config, gpu.limits), engine = await TrainEngine.create(gpu, plan);
  const read = async (program: string, result: string) =>
    flat((await engine.runtime.readResult(program, result)).subarray(0, batch * network.classes));
  try {
    engine.initialise(0);
    writeParameters(engine, plan.arenas.weights);
    if (plan.paths > 0) engine.dropMask.set(uniforms("mask", plan.paths * batch).map((u) => u < keep ? 1 / keep : 0));
    const host = goldenBatch({ ...network, batch });
    await engine.step(host, 0);
    const out = new Map([["logits", await read("train_step", "logits")]]);
    out.set("logits_auxiliary", await read("train_step", "auxiliary"));
    const { train, auxiliary } = await engine.tallies();
    out.set("loss", flat([train.loss, auxiliary.loss]));
    for (const [name, each] of await arenaOutcomes(engine, plan.arenas.gradients, "grad.")) out.set(name, each);
    await engine.evaluate(host);
    out.set("logits_eval", await read("evaluate", "logits"));
    const half = await TrainEngine.create(
      gpu,
      planTraining(network, batch, { ...config, precision: "bf16" }, gpu.limits),
    );
    try {
      for (const key of ["weights", "running"] as const) {
        half.runtime.write(half.plan.arenas[key], await engine.runtime.readArena(plan.arenas[key]));
      }
      await half.evaluate(host);
      const logits = await half.runtime.readResult("evaluate", "logits");
      return out.set(BF16_LOGITS, flat(logits.subarray(0, batch * network.classes)));
    } finally {
      half.destroy();
    }
  } finally {
    engine.destroy();
  }
}
