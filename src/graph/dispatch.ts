/**
 * One run of a kernel: what it binds and which parameters it gets, by the names of the kernel's declaration.
 * @module
 */
import {
  type AnyValues,
  type Buffers,
  type Kernel,
  type KernelInterface,
  type Params,
  type ParamValues,
  paramWords,
  tableRows,
} from "../gpu/kernel.ts";
import { type Element, isAccessed } from "../gpu/storage.ts";
import type { Constants } from "../gpu/template.ts";

/** Buffer that a dispatch binds. */
export interface Binding {
  /** Where the buffer comes from. */
  readonly from: "input" | "output" | "scratch";
  /** Which input, output or scratch buffer of the node. */
  readonly index: number;
  /** Bytes of the range of it that is bound as `var<uniform>` instead of storage; always read-only. */
  readonly uniform?: number;
  /** Type of the elements, where the kernel declares more than one. */
  readonly element?: Element;
}

/** Binds input `i` as storage. */
export function input(index: number): Binding {
  return { from: "input", index };
}
/** Binds input `i` as a uniform buffer of `bytes` bytes (which may reach past the tensor into its arena). */
export function uniformInput(index: number, bytes: number): Binding {
  return { from: "input", index, uniform: bytes };
}
/** Binds output `i` as storage. */
export function output(index: number): Binding {
  return { from: "output", index };
}
/** Binds scratch buffer `i` as storage. */
export function scratch(index: number): Binding {
  return { from: "scratch", index };
}
/** The same buffer with elements of another of the types that the kernel declares. */
export function as(element: Element, binding: Binding): Binding {
  return { ...binding, element };
}

/** One dispatch of a kernel, as {@linkcode dispatch} makes it. `bindings[i]` is `@group(0) @binding(i)`. */
export interface Dispatch {
  /** The kernel. */
  readonly kernel: Kernel;
  /** Makes the variant; shapes are baked in. */
  readonly constants: Constants;
  /** Buffers in order of `@binding`. */
  readonly bindings: readonly Binding[];
  /** What the bindings are to the shader. */
  readonly interface: KernelInterface;
  /** 32-bit words of the last binding, the parameters; absent: no such binding. */
  readonly params?: readonly number[];
  /** Workgroups in x, y, z; each at most 65,535. */
  readonly workgroups: readonly [number, number, number];
}

/** Names in `B` whose buffers are not always there. */
/** Names of the buffers that may be left out. */
export type OptionalKeys<B extends Buffers> = {
  [K in keyof B]: B[K]["presence"] extends "optional" ? K : never;
}[keyof B];

/** Bindings for the buffers of a declaration; a list can have gaps. */
export type Bound<B extends Buffers> =
  & {
    readonly [K in Exclude<keyof B, OptionalKeys<B>>]: B[K]["presence"] extends "list"
      ? readonly (Binding | undefined)[]
      : Binding;
  }
  & { readonly [K in OptionalKeys<B>]?: Binding };

/** What a dispatch of a kernel is made from. */
export type DispatchOptions<B extends Buffers, P extends Params> =
  & Pick<Dispatch, "workgroups">
  & { readonly constants?: Constants; readonly buffers: Bound<B> }
  & (keyof P extends never ? { readonly params?: Record<never, never> } : { readonly params: ParamValues<P> });

/**
 * A dispatch of a kernel. A table of parameters without rows is left out of the shader.
 * @throws {TypeError} for a name that is not declared or not given.
 */
export function dispatch<B extends Buffers, P extends Params>(
  kernel: Kernel<B, P>,
  { constants = {}, buffers, params, workgroups }: DispatchOptions<B, P>,
): Dispatch {
  const given = buffers as Readonly<Record<string, Binding | readonly (Binding | undefined)[] | undefined>>;
  const values = (params ?? {}) as AnyValues;
  checkNames(kernel, "buffer", kernel.buffers, given);
  checkNames(kernel, "parameter", kernel.params, values);
  const bindings: Binding[] = [], arrays: KernelInterface["arrays"][number][] = [];
  for (const [name, { access, elements, bf16, uniform, fields, presence }] of Object.entries(kernel.buffers)) {
    const of = given[name], several = Array.isArray(of) ? of as (Binding | undefined)[] : [of as Binding | undefined];
    several.forEach((binding, i) => {
      if (!binding) return;
      const element = binding.element ?? elements[0];
      if (!elements.includes(element)) {
        throw new TypeError(
          `Cannot bind '${name}' of kernel '${kernel.name}' as ${element}: it has ${elements.join(", ")}`,
        );
      }
      if (uniform && binding.uniform === undefined) {
        throw new TypeError(`Cannot bind '${name}' of kernel '${kernel.name}' as storage: it is a uniform range`);
      }
      bindings.push(binding);
      const byFunctions = !uniform && isAccessed(element, bf16);
      arrays.push({
        ...{ name: presence === "list" ? `${name}${i}` : name, element, access, mayBeBf16: bf16, byFunctions },
        ...(binding.uniform !== undefined && { uniform: binding.uniform }),
        ...(fields && { fields }),
      });
    });
  }
  const words = paramWords(kernel.params, values);
  return {
    kernel,
    constants,
    bindings,
    interface: { arrays, rows: tableRows(kernel.params, values) },
    ...(words.length > 0 && { params: words }),
    workgroups,
  };
}

/** TypeScript does not see every name, for example in what is spread. */
function checkNames(kernel: Kernel, what: string, declared: Buffers | Params, given: object): void {
  for (const name of Object.keys(given)) {
    if (!(name in declared)) throw new TypeError(`Kernel '${kernel.name}' has no ${what} '${name}'`);
  }
  for (const [name, one] of Object.entries(declared)) {
    if (typeof one !== "string" && "presence" in one && one.presence === "optional") continue;
    if ((given as Record<string, unknown>)[name] === undefined) {
      throw new TypeError(`Kernel '${kernel.name}' needs a ${what} '${name}'`);
    }
  }
}
