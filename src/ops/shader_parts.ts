/**
 * WGSL that several kernels begin with.
 * @module
 */
import { source } from "../gpu/kernel.ts";
import type { Source } from "../gpu/template.ts";
import { channelMoments as CHANNEL_MOMENTS, pools as POOLS, rowEnds as ROW_ENDS } from "./shader_texts.ts";

/** What pools compare by and how many pixels their windows have. */
export const poolParts: Source = source("pools", POOLS);

/** Where rows of images end. */
export const rowEnds: Source = source("row_ends", ROW_ENDS);

/** Mean and spread of a channel; after {@linkcode rowEnds}, and its kernel reads `x`. */
export const channelMoments: Source = source("channel_moments", CHANNEL_MOMENTS);
