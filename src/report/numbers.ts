/**
 * Numbers for people in reports and on the terminal, the same on every machine. Values that are missing or not finite read "–".
 * @module
 */

/** What was measured; metrics that were read back from a file hold null for what was not finite. */
export type Measured = number | null | undefined;

/** What stands where there is no value. */
export const MISSING = "–";

/** Whether there is a number to show. */
export function known(value: Measured): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

/** `1.625`, with a true minus sign. */
export function fixed(value: Measured, digits = 3): string {
  if (!known(value)) return MISSING;
  const text = value.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : text.replace("-", "−");
}

/** A score in a narrow column: `.198`, `−.012`, `1.250`. */
export function narrow(value: Measured): string {
  return fixed(value).replace(/^(−?)0(?=\.)/, "$1");
}

/** A lead of one score over another, `+0.012`; one that rounds to nothing reads `<0.001`. */
export function lead(value: number): string {
  return value > 0 && value < 0.0005 ? "<0.001" : `+${fixed(value)}`;
}

/** `12.3%`. */
export function percent(share: Measured, digits = 1): string {
  return known(share) ? `${(share * 100).toFixed(digits)}%` : MISSING;
}

/** `1,930,618`. */
export function count(value: Measured): string {
  return known(value) ? String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",") : MISSING;
}

/** `3.35 M`: counts that matter to three digits. */
export function magnitude(value: Measured): string {
  if (!known(value)) return MISSING;
  for (const [unit, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]] as const) {
    if (value >= 0.9995 * size) return `${(value / size).toPrecision(3)} ${unit}`; // else "1.00e+3" of the next
  }
  return String(value);
}

/** `12`, `0.0127`, `3,350`: three digits that count, without an exponent. */
export function significant(value: Measured): string {
  if (!known(value)) return MISSING;
  if (Math.abs(value) >= 100) return count(value);
  const digits = value === 0 ? 0 : Math.min(20, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));
  return value.toFixed(digits).replace(/\.0+$|(\.\d*[1-9])0+$/, "$1").replace("-", "−");
}

/** A time in the field's terms: core-hours where it is CPU time, as of a software adapter, else GPU-days. */
export function fieldTime(seconds: Measured, software: boolean): string {
  if (!known(seconds)) return MISSING;
  return software ? `${significant(seconds / 3600)} core-hours` : `${significant(seconds / 86_400)} GPU-days`;
}

/** `34.5 MiB`. */
export function mebibytes(bytes: Measured): string {
  if (!known(bytes)) return MISSING;
  const n = bytes / 2 ** 20;
  return `${n < 100 ? n.toFixed(n < 10 ? 2 : 1) : count(n)} MiB`;
}

/** `850 ms`, `12.3 s`, `4 min 05 s`, `2 h 07 min`. */
export function duration(seconds: Measured): string {
  if (!known(seconds)) return MISSING;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds), pad = (n: number): string => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor(whole % 3600 / 60))} min`;
}

/** `1 image`, `2 images`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
