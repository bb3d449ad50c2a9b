/**
 * Writes the interfaces of the options of the library (`SearchOptions`, `TrainOptions`, `AutoOptions`) from the lists that define them,
 * so that an editor and `deno doc` know every key with its type, bounds and default. `deno task generate` runs it; a test
 * says when it has to be run again. Not responsible for what the options are: see the `config.ts` beside each file.
 * @module
 */
import { camelCase } from "../src/base/option_key.ts";
import { describeOption, type Option } from "../src/base/options.ts";
import { AUTO_OPTION_LIST } from "../src/auto/config.ts";
import { DATA_OPTION_LIST } from "../src/data/config.ts";
import { SEARCH_OPTION_LIST } from "../src/search/config.ts";
import { TRAIN_OPTION_LIST } from "../src/train/config.ts";

/** A module with one interface. */
interface Module {
  /** From the project's root. */
  readonly path: string;
  /** Name of the interface. */
  readonly name: string;
  /** What it says, and what the configuration made of it is called. */
  readonly summary: string;
  /** The list that defines it. */
  readonly list: readonly Option[];
}

/** The modules that are written. */
export const MODULES: readonly Module[] = [
  {
    path: "src/data/options.ts",
    name: "DataOptions",
    summary: "Which images are taken and how they are read, see {@linkcode openData}.",
    list: DATA_OPTION_LIST,
  },
  {
    path: "src/search/options.ts",
    name: "SearchOptions",
    summary: "What is searched and how, see {@linkcode search}; `resolveSearchConfig` fills in the defaults.",
    list: SEARCH_OPTION_LIST,
  },
  {
    path: "src/train/options.ts",
    name: "TrainOptions",
    summary: "What is trained and how, see {@linkcode train}; `resolveTrainConfig` fills in the defaults.",
    list: TRAIN_OPTION_LIST,
  },
  {
    path: "src/auto/options.ts",
    name: "AutoOptions",
    summary: "What may be spent and what is wanted, see {@linkcode auto}; `resolveAutoConfig` fills in the defaults.",
    list: AUTO_OPTION_LIST,
  },
];

/** Types of what an option may be given instead of a word. */
const DEFINITIONS: Readonly<Record<string, readonly [type: string, module: string]>> = {
  tuning: ["Tuning", "../graph/tuning.ts"],
  space: ["SpaceDefinition", "../space/definition.ts"],
};

const WIDTH = 120;

/** The text of a module, as `deno fmt` leaves it. */
export function moduleText({ path, name, summary, list }: Module): string {
  const imports = list.filter((each) => each.kind === "named").map(({ key }) => DEFINITIONS[key]);
  return [
    "/**",
    ` * {@linkcode ${name}}. Generated from the list in \`config.ts\` by \`deno task generate\`: change it there.`,
    " * @module",
    " */",
    ...imports.toSorted((a, b) => a[1] < b[1] ? -1 : 1).map(([type, module]) =>
      `import type { ${type} } from "${module}";`
    ),
    "",
    ...comment("", summary, path),
    `export interface ${name} {`,
    ...list.flatMap((option) => [...comment("  ", docOf(option), path), ...property(option)]),
    "}",
    "",
  ].join("\n");
}

/** What an option is, what values it takes, and which one it has where it is left out. */
function docOf(option: Option): string {
  const help = option.help.replace(/--([a-z-]+)/g, (_, key: string) => `\`${camelCase(key)}\``);
  const takes = option.kind === "int" || option.kind === "number" ? ` ${sentence(describeOption(option))}` : "";
  const fallback = option.default === null ? "" : ` Default ${JSON.stringify(option.default)}.`;
  return `${sentence(help)}${takes}${fallback}`;
}

function sentence(text: string): string {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

/** A doc comment in lines of at most {@linkcode WIDTH} characters. */
function comment(indent: string, text: string, path: string): string[] {
  if (text.includes("*/")) throw new RangeError(`Cannot write ${path} as no help text may hold '*/': ${text}`);
  const whole = `${indent}/** ${text} */`;
  if (whole.length <= WIDTH) return [whole];
  const lines = [`${indent} *`];
  for (const word of text.split(" ")) {
    if (lines[lines.length - 1].length + 1 + word.length > WIDTH) lines.push(`${indent} *`);
    lines[lines.length - 1] += ` ${word}`;
  }
  return [`${indent}/**`, ...lines, `${indent} */`];
}

/** The property of an option. */
function property(option: Option): string[] {
  const types = [...typesOf(option), ...(option.default === null ? ["null"] : [])];
  const name = `  readonly ${camelCase(option.key)}?:`, line = `${name} ${types.join(" | ")};`;
  return line.length <= WIDTH
    ? [line]
    : [name, ...types.map((type, i) => `    | ${type}${i === types.length - 1 ? ";" : ""}`)];
}

function typesOf(option: Option): string[] {
  switch (option.kind) {
    case "int":
    case "number":
      return ["number"];
    case "named":
      return [...option.choices.map((word) => JSON.stringify(word)), DEFINITIONS[option.key][0]];
    case "choice":
      return [
        ...option.choices.map((word) => JSON.stringify(word)),
        ...(option.open ? ["(string & Record<never, never>)"] : []),
      ];
    default:
      return [option.kind];
  }
}

if (import.meta.main) {
  for (const module of MODULES) {
    Deno.writeTextFileSync(new URL(`../${module.path}`, import.meta.url), moduleText(module));
  }
}
