/**
 * The files of a training in its run folder, beside those that `train` itself writes.
 * @module
 */
import { cellSvg } from "../report/cell_svg.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { formatGenotypeJson, formatGenotypeText, type Genotype } from "../space/genotype.ts";

/** Writes the cells of a training: `genotype.json`, `genotype.txt` and `cells.svg`. Throws FailureError. */
export async function writeCells(folder: RunFolder, genotype: Genotype): Promise<void> {
  folder.writeFile("genotype.json", formatGenotypeJson(genotype));
  folder.writeFile("genotype.txt", formatGenotypeText(genotype) + "\n");
  folder.writeFile("cells.svg", await cellSvg(genotype));
}
