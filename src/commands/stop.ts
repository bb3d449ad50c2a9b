/**
 * Ctrl-C and SIGTERM: the first asks for a stop, the second quits at once. A terminal that is closed (SIGHUP) stops
 * nothing: the run goes on without its log.
 * @module
 */
import type { Terminal } from "./terminal.ts";

/** Exit codes by signal, as shells have them. */
const CODES = { SIGINT: 130, SIGTERM: 143 } as const;

type Signal = keyof typeof CODES;

/** The reason of a stop that the user asked for by a signal. */
class Interrupted extends Error {
  /** Name shown in stack traces. */
  override readonly name = "Interrupted";
}

/** A listener for the signals that ask a process to stop. */
export interface Stop extends Disposable {
  /** Raised by the first signal. */
  readonly signal: AbortSignal;
  /** The exit code that says which signal it was. */
  readonly exitCode: () => number;
}

/**
 * Says that a run was stopped.
 * @param step steps that its checkpoint holds; none if undefined
 * @param again the command that goes on with it
 */
export function tellStopped(terminal: Terminal, folder: string, step: number | undefined, again: string): void {
  const message = step === undefined ? "Stopped before the first step" : `Stopped after step ${step}`;
  terminal.close();
  terminal.event({ event: "stopped", folder, message });
  terminal.line(step === undefined ? message : `${message}; go on with: ${again}`);
}

/**
 * Listens until disposed.
 * @param onStop told of the first signal
 * @param hangup what the end of the terminal means: a run goes on
 */
export function listenForStop(onStop: () => void, hangup: "goes on" | "stops" = "goes on"): Stop {
  const controller = new AbortController();
  let code = 1;
  const listeners = (Object.keys(CODES) as Signal[])
    .filter((signal) => Deno.build.os !== "windows" || signal === "SIGINT")
    .map((signal) => {
      const listener = (): void => {
        if (controller.signal.aborted) Deno.exit(CODES[signal]);
        code = CODES[signal];
        controller.abort(new Interrupted(`Stopped by ${signal}`));
        onStop();
      };
      return { signal: signal as Deno.Signal, listener };
    });
  if (Deno.build.os !== "windows" && hangup === "goes on") listeners.push({ signal: "SIGHUP", listener: () => {} });
  for (const { signal, listener } of listeners) Deno.addSignalListener(signal, listener);
  return {
    signal: controller.signal,
    exitCode: () => code,
    [Symbol.dispose](): void {
      for (const { signal, listener } of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}
