/**
 * Replicas of a training: copies of a network that learn at the same time, each in a thread with a device of its own and
 * on batches of its own, and whose states are averaged every few steps (local SGD, Stich 2019, arXiv 1805.09767). A
 * software driver has to wait between any two dispatches until all of its threads are done, so small networks leave most
 * cores idle; replicas do not wait for each other but once in {@linkcode ROUND} steps. Not responsible for batches and
 * learning rates.
 * @module
 */
import { FailureError } from "../base/errors.ts";
import type { Arena } from "../graph/variables.ts";
import { platform } from "../platform/platform.ts";
import type { HostBatch } from "../run/engine.ts";
import type { NetworkConfig } from "../space/derived.ts";
import type { TrainConfig } from "./config.ts";
import type { TrainPlan } from "./programs.ts";
import type { Order, Reply } from "./replica_worker.ts";

/** Steps after which states are averaged. */
export const ROUND = 8;

/** Values of arenas, in storage order. */
export type State = Float32Array<ArrayBuffer>[];

/** What replicas have in common after a round, the tallies last. */
export function sharedArenas({ arenas: { weights, momentum, running, metrics } }: TrainPlan): Arena[] {
  return [weights, momentum, running, metrics];
}

/** Fields of a tally: what is added up over replicas, and the first step whose loss was no number. */
const SUMMED = 3, FIRST_BAD = 4, TALLY = 8;

/**
 * The state of all from the states of each, summed in their order: means of weights, momenta and running statistics,
 * sums of the tallies.
 */
export function averaged(states: readonly State[]): State {
  const [first] = states, last = first.length - 1, state: State = first.map((values) => values.slice());
  for (let k = 0; k < last; k++) {
    const out = state[k];
    for (let i = 0; i < out.length; i++) {
      let sum = 0;
      for (let r = 0; r < states.length; r++) sum += states[r][k][i];
      out[i] = sum / states.length;
    }
  }
  const tallies = state[last];
  for (let i = 0; i < tallies.length; i++) {
    const field = i % TALLY, values = states.map((each) => each[last][i]);
    if (field < SUMMED) tallies[i] = values.reduce((sum, value) => sum + value);
    if (field === FIRST_BAD) {
      tallies[i] = values.reduce((bad, value) => value > 0 && !(bad <= value && bad > 0) ? value : bad);
    }
  }
  return state;
}

/** Whether replicas can have threads here: true, false, or the folder that would have to be readable. */
export function replicaThreads(): boolean | string {
  return platform().threadsOf(new URL("..", import.meta.url));
}

/** A thread. */
class Replica {
  readonly #worker: Worker;
  #waiting: { resolve(reply: Reply & { state?: State }): void; reject(error: Error): void } | undefined;
  #error: Error | undefined;

  constructor() {
    this.#worker = new Worker(import.meta.resolve("./replica_worker.ts"), { type: "module", name: "replica" });
    this.#worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      if ("error" in data) this.#fail(data.error);
      else this.#waiting?.resolve(data);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(event.message);
    };
  }

  #fail(message: string): void {
    this.#error ??= new FailureError(`A replica of the training failed: ${message}`, { option: "replicas" });
    this.#waiting?.reject(this.#error);
  }

  post(order: Order): void {
    this.#worker.postMessage(order);
  }

  ask(order: Order): Promise<{ readonly state?: State }> {
    if (this.#error) return Promise.reject(this.#error);
    const { promise, resolve, reject } = Promise.withResolvers<{ readonly state?: State }>();
    this.#waiting = { resolve, reject };
    this.post(order);
    return promise;
  }
}

/** Replicas, to be used for one training after another. */
export class Replicas implements Disposable {
  readonly #all: readonly Replica[];
  /** Those that take part in the training. */
  #replicas: readonly Replica[];

  private constructor(replicas: readonly Replica[]) {
    this.#all = this.#replicas = replicas;
  }

  /**
   * Starts threads, each with a device.
   * @throws {FailureError} where there can be none.
   */
  static async open(count: number): Promise<Replicas> {
    const threads = replicaThreads();
    if (threads !== true) {
      throw new FailureError("Cannot train several replicas as the program may start no threads of its own", {
        option: "replicas",
        value: count,
        limit: 1,
        remedies: threads ? [`let it read '${threads}'`] : [{ kind: "at-most", option: "replicas", value: 1 }],
      });
    }
    const restore = platform().singleThreadedDriver(),
      all = new Replicas(Array.from({ length: count }, () => new Replica()));
    try {
      await all.#ask({ kind: "open" });
      return all;
    } catch (error) {
      all[Symbol.dispose]();
      throw error;
    } finally {
      restore();
    }
  }

  /** How many there are. */
  get count(): number {
    return this.#all.length;
  }

  #ask(order: Order): Promise<{ readonly state?: State }[]> {
    return Promise.all(this.#replicas.map((replica) => replica.ask(order)));
  }

  /** Allocates a training, of as many replicas as its configuration says. */
  async begin(network: NetworkConfig, config: TrainConfig, batch: number): Promise<void> {
    this.#replicas = this.#all.slice(0, config.replicas);
    const orders = this.#replicas.map((_, i): Order => {
      return { kind: "begin", network, config, batch, seed: config.seed + i };
    });
    await Promise.all(this.#replicas.map((replica, i) => replica.ask(orders[i])));
  }

  /** Sets the state of all. The tallies go to the first one, so that they are counted once. */
  async load(state: State): Promise<void> {
    const others = [...state.slice(0, -1), new Float32Array(state.at(-1)!.length)];
    await Promise.all(
      this.#replicas.map((replica, i) => replica.ask({ kind: "load", state: i === 0 ? state : others })),
    );
  }

  /** Has a replica take a step; its failure is told at the end of the round. */
  step(
    replica: number,
    { images, labels }: HostBatch,
    dropMask: Float32Array<ArrayBuffer> | null,
    lr: number,
    step: number,
  ): void {
    this.#replicas[replica].post({ kind: "step", images, labels, dropMask, lr, step });
  }

  /** Waits for all, and averages them. @returns the state of all */
  async meet(): Promise<State> {
    const state = averaged((await this.#ask({ kind: "read" })).map(({ state }) => state!));
    await this.load(state);
    return state;
  }

  /** Ends the threads. */
  [Symbol.dispose](): void {
    for (const replica of this.#all) replica.post({ kind: "end" });
  }
}
