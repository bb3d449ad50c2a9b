/**
 * The first frame of an animated WebP file as a file of its own: the decoder would decode all of them, and leave out
 * what EXIF says. Container: RFC 9649, 2.7. Not responsible for pixels.
 * @module
 */

/** Four letters as they lie in a file. */
const tag = (name: string): number => [...name].reduce((sum, c) => 256 * sum + c.charCodeAt(0), 0);
const VP8X = tag("VP8X"), ANIM = tag("ANIM"), ANMF = tag("ANMF");
/** Bytes of a frame before its own chunks: place, size, duration, flags. */
const FRAME_HEADER = 16;
const ANIMATED = 0x02;

/** A number of three bytes. */
function uint24(view: DataView, at: number): number {
  return view.getUint16(at, true) + 65536 * view.getUint8(at + 2);
}

/** A WebP file with its first frame only, as a still image where that fills the canvas; others are as they are. */
export function stillWebP(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), parts: Uint8Array[] = [];
  if (bytes.length < 30 || view.getUint32(12) !== VP8X || !(bytes[20] & ANIMATED)) return bytes;
  let frames = 0, still = false, settings: Uint8Array | undefined;
  for (let at = 12, end = 0; at + 8 <= bytes.length; at = end) {
    const kind = view.getUint32(at), size = view.getUint32(at + 4, true);
    let start = at;
    end = Math.min(bytes.length, at + 8 + size + size % 2);
    if (kind === ANMF && frames++ > 0) continue;
    // The frame fills the canvas where the sizes are equal.
    if (kind === ANMF && end >= at + 24 && [12, 15].every((k) => uint24(view, at + 2 + k) === uint24(view, 12 + k))) {
      start = at + 8 + FRAME_HEADER;
      still = true;
    }
    const part = bytes.subarray(start, end);
    if (kind === ANIM) settings = part;
    parts.push(part);
  }
  const kept = parts.filter((part) => !still || part !== settings), length = kept.reduce((sum, p) => sum + p.length, 0);
  const out = new Uint8Array(12 + length);
  out.set(bytes.subarray(0, 12));
  new DataView(out.buffer).setUint32(4, 4 + length, true);
  kept.reduce((at, part) => (out.set(part, at), at + part.length), 12);
  if (still) out[20] &= ~ANIMATED;
  return out;
}
