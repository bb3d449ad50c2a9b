/**
 * Checks of operand types that shape inference of several operations needs; the messages name what was seen.
 * @module
 */
import { type TensorType, typeText } from "../graph/tensor_type.ts";

/** Checks the number of inputs. @throws {RangeError} */
export function expectInputs(types: readonly TensorType[], names: readonly string[]): void {
  if (types.length !== names.length) {
    throw new RangeError(`it needs ${names.length} inputs (${names.join(", ")}), it got ${types.length}`);
  }
}

/** Shape `[C, N, H, W]` of an image. @throws {RangeError} */
export function expectImage(type: TensorType, name: string): [number, number, number, number] {
  if (type?.layout !== "image") {
    throw new RangeError(`${name} must be an image: it is ${type ? typeText(type) : "missing"}`);
  }
  return type.shape as [number, number, number, number];
}

/** Shape of a dense tensor of a rank. @throws {RangeError} */
export function expectDense(
  type: TensorType,
  name: string,
  rank: number,
  dtype: "f32" | "i32" = "f32",
): readonly number[] {
  if (
    type.layout !== "dense" || type.dtype !== dtype ||
    type.shape.length !== rank
  ) {
    throw new RangeError(`${name} must be a dense ${dtype} tensor of rank ${rank}: it is ${typeText(type)}`);
  }
  return type.shape;
}

/** Checks a dense f32 tensor and its whole shape. @throws {RangeError} */
export function expectTensor(type: TensorType, name: string, shape: readonly number[]): void {
  if (
    type?.layout !== "dense" || type.dtype !== "f32" || type.shape.length !== shape.length ||
    type.shape.some((d, i) => d !== shape[i])
  ) {
    throw new RangeError(`${name} must be f32[${shape.join(",")}]: it is ${type ? typeText(type) : "missing"}`);
  }
}

/** Checks a whole shape. @throws {RangeError} */
export function expectShape(type: TensorType, name: string, shape: readonly number[]): void {
  if (
    type.shape.length !== shape.length ||
    type.shape.some((d, i) => d !== shape[i])
  ) {
    throw new RangeError(`${name} must have shape [${shape.join(",")}]: it is ${typeText(type)}`);
  }
}

/** Checks an integer attribute. @throws {RangeError} */
export function expectInteger(
  value: number,
  name: string,
  least: number,
  most: number = Infinity,
): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    const range = most === Infinity ? `at least ${least}` : `from ${least} to ${most}`;
    throw new RangeError(`attribute ${name} must be an integer ${range}: it is ${value}`);
  }
}
