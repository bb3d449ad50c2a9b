/**
 * Our operations beside those of the JavaScript libraries that could train a network in Deno (TensorFlow.js and
 * jax-js, each on its own backends): the same inputs, results that must agree, CPU time and time by the clock.
 *
 *     NODEVICE_SELECT=1 LP_NUM_THREADS=1 deno run --no-lock --no-prompt --allow-read=$HOME/.cache/deno/npm bench/peers.ts
 *
 * The permission lets TensorFlow.js read its own WebAssembly in Deno's cache of npm packages. `--json` prints one
 * object per operation. An operation is a forward pass ("y") or a forward pass with all gradients ("y dx dw"); a
 * supernet needs both. Compilation is not counted. CPU time is of all threads of the process, a software adapter's
 * among them; of a GPU's work it says nothing.
 * @module
 */
import { measure, medianSpan, type Span, startTrial } from "../src/doctor/measure.ts";
import { Random } from "../src/base/random.ts";
import { type Gpu, openGpu } from "../src/gpu/device.ts";
import { gradients } from "../src/graph/autodiff.ts";
import { Graph, type Tensor } from "../src/graph/graph.ts";
import type { OpSpec } from "../src/graph/op.ts";
import { dense, image, pack, type Precision, storedAs, type TensorType, unpack } from "../src/graph/tensor_type.ts";
import { sum } from "../src/ops/add_n.ts";
import { depthwise } from "../src/ops/depthwise.ts";
import { pointwise } from "../src/ops/pointwise.ts";
import { maxPool } from "../src/ops/pool.ts";

const CHANNELS = 16, BATCH = 32, SIZE = 32, IMAGE = [BATCH, CHANNELS, SIZE, SIZE];

/** What is computed, in everybody's terms. */
interface Task {
  readonly name: string;
  readonly kind: "pointwise" | "depthwise" | "max pool";
  /** Width of the kernel. */
  readonly k: number;
  readonly dilation: number;
}

const TASKS: readonly Task[] = [
  { name: "ReLU, 1x1", kind: "pointwise", k: 1, dilation: 1 },
  { name: "ReLU, depthwise 3x3", kind: "depthwise", k: 3, dilation: 1 },
  { name: "ReLU, depthwise 5x5", kind: "depthwise", k: 5, dilation: 1 },
  { name: "ReLU, depthwise 3x3, dilation 2", kind: "depthwise", k: 3, dilation: 2 },
  { name: "max pool 3x3", kind: "max pool", k: 3, dilation: 1 },
];

/** Values in PyTorch's order: images `[N, C, H, W]`, weights `[C_out, C_in]` or `[C, K, K]`. */
type Values = Float32Array<ArrayBuffer>;

/** What everybody is given. */
interface Given {
  readonly x: Values;
  /** Empty where the operation has no weights. */
  readonly w: Values;
  /** Gradient of the loss for the result. */
  readonly dy: Values;
}

const weightShape = ({ kind, k }: Task): readonly number[] =>
  kind === "pointwise" ? [CHANNELS, CHANNELS] : kind === "depthwise" ? [CHANNELS, k, k] : [0];

function given(task: Task): Given {
  const random = new Random(0, "peers"), normal = () => random.normal();
  const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  return {
    // Exact as bf16, never 0 (where ReLU has a kink), different in every window (where a maximum has one).
    x: new Float32Array(count(IMAGE)).map((_, i) => (2 * (i * 37 % 251) - 249) / 128),
    w: new Float32Array(count(weightShape(task))).map(normal),
    dy: new Float32Array(count(IMAGE)).map(normal),
  };
}

/** An operation that is ready to run. */
interface Prepared {
  /** Starts one run. */
  run(): void;
  /** Waits for all of them. */
  idle(): Promise<unknown>;
  /** y, then dx and dw where there are such. */
  results(): Promise<Values[]>;
  /** Frees everything. */
  destroy(): void;
}

/** A library on a backend. Throws what the library throws where it cannot do a task. */
interface Peer {
  readonly name: string;
  prepare(task: Task, given: Given, backward: boolean): Promise<Prepared>;
}

/** Swaps the two leading axes: our images are `[C, N, H, W]`. */
function swapped(values: ArrayLike<number>, [a, b]: readonly number[]): Values {
  const size = values.length / a / b, out = new Float32Array(values.length);
  for (let i = 0; i < a * b; i++) {
    for (let p = 0; p < size; p++) out[((i % b) * a + Math.floor(i / b)) * size + p] = values[i * size + p];
  }
  return out;
}

function idarts(gpu: Gpu, precision: Precision): Peer {
  const operation = ({ kind, dilation }: Task): [OpSpec, unknown] => {
    if (kind === "pointwise") return [pointwise, { groups: 1, inputGroups: 1, relu: true }];
    if (kind === "depthwise") return [depthwise, { stride: 1, dilation, prologue: "relu", eps: 1e-5 }];
    return [maxPool, { stride: 1 }];
  };
  return {
    name: `idarts ${precision}`,
    async prepare(task, { x, w, dy }, backward) {
      const images = storedAs(image(CHANNELS, BATCH, SIZE, SIZE), precision), graph = new Graph(precision);
      const leaves = [graph.input("x", images)], [op, attrs] = operation(task), nchw = [BATCH, CHANNELS];
      if (w.length > 0) leaves.push(graph.input("w", dense(weightShape(task))));
      const results: Record<string, Tensor> = { y: graph.apply1(op, leaves, attrs) };
      if (backward) {
        const seed = graph.input("dy", images), add = (ts: readonly Tensor[], label: string) => sum(graph, ts, label);
        gradients(graph, [results.y], [seed], leaves, add).forEach((g, i) => results[`d${i}`] = g!);
      }
      const inputs = {
        x: pack(images, swapped(x, nchw)),
        ...(w.length > 0 ? { w: pack(dense(weightShape(task)), w) } : {}),
        ...(backward ? { dy: pack(images, swapped(dy, nchw)) } : {}),
      };
      const trial = await startTrial(gpu, graph, results, inputs);
      const values = async (name: string, { type }: { type: TensorType }) => {
        const logical = unpack(type, await trial.read(name));
        return type.layout === "image" ? swapped(logical, [CHANNELS, BATCH]) : Float32Array.from(logical);
      };
      return {
        ...trial,
        async results() {
          const all: Values[] = [];
          for (const [name, tensor] of Object.entries(results)) all.push(await values(name, tensor));
          return all;
        },
      };
    },
  };
}

/**
 * Loads an npm package. The specifier is put together at run time, so that it is no dependency: neither of the lock
 * file nor of `deno check`. Hence its types are unknown here.
 */
// deno-lint-ignore no-explicit-any
const load = (name: string, version: string): Promise<any> => import([`npm:${name}`, version].join("@"));

/** TensorFlow.js, images as `[N, H, W, C]`, its only layout. */
async function tensorFlow(backend: "cpu" | "wasm" | "webgpu"): Promise<Peer> {
  const tf = await load("@tensorflow/tfjs", "4.22.0");
  if (backend !== "cpu") await load(`@tensorflow/tfjs-backend-${backend}`, "4.22.0");
  if (!await tf.setBackend(backend)) throw new Error("the backend does not start");
  type T = typeof tf;
  return {
    name: `tfjs ${backend}`,
    async prepare({ kind, k, dilation }, { x, w, dy }, backward) {
      await tf.setBackend(backend);
      const nhwc = (values: Values): T => tf.tidy(() => tf.tensor(values, IMAGE).transpose([0, 2, 3, 1]));
      const pooled = kind === "max pool", pointed = kind === "pointwise";
      const operands: T[] = [nhwc(x)];
      if (!pooled) {
        operands.push(
          tf.tidy(() =>
            pointed
              ? tf.tensor(w, [CHANNELS, CHANNELS]).transpose().reshape([1, 1, CHANNELS, CHANNELS])
              : tf.tensor(w, [CHANNELS, k, k]).transpose([1, 2, 0]).expandDims(3)
          ),
        );
      }
      const seed = nhwc(dy);
      const forward = (x: T, w: T): T => {
        if (pooled) return tf.maxPool(x, k, 1, "same");
        if (pointed) return tf.conv2d(tf.relu(x), w, 1, "same");
        return tf.depthwiseConv2d(tf.relu(x), w, 1, "same", "NHWC", dilation);
      };
      let last: T[] = [];
      const run = () => {
        tf.dispose(last);
        last = tf.tidy(() => {
          if (!backward) return [forward(operands[0], operands[1])];
          const { value, grads } = tf.valueAndGrads(forward)(operands, seed);
          return [value, ...grads];
        });
      };
      return {
        run,
        idle: () => last.at(-1).flatten().slice(0, 1).data(),
        results: () =>
          Promise.all(last.map((t: T, i: number) =>
            tf.tidy(() => {
              if (i < (backward ? 2 : 1)) return t.transpose([0, 3, 1, 2]);
              return pointed ? t.reshape([CHANNELS, CHANNELS]).transpose() : t.squeeze([3]).transpose([2, 0, 1]);
            }).data()
          )),
        destroy: () => tf.dispose([...last, ...operands, seed]),
      };
    },
  };
}

/** jax-js, jitted. */
async function jaxJs(backend: "wasm" | "webgpu"): Promise<Peer> {
  const { init, defaultDevice, blockUntilReady, jit, vjp, lax, nn, numpy: np } = await load("@jax-js/jax", "0.1.25");
  if (!(await init(backend)).includes(backend)) throw new Error("the backend does not start");
  type A = typeof np;
  return {
    name: `jax-js ${backend}`,
    async prepare({ kind, k, dilation }, { x, w, dy }, backward) {
      await init(backend);
      defaultDevice(backend);
      const pad = (k - 1) * dilation / 2, border = [pad, pad];
      const forward = (x: A, w: A): A => {
        if (kind === "max pool") {
          const bordered = np.where(
            np.pad(np.ones(IMAGE), [[0, 0], [0, 0], border, border]).greater(0),
            np.pad(x, [[0, 0], [0, 0], border, border]),
            -1e30,
          );
          return lax.reduceWindow(bordered, np.max, [k, k], [1, 1]);
        }
        return lax.convGeneralDilated(nn.relu(x), w, [1, 1], [border, border], {
          featureGroupCount: kind === "depthwise" ? CHANNELS : 1,
          rhsDilation: [dilation, dilation],
        });
      };
      const shape = kind === "depthwise" ? [CHANNELS, 1, k, k] : [CHANNELS, CHANNELS, 1, 1];
      const operands: A[] = [np.array(x, { shape: IMAGE })];
      if (w.length > 0) operands.push(np.array(w, { shape }));
      const seed = np.array(dy, { shape: IMAGE });
      const compiled: (...operands: A[]) => A[] = backward
        ? jit((dy: A, ...operands: A[]) => {
          const [y, pull] = vjp(forward, operands);
          return [y, ...pull(dy)];
        })
        : jit((_: A, ...operands: A[]) => [forward(operands[0], operands[1])]);
      // What is disposed of before it was waited for is never computed.
      let made: A[] = [], last: A[] = [];
      return {
        run() {
          last = compiled(seed.ref, ...operands.map((t) => t.ref));
          made.push(...last);
        },
        async idle() {
          await blockUntilReady(made);
          made.filter((t) => !last.includes(t)).forEach((t) => t.dispose());
          made = [...last];
        },
        results: () => Promise.all(last.map((t: A) => t.ref.data())),
        destroy: () => [...made, ...operands, seed].forEach((t) => t.dispose()),
      };
    },
  };
}

/** Largest difference, relative to the largest magnitude that is expected. */
function deviation(actual: Values, expected: Values): number {
  if (actual.length !== expected.length) return Infinity;
  let worst = 0, scale = 0;
  expected.forEach((value, i) => {
    scale = Math.max(scale, Math.abs(value));
    worst = Math.max(worst, Number.isNaN(actual[i]) ? Infinity : Math.abs(actual[i] - value));
  });
  return worst / scale;
}

/** Largest deviation that counts as agreement: f32 sums in another order, and values of 8 bits. */
const tolerance = (name: string): number => name.endsWith("bf16") ? 2e-2 : 1e-4;

/** Medians of three measurements of about half a second each, after one that does not count. */
async function time({ run, idle }: Prepared): Promise<Span> {
  const { milliseconds } = await measure(run, idle, 3), spans: Span[] = [];
  const repeats = Math.max(1, Math.min(200, Math.round(500 / milliseconds)));
  for (let i = 0; i < 4; i++) spans.push(await measure(run, idle, repeats));
  return medianSpan(spans.slice(1));
}

const gpu = await openGpu(), json = Deno.args.includes("--json"), peers: Peer[] = [];
for (
  const start of [
    () => idarts(gpu, "f32"),
    () => idarts(gpu, "bf16"),
    () => tensorFlow("webgpu"),
    () => tensorFlow("wasm"),
    () => tensorFlow("cpu"),
    () => jaxJs("webgpu"),
    () => jaxJs("wasm"),
  ]
) {
  try {
    peers.push(await start());
  } catch (error) {
    console.error(`Left out: ${(error as Error).message}`);
  }
}

const notes: string[] = [];
const cell = (span: Span, base?: Span): string =>
  `${span.cpuMilliseconds.toFixed(span.cpuMilliseconds < 10 ? 2 : 0)}` +
  (base ? ` (${(span.cpuMilliseconds / base.cpuMilliseconds).toFixed(1)})` : "");
if (!json) {
  console.log(`CPU ms, in brackets relative to ${peers[0].name}; x: f32 [${IMAGE}]; adapter ${gpu.name}`);
  console.log(`| operation | ${peers.map(({ name }) => name).join(" | ")} |\n|${" --- |".repeat(peers.length + 1)}`);
}
for (const task of TASKS) {
  for (const backward of [false, true]) {
    const inputs = given(task), name = `${task.name}: ${backward ? inputs.w.length > 0 ? "y dx dw" : "y dx" : "y"}`;
    const figures: Record<string, unknown> = {}, row: string[] = [];
    let expected: Values[] | undefined, base: Span | undefined;
    for (const peer of peers) {
      try {
        const prepared = await peer.prepare(task, inputs, backward);
        try {
          await measure(prepared.run, prepared.idle); // compiles
          const results = await prepared.results();
          expected ??= results;
          const worst = Math.max(...expected.map((values, i) => deviation(results[i], values)));
          if (!(worst <= tolerance(peer.name))) throw new Error(`its results are off by ${worst.toExponential(1)}`);
          const span = await time(prepared);
          figures[peer.name] = { ...span, deviation: worst };
          row.push(cell(span, base));
          base ??= span;
        } finally {
          prepared.destroy();
        }
      } catch (error) {
        const { message } = error as Error;
        figures[peer.name] = { error: message };
        notes.push(`${peer.name}, ${name}: ${message.split("\n")[0]}`);
        row.push("no");
      }
    }
    console.log(json ? JSON.stringify({ operation: name, ...figures }) : `| ${[name, ...row].join(" | ")} |`);
  }
}
if (!json && notes.length > 0) console.log(`\n${notes.map((note) => `- ${note}`).join("\n")}`);
gpu.device.destroy();
Deno.exit(); // whatever timers the libraries have
