/**
 * The report of an `auto` run: who won and by how much, whether the search paid, what the network confuses, and the
 * commands to use it. One HTML file. Not responsible for reading files and for how the winner was found.
 * @module
 */
import { formatGenotypeText, type Genotype } from "../space/genotype.ts";
import { type Content, type Html, html } from "./markup.ts";
import { networkSection } from "./network_section.ts";
import { count, duration, known, magnitude, MISSING, percent, plural, significant } from "./numbers.ts";
import { cellPart, commandPart, environmentTable, page, tileList, trainingConfig } from "./page.ts";
import type { CommandPart, CostPart, Environment, EvaluationPart, ReportInput } from "./report_input.ts";
import { dataTable, meter } from "./tables.ts";

/** A share of right answers. */
export interface SharePart {
  /** The share. */
  readonly accuracy: number;
  /** Its 95 % interval. */
  readonly interval: readonly [low: number, high: number];
}

/** Where a candidate ended. */
export interface StandingPart extends SharePart {
  /** What it is called. */
  readonly name: string;
  /** Where it comes from. */
  readonly origin: string;
  /** All weights. */
  readonly parameters: number;
  /** Multiply-accumulates for one image. */
  readonly macs: number;
  /** Rungs that it took part in. */
  readonly rungs: number;
  /** Training steps. */
  readonly steps: number;
  /** Wall-clock seconds. */
  readonly seconds: number;
  /** Seconds in which it answers one image. */
  readonly latency?: number;
}

type Costly = Pick<StandingPart, "accuracy" | "macs">;

/** An image that the network is wrong about. */
export interface PicturePart {
  /** A data URL. */
  readonly source: string;
  /** Its class. */
  readonly label: string;
  /** What the network says. */
  readonly predicted: string;
  /** Probability of its class. */
  readonly rightProbability: number;
}

/** Answers whose mean counts. */
export interface EnsemblePart {
  /** Of how many networks. */
  readonly members: number;
  /** Whether they answer to the mirror image of each image, too. */
  readonly mirrored?: boolean;
  /** Weights of them all. */
  readonly parameters: number;
  /** Multiply-accumulates of them all for one image. */
  readonly macs: number;
  /** Seconds in which they answer one image. */
  readonly latency?: number;
}

/** Everything that the report shows. */
export interface AutoReportInput {
  /** Where and with what it was run. */
  readonly environment: Environment;
  /** The images. */
  readonly data: ReportInput["data"];
  /** The resolved configuration, keys in kebab-case. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Candidates, the best first. */
  readonly leaderboard: readonly StandingPart[];
  /** Trivial answers to the same held-out images. */
  readonly trivial: readonly ({ readonly name: string } & SharePart)[];
  /** Held-out images, over all splits. */
  readonly held: number;
  /** Splits. */
  readonly splits: number;
  /** Cells of the winner. */
  readonly genotype: Genotype;
  /** Whether the search paid, in a sentence; nothing without a search. */
  readonly verdict?: string;
  /** Size of the network that came out. */
  readonly cost?: CostPart;
  /** What that is where its answer is the mean of several. */
  readonly ensemble?: EnsemblePart;
  /** The winner on the test images, and the interval of its accuracy. */
  readonly test?: EvaluationPart & SharePart;
  /** Test images that it is most wrong about. */
  readonly wrong: readonly PicturePart[];
  /** What went otherwise than planned, in sentences. */
  readonly notes: readonly string[];
  /** Wall-clock seconds of it all. */
  readonly seconds: number;
  /** What can be done with it. */
  readonly commands: readonly CommandPart[];
}

/** `62.5% (56.1 to 68.5)`. */
export function shareText({ accuracy, interval: [low, high] }: SharePart): string {
  return `${percent(accuracy)} (${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`;
}

/** The report as one HTML document. */
export async function autoReportHtml(input: AutoReportInput): Promise<string> {
  const { genotype, data, environment, commands, cost, test, config } = input, [winner] = input.leaderboard;
  const settings = html`
    <section id="settings">
      <h2>Settings and environment</h2>
      ${environmentTable(environment, data, config.seed)} ${trainingConfig(config)}
    </section>
  `;
  return page(`A network for ${data.name}`, environment, html`${summary(input)} ${tiles(input)}`, [
    { id: "leaderboard", name: "Leaderboard", content: leaderboard(input) },
    await cellPart(genotype, formatGenotypeText(genotype)),
    { id: "network", name: winner.name, content: await networkSection({ cost, evaluation: test }) },
    { id: "wrong", name: "Mistakes", content: mistakes(input.wrong) },
    commandPart(commands),
    { id: "settings", name: "Settings", content: settings },
  ]);
}

function summary(
  { leaderboard: [winner], ensemble, data, verdict, notes, seconds, test, held }: AutoReportInput,
): Html {
  const size = `${count(data.count)} images of ${data.channels}×${data.height}×${data.width}, ${
    plural(data.classes, "class", "classes")
  }`;
  const measured = test
    ? `It gets ${shareText(test)} of the test images right, which were looked at once, at the end.`
    : `It got ${shareText(winner)} of ${count(held)} held-out images right; there were no test images.`;
  return html`
    <p class="lead">
    In ${duration(seconds)} the best network for <bdi>${data.name}</bdi> (${size}) was
    <bdi>${winner.name}</bdi>${ensemble && answersText(ensemble)}. ${measured}${verdict &&
      ` ${verdict}`}
    </p>
    ${notes.map((note) => html`<p class="note"><bdi>${note}</bdi></p>`)}
  `;
}

/** Which answers the mean is of: what follows the winner's name. */
function answersText({ members, mirrored }: EnsemblePart): string {
  const trained = members > 1 && "they were trained apart, and the mean of their logits counts";
  const both = mirrored && "the mirror image of each image is looked at, too";
  return `${members > 1 ? `, an ensemble of ${members}` : ""}: ${[trained, both].filter((part) => part).join("; ")}`;
}

function tiles({ leaderboard: [winner], ensemble, test, trivial, seconds }: AutoReportInput): Html {
  const { parameters, macs, latency } = ensemble ?? winner;
  const best = trivial.reduce<SharePart | undefined>((a, b) => a && a.accuracy >= b.accuracy ? a : b, undefined);
  return tileList([
    ["accuracy on test images", test && percent(test.accuracy, 2)],
    ["accuracy on held-out images", percent(winner.accuracy)],
    ["best trivial answer there", best && percent(best.accuracy)],
    ["parameters", magnitude(parameters)],
    ["MACs for an image", magnitude(macs)],
    ["time for an image", known(latency) ? latencyText(latency) : undefined],
    ["time", known(seconds) ? duration(seconds) : undefined],
  ]);
}

/** `12.3 ms`. */
export function latencyText(seconds: number | undefined): string {
  return seconds === undefined ? MISSING : `${significant(1000 * seconds)} ms`;
}

/** Whether no other candidate is better in accuracy and cheaper at once. */
export function onFront(one: Costly, all: readonly Costly[]): boolean {
  return !all.some((other) =>
    other.accuracy >= one.accuracy && other.macs <= one.macs &&
    (other.accuracy > one.accuracy || other.macs < one.macs)
  );
}

function leaderboard({ leaderboard: all, trivial, held, splits }: AutoReportInput): Html {
  const rows = all.map((each): Content[] => [
    html`<bdi>${each.name}</bdi>`,
    shareText(each),
    meter(each.accuracy, "right"),
    magnitude(each.parameters),
    magnitude(each.macs),
    latencyText(each.latency),
    each.rungs,
    count(each.steps),
    duration(each.seconds),
    onFront(each, all) ? "yes" : "",
  ]);
  const trivialRows = trivial.map((each): Content[] => [
    each.name,
    shareText(each),
    meter(each.accuracy, "right"),
    ...["–", "–", "–", "–", "–", "–", ""],
  ]);
  const columns = [
    { name: "candidate" },
    { name: "right (95 % interval)", kind: "num" },
    { name: "" },
    { name: "parameters", kind: "num" },
    { name: "MACs", kind: "num" },
    { name: "latency", kind: "num" },
    { name: "rungs", kind: "num" },
    { name: "steps", kind: "num" },
    { name: "time", kind: "num" },
    { name: "front" },
  ] as const;
  const several = splits > 1 && ` (${splits} splits, since there are few images)`;
  return html`
    <section id="leaderboard">
      <h2>Leaderboard</h2>
      ${dataTable("Leaderboard", columns, [...rows, ...trivialRows])}
      <p class="caption">Right answers on ${count(held)} images that were held out${several}, after the last rung that a
      candidate took part in. Those that went further were trained for longer; of those that got equally far, who is not
      behind by more than a standard error stands in the order of the plan. “Latency”:
      one image at a time on this machine. “Front”: none is better with no more MACs. The last rows are what trivial answers get of the same images.</p>
    </section>
  `;
}

function mistakes(wrong: readonly PicturePart[]): Content {
  const shown = wrong.map(({ source, label, predicted, rightProbability }) =>
    html`
      <figure>
        <img class="sample" src="${source}" alt="an image of class ${label}" width="96" height="96" />
        <figcaption><bdi>${label}</bdi>, taken for <bdi>${predicted}</bdi>; its class has ${percent(
          rightProbability,
        )}</figcaption>
      </figure>
    `
  );
  return wrong.length > 0 && html`
    <section id="wrong">
      <h2>Most wrong</h2>
      <p>The test images whose class the network finds least probable. Look at them: a wrong label is a mistake of the
      data.</p>
      <div class="samples">${shown}</div>
    </section>
  `;
}
