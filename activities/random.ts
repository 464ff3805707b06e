import { createHash } from 'node:crypto';

/** What a random stream belongs to, e.g. `[runSeed, 'rollout', generation, instanceId, rollout]`. */
export type Identity = readonly (string | number)[];

/** 64 bits that key a Philox generator. */
export type Key = readonly [number, number];

/**
 * Seeds come from identity, never from arrival order, clock or attempt: the first 64 bits of the SHA-256 of
 * the identity's JSON.
 */
export function keyOf(identity: Identity): Key {
  const digest = createHash('sha256').update(JSON.stringify(identity)).digest();
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)];
}

/** The key as 16 hexadecimal digits, the form in which artifacts keep it. */
export function keyToHex([high, low]: Key): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}

export function keyFromHex(hex: string): Key {
  return [Number.parseInt(hex.slice(0, 8), 16), Number.parseInt(hex.slice(8, 16), 16)];
}

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;

function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16,
    aLow = a & 0xffff,
    bHigh = b >>> 16,
    bLow = b & 0xffff;
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >>> 16);
  const carry = (middle & 0xffff) + aLow * bHigh;
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) >>> 0;
}

/**
 * Philox4x32-10 (Salmon et al. 2011): a counter-based generator, so draw `counter` of a stream is known
 * without making the draws before it. Returns a uniform number in [0, 1) with 53 bits.
 */
export function uniform(key: Key, counter: number): number {
  let c0 = counter >>> 0,
    c1 = Math.floor(counter / 4294967296) >>> 0,
    c2 = 0,
    c3 = 0;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(M0, c0),
      low0 = Math.imul(M0, c0) >>> 0;
    const high1 = multiplyHigh(M1, c2),
      low1 = Math.imul(M1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return ((c0 >>> 5) * 67108864 + (c1 >>> 6)) / 9007199254740992;
}

/** Draws one after the other from the stream of an identity. */
export function stream(identity: Identity): () => number {
  const key = keyOf(identity);
  let counter = 0;
  return () => uniform(key, counter++);
}
