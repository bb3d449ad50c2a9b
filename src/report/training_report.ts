/**
 * The report of a training whose cell was not searched here, or whose search cannot be read any more: one HTML file
 * like that of a search. Not responsible for reading runs and writing files.
 * @module
 */
import { CELL_KINDS } from "../space/space.ts";
import { formatGenotypeText } from "../space/genotype.ts";
import { type Html, html } from "./markup.ts";
import { accuracyOf, networkSection } from "./network_section.ts";
import { count, duration, known, magnitude, percent, plural } from "./numbers.ts";
import { cellPart, commandPart, environmentTable, page, tileList, trainingConfig } from "./page.ts";
import { checkInput, type TrainingReportInput } from "./report_input.ts";

/**
 * The report as one HTML document.
 * @throws {RangeError} for a confusion matrix that does not fit the classes
 */
export async function trainingReportHtml(input: TrainingReportInput): Promise<string> {
  checkInput(input);
  const { cell: { genotype, name }, data, environment, commands } = input;
  const title = input.title ?? `${name} trained on ${data.name}`;
  return page(title, environment, html`${summary(input)} ${tiles(input)}`, [
    await cellPart(genotype, formatGenotypeText(genotype)),
    { id: "network", name: "Network", content: await networkSection(input) },
    commandPart(commands),
    { id: "settings", name: "Settings", content: settings(input) },
  ]);
}

function summary({ cell, data, training, cost, evaluation }: TrainingReportInput): Html {
  const accuracy = evaluation && accuracyOf(evaluation), length = plural(training.epochs.length, "epoch");
  const size = `${data.channels}×${data.height}×${data.width}, ${plural(data.classes, "class", "classes")}`;
  const network = cost && ` It has ${magnitude(cost.parameters)} parameters.`;
  const result = known(accuracy) &&
    ` It classifies ${percent(accuracy)} of the ${evaluation!.split} images correctly.`;
  return html`
    <p class="lead">
    This run trained a network of the cell <bdi>${cell.name}</bdi> from scratch on images of <bdi>${data.name}</bdi>
    (${size}), for ${length}.${network}${result}
    </p>
  `;
}

function tiles({ cell: { genotype }, training, cost, evaluation }: TrainingReportInput): Html {
  const choices = CELL_KINDS.flatMap((kind) => genotype[kind].nodes.flat());
  const skips = choices.filter(({ op }) => op === "skip_connect").length, epochs = training.epochs.length;
  return tileList([
    [`accuracy on ${evaluation?.split} images`, evaluation && percent(accuracyOf(evaluation), 2)],
    ["parameters", cost && magnitude(cost.parameters)],
    ["MACs for an image", cost && magnitude(cost.macs)],
    ["time of training", known(training.seconds) ? duration(training.seconds) : undefined],
    ["epochs", count(epochs)],
    ["skip-connections", `${skips} of ${choices.length}`],
  ]);
}

function settings({ environment, data, training }: TrainingReportInput): Html {
  return html`
    <section id="settings">
      <h2>Settings and environment</h2>
      ${environmentTable(environment, data, training.config?.seed)} ${trainingConfig(training.config)}
    </section>
  `;
}
