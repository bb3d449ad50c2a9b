/**
 * `idarts export <model>`: a trained model as a file for other programs.
 * @module
 */
import { type Command, Option as Flag } from "commander";
import { UsageError } from "../base/errors.ts";
import { exists, folderOf, joinPath, writeAtomic } from "../base/files.ts";
import { defineOptions } from "../base/options.ts";
import { PIXEL_SCALES, type PixelScale } from "../export/model_info.ts";
import { exportOnnx, ONNX_INPUT } from "../export/onnx.ts";
import { ONNX_OPSET } from "../export/onnx_file.ts";
import { exportWeights } from "../export/weights.ts";
import { addOptions, OUTPUT_GROUP, type Parsed } from "./flags.ts";
import { MODEL_HELP, openModel } from "./sources.ts";
import { commandLine, count, pairs, Terminal } from "./terminal.ts";

const OPTIONS = defineOptions([
  {
    key: "format",
    kind: "choice",
    choices: ["onnx", "safetensors"],
    default: "onnx",
    group: "Export",
    help: "ONNX runs elsewhere as it is; safetensors are the weights alone",
  },
  {
    key: "pixels",
    kind: "choice",
    choices: PIXEL_SCALES,
    default: "unit",
    group: "Export",
    help: "ONNX: what the input holds, 0 to 1, 0 to 255, or normalised by the caller",
  },
  {
    key: "fold",
    kind: "boolean",
    default: true,
    group: "Export",
    help: "ONNX: make batch norms part of the convolutions before them",
  },
  { key: "name", kind: "string", default: "network", group: "Export", help: "name of the model in the file" },
]);

/** Names of the files where none is given. */
const DEFAULT_FILES: Readonly<Record<string, string>> = { onnx: "model.onnx", safetensors: "weights.safetensors" };

/** Declares the verb. */
export function exportCommand(program: Command): Command {
  const command = program.command("export <model>")
    .summary("write a trained model as ONNX or safetensors")
    .description(
      `Writes a trained model for other programs. The model is ${MODEL_HELP}. ONNX: operator set ${ONNX_OPSET}, input ` +
        `'${ONNX_INPUT}' [N, channels, height, width], outputs 'logits' and 'probabilities' [N, classes], any N; class ` +
        "names and preprocessing are in the metadata. Safetensors: every weight by its name, with the same metadata.",
    );
  addOptions(command, OPTIONS.options);
  command.addOption(
    new Flag("--out <file>", `file to write (default: ${Object.values(DEFAULT_FILES).join(" or ")} beside the model)`)
      .helpGroup(OUTPUT_GROUP),
  );
  command.addOption(new Flag("--force", "replace the file if it exists").helpGroup(OUTPUT_GROUP));
  command.addOption(new Flag("--json", "what was written as one JSON line").helpGroup(OUTPUT_GROUP));
  command.addHelpText(
    "after",
    `
Examples:
  ${commandLine(["export", "runs/mnist-demo/train"], { read: ["runs"], write: ["runs"] })}
  ${
      commandLine(["export", "best.safetensors", "--pixels", "byte", "--no-fold", "--out", "model.onnx"], {
        read: ["best.safetensors", "model.onnx"],
        write: ["."],
      })
    }

Exit codes: 0 done, 1 it could not be done, 2 wrong use.`,
  );
  return command;
}

/** Runs the verb. @returns the exit code */
export function runExport(parsed: Parsed, [path]: readonly string[]): Promise<number> {
  const terminal = new Terminal(parsed.json === true), options = OPTIONS.resolve([OPTIONS.flagLayer(parsed)]);
  const { file, model } = openModel(path), { format, name, fold } = options, pixels = options.pixels as PixelScale;
  const out = (parsed.out as string | undefined) ?? joinPath(folderOf(file), DEFAULT_FILES[format]);
  if (out === "") throw new UsageError("Cannot use --out as it must name a file: it is empty");
  if (parsed.force !== true && exists(out)) {
    throw new UsageError(`Cannot write '${out}' as it exists: take another --out, or replace it with --force`);
  }
  const bytes = format === "onnx"
    ? exportOnnx(model, { name, pixels, foldBatchNorms: fold })
    : exportWeights(model, { name });
  writeAtomic(out, bytes);
  const { inputChannels, height, width, classes } = model.network;
  terminal.event({
    event: "export",
    ...{ model: file, file: out, format, bytes: bytes.length, classNames: model.classNames },
    ...(format === "onnx" ? { opset: ONNX_OPSET, pixels, fold } : {}),
  });
  const range = { unit: "pixels from 0 to 1", byte: "pixels from 0 to 255", normalized: "normalised pixels" }[pixels];
  [
    `${out} (${count(bytes.length)} bytes)`,
    ...pairs(
      format === "onnx"
        ? [
          ["input", `'${ONNX_INPUT}': float32 [N, ${inputChannels}, ${height}, ${width}], ${range}`],
          ["outputs", `'logits', 'probabilities': float32 [N, ${classes}]`],
          ["operator set", `${ONNX_OPSET}, batch norms ${fold ? "folded" : "as they are"}`],
          ["metadata", "classes, preprocessing, genotype, network, version"],
        ]
        : [["metadata", "classes, preprocessing, genotype, network, version"]],
    ),
  ].forEach((line) => terminal.line(line));
  return Promise.resolve(0);
}
