/**
 * WGSL that several shaders begin with.
 * @module
 */
import { source } from "../gpu/kernel.ts";
import POOLS from "../../shaders/pools.wgsl" with { type: "text" };
import ROW_ENDS from "../../shaders/row_ends.wgsl" with { type: "text" };

/** What pools compare by and how many pixels their windows have, in front of a shader's source. */
export const withPoolParts = (source: string): string => POOLS + source;

/** Where rows of images end, in front of a shader's source. */
export const rowEnds = source("row_ends", ROW_ENDS);

export const withRowEnds = (source: string): string => ROW_ENDS + source;
