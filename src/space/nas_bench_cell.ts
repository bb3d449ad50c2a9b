/**
 * Cells of NAS-Bench-201 (arXiv 2001.00326) and the text that they are exchanged in: node 0 is the only input, every
 * node reads all before it, the last is the output.
 *
 *     |nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|
 *
 * @module
 */
import { FailureError } from "../base/errors.ts";
import { showValue } from "../base/options.ts";
import { didYouMean, PRIMITIVE_NAMES } from "./space.ts";

/** Most nodes of such a cell besides its input; the benchmark's cells have three. */
export const MAX_NAS_BENCH_NODES = 4;

/** An operation and the node that it reads. */
interface Choice {
  readonly op: string;
  readonly from: number;
}

/**
 * Checks the nodes of a cell: node i reads 0 to i - 1, each once and in order.
 * @param file what to blame
 * @throws {FailureError} one sentence that names the node and what it must be.
 */
export function checkNasBenchNodes(nodes: unknown, file: string): Choice[][] {
  const refuse = (what: string, expected: string, value: unknown, hint = ""): never => {
    throw new FailureError(
      `Cannot read ${file} as a NAS-Bench-201 cell: ${what} must be ${expected}: current value is ${
        value === undefined ? "missing" : showValue(value)
      }${hint}`,
    );
  };
  if (!Array.isArray(nodes) || nodes.length < 1 || nodes.length > MAX_NAS_BENCH_NODES) {
    return refuse("it", `a list of 1 to ${MAX_NAS_BENCH_NODES} nodes`, Array.isArray(nodes) ? nodes.length : nodes);
  }
  return nodes.map((node: unknown, i) => {
    const choices = Array.isArray(node) ? node as unknown[] : [];
    if (choices.length !== i + 1) {
      refuse(`node ${i + 1}`, `a list of ${i + 1} operations, one for each node before it`, choices.length);
    }
    return choices.map((choice, from): Choice => {
      const { op, from: source } = typeof choice === "object" && choice !== null ? choice as Partial<Choice> : {};
      if (typeof op !== "string" || !PRIMITIVE_NAMES.includes(op)) {
        const hint = typeof op === "string" ? didYouMean(op, PRIMITIVE_NAMES) : "";
        return refuse(`an operation of node ${i + 1}`, `one of ${PRIMITIVE_NAMES.join(", ")}`, op, hint);
      }
      if (source !== from) refuse(`the source of operation ${from} of node ${i + 1}`, `node ${from}`, source);
      return { op, from };
    });
  });
}

/**
 * Reads the text form.
 * @throws {FailureError} one sentence that names `file` and the place.
 */
export function parseNasBenchCell(text: string, file: string): Choice[][] {
  const nodes = text.trim().split("+", MAX_NAS_BENCH_NODES + 2).map((part) => {
    const match = /^\s*\|((?:[a-z0-9_]{1,40}~\d\|)+)\s*$/.exec(part);
    if (!match) {
      throw new FailureError(
        `Cannot read ${file} as a NAS-Bench-201 cell: each node must be like |none~0|skip_connect~1|: current value ` +
          `is ${showValue(part)}`,
      );
    }
    return match[1].split("|").slice(0, -1).map((item) => {
      const [op, from] = item.split("~");
      return { op, from: Number(from) };
    });
  });
  return checkNasBenchNodes(nodes, file);
}

/** Writes the text form. */
export function formatNasBenchCell(nodes: readonly (readonly Choice[])[]): string {
  return nodes.map((choices) => `|${choices.map(({ op, from }) => `${op}~${from}|`).join("")}`).join("+");
}
