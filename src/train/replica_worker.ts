/**
 * A replica's thread: a device and an engine of its own, which takes orders as messages, in turn. Not responsible for
 * what it trains on, nor for what becomes of its state.
 * @module
 */
import "../platform/deno.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import type { NetworkConfig } from "../space/derived.ts";
import type { TrainConfig } from "./config.ts";
import { TrainEngine } from "./engine.ts";
import { planTraining } from "./programs.ts";
import type { State } from "./replicas.ts";

/** What a replica is told. */
export type Order = {
  /** Opens its device. */
  readonly kind: "open";
} | {
  /** Allocates a training; the one before is given back. */
  readonly kind: "begin";
  readonly network: NetworkConfig;
  readonly config: TrainConfig;
  readonly batch: number;
  /** Of its noise. */
  readonly seed: number;
} | {
  /** Sets its state. */
  readonly kind: "load";
  readonly state: State;
} | {
  /** One step. */
  readonly kind: "step";
  readonly images: Float32Array<ArrayBuffer>;
  readonly labels: Int32Array<ArrayBuffer>;
  readonly dropMask: Float32Array<ArrayBuffer> | null;
  readonly lr: number;
  readonly step: number;
} | {
  /** Tells its state. */
  readonly kind: "read";
} | {
  /** Ends. */
  readonly kind: "end";
};

/** What it answers to all orders but steps, which are only answered where they fail. */
export type Reply = { readonly state?: State } | { readonly error: string };

let gpu: Gpu | undefined, engine: TrainEngine | undefined;

async function follow(order: Order): Promise<Reply | undefined> {
  switch (order.kind) {
    case "open":
      gpu = await openGpu();
      return {};
    case "begin": {
      engine?.destroy();
      const plan = planTraining(order.network, order.batch, order.config, gpu!.limits);
      engine = await TrainEngine.create(gpu!, plan, order.seed);
      return {};
    }
    case "load":
      engine!.share(order.state);
      return {};
    case "step":
      if (order.dropMask) engine!.dropMask.set(order.dropMask);
      await engine!.step(order, order.lr, order.step);
      return undefined;
    case "read":
      return { state: await engine!.shared() };
    case "end":
      engine?.destroy();
      self.close(); // and the device with it: to destroy it and to terminate the thread has crashed the driver
      return {};
  }
}

let turn = Promise.resolve();
self.addEventListener("message", (event) => {
  const order = (event as MessageEvent<Order>).data;
  turn = turn.then(async () => {
    let reply: Reply | undefined;
    try {
      reply = await follow(order);
    } catch (error) {
      reply = { error: error instanceof Error ? error.message : String(error) };
    }
    const transfer = reply && "state" in reply ? reply.state!.map(({ buffer }) => buffer) : [];
    const thread = self as unknown as { postMessage(message: Reply, transfer: Transferable[]): void };
    if (reply) thread.postMessage(reply, transfer);
  });
});
