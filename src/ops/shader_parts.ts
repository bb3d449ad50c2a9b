/**
 * WGSL that several shaders begin with.
 * @module
 */
import KEYS from "../../shaders/keys.wgsl" with { type: "text" };
import ROW_ENDS from "../../shaders/row_ends.wgsl" with { type: "text" };

/** What max pools compare by, in front of a shader's source. */
export const withKeys = (source: string): string => KEYS + source;

/** Where rows of images end, in front of a shader's source. */
export const withRowEnds = (source: string): string => ROW_ENDS + source;
