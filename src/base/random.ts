/**
 * Counter-based random numbers (Philox 4x32-10; Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 * A number is a pure function of (seed, stream, index): there is no state to save, so a resumed run draws
 * exactly what an uninterrupted one would have drawn.
 * @module
 */

const M0 = 0xd2511f53, M1 = 0xcd9e8d57, W0 = 0x9e3779b9, W1 = 0xbb67ae85;

function mulHigh(a: number, b: number): number {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const t = a1 * b0 + ((a0 * b0) >>> 16);
  const u = a0 * b1 + (t & 0xffff);
  return (a1 * b1 + Math.floor(t / 65536) +
    (u > 0xffffffff ? Math.floor(u / 65536) : u >>> 16)) >>> 0;
}

/** One Philox 4x32-10 block: four 32-bit words for a 128-bit counter and a 64-bit key. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const hi0 = mulHigh(M0, c0), lo0 = Math.imul(M0, c0) >>> 0;
    const hi1 = mulHigh(M1, c2), lo1 = Math.imul(M1, c2) >>> 0;
    c0 = (hi1 ^ c1 ^ k0) >>> 0;
    c1 = lo1;
    c2 = (hi0 ^ c3 ^ k1) >>> 0;
    c3 = lo0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** 32-bit FNV-1a hash of a name; turns stream names into keys. */
export function hashName(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) {
    h = Math.imul(h ^ name.charCodeAt(i), 0x01000193) >>> 0;
  }
  return h;
}

/**
 * A cursor over one stream of random numbers. `seed` is the user's, `stream` says what the numbers are for
 * (for example `"shuffle/train"`), `epoch` and `item` select an independent sub-stream.
 */
export class Random {
  #key: [number, number];
  #hi: [number, number];
  #block = 0;
  #words: [number, number, number, number] = [0, 0, 0, 0];
  #used = 4;

  /** Opens the sub-stream (`epoch`, `item`) of `stream` under `seed`. */
  constructor(seed: number, stream: string, epoch = 0, item = 0) {
    this.#key = [seed >>> 0, (hashName(stream) ^ Math.floor(seed / 2 ** 32)) >>> 0];
    this.#hi = [epoch >>> 0, item >>> 0];
  }

  /** The next unsigned 32-bit word. */
  word(): number {
    if (this.#used === 4) {
      this.#words = philox([this.#block++, 0, this.#hi[0], this.#hi[1]], this.#key);
      this.#used = 0;
    }
    return this.#words[this.#used++];
  }

  /** Uniform in [0, 1), 32 bits. */
  uniform(): number {
    return this.word() / 2 ** 32;
  }

  /** Uniform integer in [0, n). The bias is below n / 2^32. */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal (Box-Muller, one of the pair). */
  normal(): number {
    const u = (this.word() + 1) / 2 ** 32, v = this.uniform();
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  }

  /** A uniformly random permutation of 0..n-1 (Fisher-Yates). */
  permutation(n: number): Uint32Array {
    const p = new Uint32Array(n);
    for (let i = 0; i < n; i++) p[i] = i;
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const t = p[i];
      p[i] = p[j];
      p[j] = t;
    }
    return p;
  }
}
