/**
 * GIF files: where the first frame lies, and whether its pixels are whole, which the decoder does not say. GIF89a
 * specification; appendix F for its LZW codes. Not responsible for pixels.
 * @module
 */

/** Where the first frame of a GIF file is. */
export interface GifFrame {
  /** The byte whose upper bit says whether its table of colours is there, and whose lower three say how large it is. */
  readonly flags: number;
  /** Where the table begins, or would. */
  readonly table: number;
  /** Colours in it. */
  readonly colours: number;
  /** Its pixels. */
  readonly pixels: number;
  /** Where its codes begin, after the byte that says how many bits they have. */
  readonly codes: number;
}

/** Where the blocks of data at `at` end, after the empty one. */
function endOfBlocks(bytes: Uint8Array, at: number): number {
  while (bytes[at] > 0) at += 1 + bytes[at];
  return at + 1;
}

const coloursOf = (flags: number): number => flags & 0x80 ? 2 << (flags & 7) : 0;

/** Finds the first frame; undefined where there is none. */
export function findGifFrame(bytes: Uint8Array): GifFrame | undefined {
  const colours = coloursOf(bytes[10]);
  for (let at = 13 + 3 * colours; at + 10 < bytes.length;) {
    if (bytes[at] === 0x21) at = endOfBlocks(bytes, at + 2); // an extension
    else if (bytes[at] === 0x2c) {
      const pixels = (bytes[at + 5] + 256 * bytes[at + 6]) * (bytes[at + 7] + 256 * bytes[at + 8]);
      const own = coloursOf(bytes[at + 9]), codes = at + 10 + 3 * own + 1;
      return own > 0
        ? { flags: at + 9, table: at + 10, colours: own, pixels, codes }
        : { flags: 10, table: 13, colours, pixels, codes };
    } else at++; // what is no block is passed over
  }
  return undefined;
}

/** What is wrong with the pixels of the first frame, in a few words; undefined where they are whole. */
export function gifFault(bytes: Uint8Array): string | undefined {
  const frame = findGifFrame(bytes);
  if (frame === undefined) return "there is no picture in it";
  const bits = bytes[frame.codes - 1], clear = 1 << bits;
  if (bits < 1 || bits > 11) return `its codes cannot have ${bits} bits`;
  const lengths = new Uint32Array(4096).fill(1);
  let size = bits + 1, next = clear + 2, before = -1, pixels = 0, buffer = 0, held = 0;
  for (let at = frame.codes; bytes[at] > 0; at += 1 + bytes[at]) {
    for (let k = at + 1; k <= at + bytes[at]; k++) {
      if (k >= bytes.length) return "premature end of its codes";
      buffer |= bytes[k] << held;
      held += 8;
      while (held >= size) {
        const code = buffer & ((1 << size) - 1);
        buffer >>>= size;
        held -= size;
        if (code === clear) [size, next, before] = [bits + 1, clear + 2, -1];
        else if (code === clear + 1) return pixels < frame.pixels ? "premature end of its codes" : undefined;
        else {
          if (code > next || (before < 0 ? code > clear : code === next && next >= 4096)) return "wrong codes";
          const length = code === next ? lengths[before] + 1 : lengths[code];
          pixels += length;
          if (pixels >= frame.pixels) return undefined; // surplus is nobody's trouble
          if (before >= 0 && next < 4096) {
            lengths[next++] = lengths[before] + 1;
            if (next === 1 << size && size < 12) size++;
          }
          before = code;
        }
      }
    }
  }
  return "premature end of its codes";
}
