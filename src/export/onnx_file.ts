/**
 * The bytes of an ONNX model: protocol buffers as onnx.proto3 of onnx 1.8 lays them out
 * (https://github.com/onnx/onnx/blob/v1.8.0/onnx/onnx.proto3). Field numbers stand beside their names.
 * @module
 */
import { PbfWriter } from "pbf";
import type { OnnxAttribute } from "../graph/op.ts";
import type { OnnxGraph, OnnxNode, OnnxPort, OnnxTensor } from "./onnx_graph.ts";

/**
 * Operator set of exported models: 13, of onnx 1.8 (November 2020), the first with today's Softmax and with all that
 * the operations need; every runtime since reads it.
 */
export const ONNX_OPSET = 13;
/** Version of the file format; 7 goes with operator set 13. */
const IR_VERSION = 7;

/** What a model file says about itself. */
export interface OnnxFileInfo {
  /** Name of the graph. */
  readonly name: string;
  /** Program that wrote it. */
  readonly producer: string;
  /** Version of that program. */
  readonly version: string;
  /** What the model is, for people. */
  readonly doc: string;
  /** `metadata_props` by key. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** TensorProto.DataType. */
const FLOAT = 1, INT64 = 7;
/** AttributeProto.AttributeType. */
const TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7;

function writeAttribute([name, value]: [string, OnnxAttribute], pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  if (typeof value === "number") {
    pbf.writeVarintField(3, value); // i
    pbf.writeVarintField(20, TYPE_INT); // type
  } else if ("float" in value) {
    pbf.writeFloatField(2, value.float); // f
    pbf.writeVarintField(20, TYPE_FLOAT);
  } else {
    pbf.writePackedVarint(8, [...value]); // ints
    pbf.writeVarintField(20, TYPE_INTS);
  }
}

function writeNode(node: OnnxNode, pbf: PbfWriter): void {
  for (const input of node.inputs) pbf.writeStringField(1, input);
  pbf.writeStringField(2, node.name); // output
  pbf.writeStringField(3, node.name);
  pbf.writeStringField(4, node.operator); // op_type
  for (const entry of Object.entries(node.attributes)) pbf.writeMessage(5, writeAttribute, entry);
}

function writeTensor({ name, shape, data }: OnnxTensor, pbf: PbfWriter): void {
  pbf.writePackedVarint(1, [...shape]); // dims
  pbf.writeVarintField(2, data instanceof Float32Array ? FLOAT : INT64); // data_type
  pbf.writeStringField(8, name);
  pbf.writeBytesField(9, littleEndian(data)); // raw_data
}

function littleEndian(data: OnnxTensor["data"]): Uint8Array {
  const bytes = new Uint8Array(data.byteLength), view = new DataView(bytes.buffer);
  if (data instanceof Float32Array) data.forEach((v, i) => view.setFloat32(4 * i, v, true));
  else data.forEach((v, i) => view.setBigInt64(8 * i, v, true));
  return bytes;
}

/** Name of the first dimension of inputs and outputs. */
const BATCH = "N";

function writePort({ name, shape, doc }: OnnxPort, pbf: PbfWriter): void {
  const dimension = (d: number | string, p: PbfWriter) =>
    typeof d === "number" ? p.writeVarintField(1, d) : p.writeStringField(2, d); // dim_value, dim_param
  const dimensions = (_: unknown, p: PbfWriter) => [BATCH, ...shape].forEach((d) => p.writeMessage(1, dimension, d));
  const tensor = (_: unknown, p: PbfWriter) => {
    p.writeVarintField(1, FLOAT); // elem_type
    p.writeMessage(2, dimensions, null); // shape
  };
  pbf.writeStringField(1, name);
  pbf.writeMessage(2, (_: unknown, p) => p.writeMessage(1, tensor, null), null); // type.tensor_type
  if (doc !== undefined) pbf.writeStringField(3, doc);
}

/** Encodes a model. Same graph and information, same bytes. */
export function encodeOnnx(graph: OnnxGraph, info: OnnxFileInfo): Uint8Array<ArrayBuffer> {
  const writeGraph = (_: unknown, pbf: PbfWriter) => {
    for (const node of graph.nodes) pbf.writeMessage(1, writeNode, node);
    pbf.writeStringField(2, info.name);
    for (const tensor of graph.constants) pbf.writeMessage(5, writeTensor, tensor); // initializer
    for (const port of graph.inputs) pbf.writeMessage(11, writePort, port);
    for (const port of graph.outputs) pbf.writeMessage(12, writePort, port);
  };
  const pbf = new PbfWriter();
  pbf.writeVarintField(1, IR_VERSION);
  pbf.writeStringField(2, info.producer);
  pbf.writeStringField(3, info.version);
  pbf.writeStringField(6, info.doc);
  pbf.writeMessage(7, writeGraph, null);
  pbf.writeMessage(8, (_: unknown, p) => p.writeVarintField(2, ONNX_OPSET), null); // opset_import
  for (const [key, value] of Object.entries(info.metadata)) {
    pbf.writeMessage(14, (_: unknown, p) => {
      p.writeStringField(1, key);
      p.writeStringField(2, value);
    }, null);
  }
  return Uint8Array.from(pbf.finish());
}
