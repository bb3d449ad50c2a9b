/**
 * A `deno lint` plugin that keeps the layers of `src/`: a file may import from its own layer and from lower ones, and
 * only `src/ops` may import the texts of shaders. Tests (`*_test.ts`) and files outside `src/` are free.
 * Not responsible for cycles inside a layer, nor for what a layer is for.
 * @module
 */
/// <reference lib="deno.unstable" />

/** The folders of `src/`, lowest first. Layers on one line are side by side and may not import each other. */
export const LAYERS: readonly (readonly string[])[] = [
  ["platform"],
  ["base"],
  ["gpu"],
  ["graph"],
  ["ops"],
  ["nn"],
  ["space"],
  ["discretize", "data"],
  ["run"],
  ["search"],
  ["train"],
  ["export", "report"],
  ["study", "auto", "doctor"],
  ["commands", "web"],
];

/** The texts of the shaders, and the only layer that may import them. */
const SHADERS = "src/ops/shader_texts.ts", SHADER_LAYER = "ops";
const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname);

/**
 * Why the file `from` may not import `specifier`, or nothing when it may. Paths are absolute or relative to the
 * project's root, with forward slashes.
 */
export function forbidden(from: string, specifier: string): string | undefined {
  if (from.endsWith("_test.ts") || !/^\.{0,2}\//.test(specifier)) return;
  const source = layerOf(from);
  if (source === undefined) return;
  const rank = LAYERS.findIndex((names) => names.includes(source));
  if (rank < 0) {
    return `Cannot tell what '${source}' may import: add it to LAYERS in scripts/layers_plugin.ts`;
  }
  const to = resolve(from, specifier);
  if (to.endsWith(".wgsl")) return `Cannot import '${to}' as JSR takes no texts: import its constant from ${SHADERS}`;
  if (to === SHADERS && source !== SHADER_LAYER) {
    return `Cannot import shaders from layer '${source}': only '${SHADER_LAYER}' may, each shader in one file`;
  }
  const target = layerOf(to);
  if (
    target === source ||
    LAYERS.slice(0, rank).some((names) => target !== undefined && names.includes(target))
  ) {
    return;
  }
  const below = LAYERS.slice(0, rank).flat();
  const allowed = below.length === 0 ? "no other layer" : `only ${below.join(", ")}`;
  const layer = target === undefined ? `'${to}', which is outside src/,` : `layer '${target}'`;
  return `Cannot import ${layer} from layer '${source}': imports go down, so '${source}' may import ${allowed}`;
}

/** Path of `file` from the project's root. */
function relative(file: string): string {
  const path = file.replaceAll("\\", "/").replace(/^([A-Za-z]:)/, "/$1");
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : path;
}

/** The layer of a file in `src/`; the file's own name where it lies directly in `src/`. */
function layerOf(file: string): string | undefined {
  const path = relative(file);
  return path.startsWith("src/") ? path.split("/")[1] : undefined;
}

/** Path from the project's root that `specifier` means in `from`. */
function resolve(from: string, specifier: string): string {
  const base = new URL(relative(from), "file:///");
  return decodeURIComponent(new URL(specifier, base).pathname).replace(
    /^\//,
    "",
  );
}

/** The plugin, named in `lint.plugins` of deno.json. */
const plugin: Deno.lint.Plugin = {
  name: "idarts",
  rules: {
    layers: {
      create(context): Deno.lint.LintVisitor {
        const check = (node: Deno.lint.Node, source: unknown): void => {
          if (typeof source !== "string") return;
          const message = forbidden(context.filename, source);
          if (message !== undefined) context.report({ node, message });
        };
        return {
          ImportDeclaration: (node) => check(node, node.source.value),
          ExportAllDeclaration: (node) => check(node, node.source.value),
          ExportNamedDeclaration: (node) => check(node, node.source?.value),
          ImportExpression: (node) => {
            if (node.source.type === "Literal") check(node, node.source.value);
          },
          // `type T = import("./x.ts").T`
          "TSImportType > TSLiteralType > Literal": (node: Deno.lint.Node) => {
            if (node.type === "Literal") check(node, node.value);
          },
        };
      },
    },
  },
};

export default plugin;
