/**
 * A `deno lint` plugin: in `src/` nothing but one file for each of them touches the console, stdout and stderr, so that
 * whatever is said goes through the place that makes control characters visible and outlives a full pipe. Tests
 * (`*_test.ts`, `testing*.ts`) and files outside `src/` are free.
 * @module
 */
/// <reference lib="deno.unstable" />

/** Who may use what. */
const OWNERS: Readonly<Record<string, string>> = {
  "console": "src/base/printable.ts",
  "Deno.stdout": "src/commands/output.ts",
  "Deno.stderr": "src/commands/output.ts",
};

/** Why `file` may not use `what`, or nothing when it may. */
function forbidden(file: string, what: string): string | undefined {
  const path = file.replaceAll("\\", "/");
  if (!/(^|\/)src\//.test(path) || /(_test|\/testing\w*)\.ts$/.test(path)) return;
  const owner = OWNERS[what];
  if (owner === undefined || path.endsWith(owner)) return;
  return `Cannot use ${what} here: only ${owner} may, so use Terminal in commands, and below them tell the caller`;
}

/** The plugin, named in `lint.plugins` of deno.json. */
const plugin: Deno.lint.Plugin = {
  name: "idarts-printing",
  rules: {
    printing: {
      create(context): Deno.lint.LintVisitor {
        const check = (node: Deno.lint.Node, what: string): void => {
          const message = forbidden(context.filename, what);
          if (message !== undefined) context.report({ node, message });
        };
        return {
          MemberExpression(node) {
            const name = node.property.type === "Identifier" && !node.computed
              ? node.property.name
              : node.property.type === "Literal"
              ? String(node.property.value)
              : "";
            if (node.object.type === "Identifier" && node.object.name === "Deno") check(node, `Deno.${name}`);
            if (node.object.type === "Identifier" && node.object.name === "console") check(node, "console");
            if (name === "console") check(node, "console"); // globalThis.console
          },
          // const { stdout } = Deno
          VariableDeclarator(node) {
            if (node.init?.type !== "Identifier") return;
            if (node.init.name === "console") check(node, "console");
            if (node.init.name !== "Deno" || node.id.type !== "ObjectPattern") return;
            for (const property of node.id.properties) {
              if (property.type === "Property" && property.key.type === "Identifier") {
                check(node, `Deno.${property.key.name}`);
              }
            }
          },
        };
      },
    },
  },
};

export default plugin;
