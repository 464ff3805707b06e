/**
 * GGML's block formats to float32, bit for bit what ggml and the Python package `gguf` give: a float16 scale
 * times a small integer is exact in double precision, so each weight is rounded once, on the way into its array.
 */

const float16 = float16Table();

/** Every float16 by its bits. */
function float16Table(): Float32Array {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[bits] = fraction ? NaN : sign * Infinity;
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return table;
}

/** Decodes one block of `bytes` at `from` into `out` at `to`. */
type DecodeBlock = (bytes: Uint8Array, from: number, out: Float32Array, to: number) => void;

/** An element type: how many weights share a block, and how many bytes the block takes. */
export interface Format {
  name: string;
  weights: number;
  bytes: number;
  decode: DecodeBlock;
}

// Offsets stay inside blocks whose size was checked, so the reads below never miss; `!` says so to the compiler.
const half = (bytes: Uint8Array, at: number): number => float16[bytes[at]! | (bytes[at + 1]! << 8)]!;
const signed = (byte: number): number => (byte << 24) >> 24;

const word = new DataView(new ArrayBuffer(4));
/** The float32 with these bits. */
function float32(bits: number): number {
  word.setInt32(0, bits);
  return word.getFloat32(0);
}

const f32: DecodeBlock = (bytes, from, out, to) => {
  out[to] = float32(
    bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24),
  );
};

const f16: DecodeBlock = (bytes, from, out, to) => {
  out[to] = half(bytes, from);
};

const bf16: DecodeBlock = (bytes, from, out, to) => {
  out[to] = float32((bytes[from]! << 16) | (bytes[from + 1]! << 24));
};

const q8_0: DecodeBlock = (bytes, from, out, to) => {
  const scale = half(bytes, from);
  for (let i = 0; i < 32; i++) out[to + i] = scale * signed(bytes[from + 2 + i]!);
};

const q4_0: DecodeBlock = (bytes, from, out, to) => {
  const scale = half(bytes, from);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[from + 2 + i]!;
    out[to + i] = scale * ((pair & 15) - 8);
    out[to + 16 + i] = scale * ((pair >> 4) - 8);
  }
};

const q4_1: DecodeBlock = (bytes, from, out, to) => {
  const scale = half(bytes, from);
  const minimum = half(bytes, from + 2);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[from + 4 + i]!;
    out[to + i] = scale * (pair & 15) + minimum;
    out[to + 16 + i] = scale * (pair >> 4) + minimum;
  }
};

/** The fifth bit of weight i of a Q5 block, in place. */
const fifth = (bytes: Uint8Array, at: number, i: number): number =>
  ((bytes[at + (i >> 3)]! >> (i & 7)) & 1) << 4;

const q5_0: DecodeBlock = (bytes, from, out, to) => {
  const scale = half(bytes, from);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[from + 6 + i]!;
    out[to + i] = scale * (((pair & 15) | fifth(bytes, from + 2, i)) - 16);
    out[to + 16 + i] = scale * (((pair >> 4) | fifth(bytes, from + 2, i + 16)) - 16);
  }
};

const q5_1: DecodeBlock = (bytes, from, out, to) => {
  const scale = half(bytes, from);
  const minimum = half(bytes, from + 2);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[from + 8 + i]!;
    out[to + i] = scale * ((pair & 15) | fifth(bytes, from + 4, i)) + minimum;
    out[to + 16 + i] = scale * ((pair >> 4) | fifth(bytes, from + 4, i + 16)) + minimum;
  }
};

/** Scale and minimum (6 bits each) of sub-block `j` of a Q4_K or Q5_K block, whose 12 packed bytes are at `at`. */
function scaleOf(bytes: Uint8Array, at: number, j: number): number {
  if (j < 4) return bytes[at + j]! & 63;
  return (bytes[at + j + 4]! & 15) | ((bytes[at + j - 4]! >> 6) << 4);
}
function minimumOf(bytes: Uint8Array, at: number, j: number): number {
  if (j < 4) return bytes[at + j + 4]! & 63;
  return (bytes[at + j + 4]! >> 4) | ((bytes[at + j]! >> 6) << 4);
}

const q4_k: DecodeBlock = (bytes, from, out, to) => {
  const scale = half(bytes, from);
  const minimum = half(bytes, from + 2);
  for (let j = 0; j < 8; j++) {
    const d = scale * scaleOf(bytes, from + 4, j);
    const m = minimum * minimumOf(bytes, from + 4, j);
    const quants = from + 16 + (j >> 1) * 32;
    const shift = (j & 1) * 4;
    for (let i = 0; i < 32; i++) out[to + j * 32 + i] = d * ((bytes[quants + i]! >> shift) & 15) - m;
  }
};

const q5_k: DecodeBlock = (bytes, from, out, to) => {
  const scale = half(bytes, from);
  const minimum = half(bytes, from + 2);
  for (let j = 0; j < 8; j++) {
    const d = scale * scaleOf(bytes, from + 4, j);
    const m = minimum * minimumOf(bytes, from + 4, j);
    const quants = from + 48 + (j >> 1) * 32;
    const shift = (j & 1) * 4;
    for (let i = 0; i < 32; i++) {
      const high = ((bytes[from + 16 + i]! >> j) & 1) << 4;
      out[to + j * 32 + i] = d * (((bytes[quants + i]! >> shift) & 15) | high) - m;
    }
  }
};

const q6_k: DecodeBlock = (bytes, from, out, to) => {
  const scale = half(bytes, from + 208);
  for (let i = 0; i < 256; i++) {
    // Two halves of 128; in each, 64 bytes hold the low 4 bits and 32 bytes the high 2 bits of four rows of 32.
    const [part, row, column] = [i >> 7, (i >> 5) & 3, i & 31];
    const low = (bytes[from + part * 64 + (row & 1) * 32 + column]! >> ((row >> 1) * 4)) & 15;
    const high = (bytes[from + 128 + part * 32 + column]! >> (row * 2)) & 3;
    out[to + i] = scale * signed(bytes[from + 192 + (i >> 4)]!) * ((low | (high << 4)) - 32);
  }
};

/** The element types this project reads, by GGML's number. */
export const formats: ReadonlyMap<number, Format> = new Map([
  [0, { name: 'F32', weights: 1, bytes: 4, decode: f32 }],
  [1, { name: 'F16', weights: 1, bytes: 2, decode: f16 }],
  [2, { name: 'Q4_0', weights: 32, bytes: 18, decode: q4_0 }],
  [3, { name: 'Q4_1', weights: 32, bytes: 20, decode: q4_1 }],
  [6, { name: 'Q5_0', weights: 32, bytes: 22, decode: q5_0 }],
  [7, { name: 'Q5_1', weights: 32, bytes: 24, decode: q5_1 }],
  [8, { name: 'Q8_0', weights: 32, bytes: 34, decode: q8_0 }],
  [12, { name: 'Q4_K', weights: 256, bytes: 144, decode: q4_k }],
  [13, { name: 'Q5_K', weights: 256, bytes: 176, decode: q5_k }],
  [14, { name: 'Q6_K', weights: 256, bytes: 210, decode: q6_k }],
  [30, { name: 'BF16', weights: 1, bytes: 2, decode: bf16 }],
]);

/** Names of the types that files have and this project does not read, for its error message. */
export const unreadFormats: Record<number, string> = {
  10: 'Q2_K',
  11: 'Q3_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  29: 'IQ1_M',
  34: 'TQ1_0',
  35: 'TQ2_0',
  39: 'MXFP4',
};

/** All weights of `bytes`, which holds whole blocks of `format`. */
export function dequantise(format: Format, bytes: Uint8Array): Float32Array {
  const blocks = bytes.length / format.bytes;
  const out = new Float32Array(blocks * format.weights);
  for (let block = 0; block < blocks; block++)
    format.decode(bytes, block * format.bytes, out, block * format.weights);
  return out;
}
