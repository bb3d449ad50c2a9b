/**
 * The report of a run: one HTML file that needs nothing else, neither a network nor scripts. Whatever comes from users
 * (names, paths) is escaped, and a policy in the page forbids everything that it does not need.
 * The same input gives the same bytes. Not responsible for reading runs and writing files.
 * @module
 */
import { softwareReason } from "../gpu/adapter.ts";
import { SEARCH_OPTIONS } from "../search/config.ts";
import { meanEntropy } from "../search/records.ts";
import { CELL_KINDS, skeletonOf } from "../space/space.ts";
import { choiceSection } from "./choice_section.ts";
import { type Content, type Html, html } from "./markup.ts";
import { accuracyOf, networkSection } from "./network_section.ts";
import { count, duration, fieldTime, fixed, known, magnitude, mebibytes, percent, plural } from "./numbers.ts";
import { cellPart, commandPart, environmentTable, page, tileList, trainingConfig, valueText } from "./page.ts";
import { checkInput, type ReportInput } from "./report_input.ts";
import { searchSection } from "./search_section.ts";
import { dataTable } from "./tables.ts";

/** Mean entropy above which the mixture counts as undecided. */
const UNDECIDED = 0.98;

/**
 * The report as one HTML document.
 * @throws {RangeError} for a chosen rule that is not in the report, and a confusion matrix that does not fit the classes
 */
export async function reportHtml(input: ReportInput): Promise<string> {
  checkInput(input);
  const { genotype, text } = chosenMethod(input), title = input.title ?? `A cell found on ${input.data.name}`;
  return page(title, input.environment, html`${summary(input)} ${tiles(input)}`, [
    await cellPart(genotype, text),
    { id: "search", name: "Search", content: await searchSection(input) },
    { id: "choice", name: "Choice", content: await choiceSection(input) },
    { id: "network", name: "Network", content: await networkSection(input) },
    commandPart(input.commands),
    { id: "settings", name: "Settings", content: settings(input) },
  ]);
}

/** The rule's entry and the number of operations of its cells. */
function chosenMethod({ discretization: { chosen, methods } }: ReportInput) {
  const method = methods.find((m) => m.method === chosen)!;
  return { ...method, operations: CELL_KINDS.reduce((n, kind) => n + method.genotype[kind].nodes.flat().length, 0) };
}

function summary(input: ReportInput): Html {
  const { data, config, epochs, discretization, training, cost, evaluation } = input, method = chosenMethod(input);
  const images = typeof config.images === "number" && config.images < data.count
    ? `${count(config.images)} of the ${count(data.count)}`
    : `the ${count(data.count)}`;
  const last = epochs.at(-1), mean = last && meanEntropy(last), accuracy = evaluation && accuracyOf(evaluation);
  const { everyEdge } = skeletonOf(method.genotype);
  const kept = everyEdge
    ? "one for each edge"
    : `two for each node${discretization.keep === "operations" ? ", also of one edge" : ""}`;
  const network = cost && ` A network of such cells has ${magnitude(cost.parameters)} parameters.`;
  const result = known(accuracy) &&
    ` Trained from scratch, it classifies ${percent(accuracy)} of the ${evaluation!.split} images correctly.`;
  const { operations, skips, parameterFree } = method, weighted = operations - parameterFree;
  const size = `${data.channels}×${data.height}×${data.width}, ${plural(data.classes, "class", "classes")}`;
  const length = plural(epochs.length, "epoch"), among = plural(skips, "skip-connection");
  const lead = html`
    <p class="lead">
    This run searched a building block for image classifiers, a <em>cell</em>, on ${images} training images of
    <bdi>${data.name}</bdi> (${size}), for ${length}. Every edge of the cell began with all operations that the
    space “${discretization.space}” has for it; at the end the rule “${discretization
      .chosen}” kept ${kept}: ${operations}
    operations in all, ${among} among them, and ${weighted} with weights of their own.${network}${result}
    </p>
  `;
  const undecided = html`
    <p class="note">The mixture is still nearly uniform (entropy ${fixed(
      mean,
      4,
    )} of 1): this search was too short, or too
    cautious, to prefer much. Another seed may find another cell.</p>
  `;
  const untrained = html`
    <p class="note">The cell itself has not been trained here: nothing in this report says how accurate a network made of
    it would be.</p>
  `;
  return html`${lead}${known(mean) && mean > UNDECIDED && undecided}${!training && !evaluation && untrained}`;
}

function tiles(input: ReportInput): Html {
  const { epochs, supernet, cost, evaluation, training } = input, method = chosenMethod(input), last = epochs.at(-1);
  const steps = epochs.map((e) => e.secondsPerStep).filter(known);
  return tileList([
    [`accuracy on ${evaluation?.split} images`, evaluation && percent(accuracyOf(evaluation), 2)],
    ["parameters", cost && magnitude(cost.parameters)],
    ["MACs for an image", cost && magnitude(cost.macs)],
    ["time of training", known(training?.seconds) ? duration(training.seconds) : undefined],
    ["skip-connections", `${method.skips} of ${method.operations}`],
    ["operations with weights", `${method.operations - method.parameterFree} of ${method.operations}`],
    ["accuracy of the supernet", last && percent(last.evalAccuracy)],
    [
      "imbalance of nodes, before → after",
      last && `${fixed(last.imbalance.before, 1)} → ${fixed(last.imbalance.after, 1)}`,
    ],
    ["time of the search", known(supernet?.seconds) ? duration(supernet.seconds) : undefined],
    ["cost of the search", fieldCost(input)],
    ["a step of the search", steps.length > 0 ? duration(steps.reduce((a, b) => a + b, 0) / steps.length) : undefined],
    ["weights of the supernet", supernet?.parameters === undefined ? undefined : magnitude(supernet.parameters)],
    ["GPU memory", supernet?.gpuBytes === undefined ? undefined : mebibytes(supernet.gpuBytes)],
  ]);
}

/** What the search took in the field's terms, where that is known. */
function fieldCost({ supernet, environment }: ReportInput): string | undefined {
  const { adapter = environment.adapter } = supernet ?? {}; // a training may be on another machine
  const software = softwareReason({ info: { description: adapter } }) !== undefined;
  const seconds = software ? supernet?.cpuSeconds : supernet?.seconds;
  return known(seconds) ? fieldTime(seconds, software) : undefined;
}

function settings({ environment, data, config, training }: ReportInput): Html {
  return html`
    <section id="settings">
      <h2>Settings and environment</h2>
      ${environmentTable(environment, data, config.seed)}
      <h3>Configuration of the search</h3>
      ${configTable(config)}
      <p class="caption"><b>Bold</b> values differ from the default, the published recipe.</p>
      ${trainingConfig(training?.config)}
    </section>
  `;
}

/** A row for each key: its value, bold where it is not the default, and what it does. */
function configTable(config: Readonly<Record<string, unknown>>): Html {
  const known = new Map<string, { readonly help: string; readonly default: unknown }>(
    SEARCH_OPTIONS.options.map((option) => [option.key, option]),
  );
  const rows = Object.entries(config).map(([key, value]): Content[] => {
    const option = known.get(key), changed = option !== undefined && option.default !== value, text = valueText(value);
    return [
      html`<code>${key}</code>`,
      changed ? html`<b>${text}</b>` : text,
      html`<span class="caption">${option?.help}</span>`,
    ];
  });
  const columns = [{ name: "key" }, { name: "value" }, { name: "what it does", kind: "wide" }] as const;
  return dataTable("Configuration of the search", columns, rows);
}
