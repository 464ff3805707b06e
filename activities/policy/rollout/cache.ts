import type { Symbols } from '../graph/dims.ts';
import type { Feeds, HeldFeeds, Results } from '../graph/program.ts';
import type { PromptLayout } from '../model/layout.ts';
import { maskedScore } from '../model/layout.ts';
import type { Past } from '../model/past.ts';
import type { ModelConfig } from '../weights/checkpoint.ts';
import { closeGaps } from './closeGaps.ts';

/** Generated lengths are rounded up to this many tokens, so that shapes change seldom. */
const growth = 16;

/** How large a cache may become. */
export interface CacheSize {
  /** Rollouts at a time. */
  rows: number;
  /** Prompts at a time. */
  places: number;
  promptLength: number;
  maxNewTokens: number;
}

/** The keys and values of a batch, wherever they are; what its parts mean is said at `BatchCache`. */
export interface Cache {
  /** Prompts held. */
  readonly places: number;
  /** R, N, G, P and L of `decodeProgram`. */
  readonly symbols: Symbols;
  /** The position of each row's next token. */
  readonly positions: BigInt64Array;
  /** Takes in the prompts that `prefillProgram` read in a `layout`, after a past, with so many new rows for each. */
  admit(layout: PromptLayout, past: Past, outputs: Results['arrays'], rollouts: number): void | Promise<void>;
  /** Appends what `decodeProgram` gave of the newest token of every row. */
  append(arrays: Results['arrays'], held: Results['held']): void | Promise<void>;
  /** Goes on with some of the rows, in an order that `closeGaps` gave. */
  keep(rows: readonly number[]): void | Promise<void>;
  feeds(): HeldFeeds;
}

interface Port {
  half: 'Key' | 'Value';
  layer: number;
  prompt: Float32Array;
  generated: Float32Array;
}

/** A rollout at work. */
interface Row {
  place: number;
  /** Generated tokens. */
  filled: number;
}

/**
 * Keys and values as `decodeProgram` takes them: prompts [N, kv, P, D] at N places, and generated tokens [R, kv, L, D]
 * in R rows, one for each rollout at work, one array for each layer and half. A place is given up with the last of its
 * rows. Everything moves in place: the arrays are as large as can ever be needed, and the front of each is what is fed.
 */
export class BatchCache implements Cache {
  /** P */
  readonly #promptLength: number;
  /** L */
  #length = growth;
  /** Prompt tokens at each place. */
  #promptLengths: number[] = [];
  #rows: Row[] = [];
  readonly #kv: number;
  readonly #width: number;
  readonly #ports: Port[];

  constructor({ layers, keyValueHeads, headDim }: ModelConfig, size: CacheSize, room: CacheRoom) {
    this.#promptLength = size.promptLength;
    this.#kv = keyValueHeads;
    this.#width = headDim;
    const longest = Math.ceil(size.maxNewTokens / growth) * growth;
    const rowOf = keyValueHeads * headDim;
    this.#ports = Array.from({ length: layers }, (_, layer) =>
      (['Key', 'Value'] as const).map((half) => ({
        half,
        layer,
        prompt: room.array(`prompt${half}.${layer}`, size.places * size.promptLength * rowOf),
        generated: room.array(`generated${half}.${layer}`, size.rows * longest * rowOf),
      })),
    ).flat();
  }

  get places(): number {
    return this.#promptLengths.length;
  }

  get symbols(): { R: number; N: number; G: number; P: number; L: number } {
    const { places: N } = this;
    const G = Math.max(0, ...this.#ranks().map((rank) => rank + 1));
    return { R: this.#rows.length, N, G, P: this.#promptLength, L: this.#length };
  }

  get positions(): BigInt64Array {
    return BigInt64Array.from(this.#rows, ({ place, filled }) =>
      BigInt(this.#promptLengths[place]! + filled),
    );
  }

  /** The rollouts at work. */
  get rows(): readonly Readonly<Row>[] {
    return this.#rows;
  }

  admit(layout: PromptLayout, past: Past, outputs: Record<string, Float32Array>, rollouts: number): void {
    layout.lengths.forEach((length, read) => {
      const place = this.places;
      this.#putPrompt(place, read, layout, past, outputs);
      this.#promptLengths.push(length);
      for (let rollout = 0; rollout < rollouts; rollout++) this.#rows.push({ place, filled: 0 });
    });
  }

  #putPrompt(
    place: number,
    read: number,
    layout: PromptLayout,
    past: Past,
    outputs: Record<string, Float32Array>,
  ): void {
    const { F, C } = layout.symbols as { F: number; C: number };
    const { prefix } = layout;
    const shared = prefix - past.length;
    const length = layout.lengths[read]!;
    const width = this.#width;
    const readRows = layout.lengths.length;
    for (const { half, layer, prompt } of this.#ports) {
      const common = outputs[`prefix${half}.${layer}`]!;
      const own = outputs[`suffix${half}.${layer}`]!;
      for (let head = 0; head < this.#kv; head++) {
        const to = (place * this.#kv + head) * this.#promptLength * width;
        prompt.set(past.rows(`${half}.${layer}`, head), to);
        const from = head * F * width;
        prompt.set(common.subarray(from, from + shared * width), to + past.length * width);
        const ownFrom = (head * readRows + read) * C * width;
        prompt.set(own.subarray(ownFrom, ownFrom + (length - prefix) * width), to + prefix * width);
      }
    }
  }

  /** Outputs: `key.{l}`, `value.{l}` [R, kv, D]. */
  append(outputs: Record<string, Float32Array>): void {
    if (this.#rows.some(({ filled }) => filled === this.#length)) this.#resize(this.#length + growth);
    const starts = this.#rows.flatMap(({ filled }, row) =>
      Array.from({ length: this.#kv }, (_, head) => (row * this.#kv + head) * this.#length + filled),
    );
    for (const { half, layer, generated } of this.#ports)
      scatterRows(outputs[`${half.toLowerCase()}.${layer}`]!, generated, starts, this.#width);
    this.#rows = this.#rows.map(({ place, filled }) => ({ place, filled: filled + 1 }));
  }

  keep(rows: readonly number[]): void {
    const headSize = this.#length * this.#width;
    for (const { generated } of this.#ports)
      rows.forEach((from, to) => {
        if (from === to) return;
        const size = this.#rows[from]!.filled * this.#width;
        for (let head = 0; head < this.#kv; head++) {
          const start = (from * this.#kv + head) * headSize;
          generated.copyWithin((to * this.#kv + head) * headSize, start, start + size);
        }
      });
    this.#rows = rows.map((from) => this.#rows[from]!);
    const needed = Math.max(growth, ...this.#rows.map(({ filled }) => Math.ceil(filled / growth) * growth));
    // Only what is worth moving everything.
    if (needed <= this.#length / 2) this.#resize(needed);
    this.#giveUpPlaces();
  }

  #giveUpPlaces(): void {
    const used = new Set(this.#rows.map(({ place }) => place));
    const kept = closeGaps(this.#promptLengths.length, (place) => used.has(place));
    const size = this.#kv * this.#promptLength * this.#width;
    for (const { prompt } of this.#ports)
      kept.forEach((from, to) => {
        if (from !== to) prompt.copyWithin(to * size, from * size, (from + 1) * size);
      });
    this.#promptLengths = kept.map((from) => this.#promptLengths[from]!);
    const now = new Map(kept.map((from, to) => [from, to]));
    this.#rows = this.#rows.map(({ place, filled }) => ({ place: now.get(place)!, filled }));
  }

  /** The caches, masks that hide what is not filled, and where the rows stand in the grid of prompts. */
  feeds(): Feeds {
    const { R, N, G, P, L } = this.symbols;
    const promptMask = new Float32Array(N * P);
    this.#promptLengths.forEach((length, place) =>
      promptMask.fill(maskedScore, place * P + length, (place + 1) * P),
    );
    const generatedMask = new Float32Array(R * L);
    this.#rows.forEach(({ filled }, row) => generatedMask.fill(maskedScore, row * L + filled, (row + 1) * L));
    const slots = new BigInt64Array(R);
    const rows = new BigInt64Array(N * G);
    this.#ranks().forEach((rank, row) => {
      const slot = this.#rows[row]!.place * G + rank;
      slots[row] = BigInt(slot);
      rows[slot] = BigInt(row);
    });
    const feeds: Feeds = { slots, rows, promptMask, generatedMask };
    const rowOf = this.#kv * this.#width;
    for (const { half, layer, prompt, generated } of this.#ports) {
      feeds[`prompt${half}.${layer}`] = prompt.subarray(0, N * P * rowOf);
      feeds[`generated${half}.${layer}`] = generated.subarray(0, R * L * rowOf);
    }
    return feeds;
  }

  /** Which row of its place each row is. */
  #ranks(): number[] {
    const taken = new Map<number, number>();
    return this.#rows.map(({ place }) => {
      const rank = taken.get(place) ?? 0;
      taken.set(place, rank + 1);
      return rank;
    });
  }

  #resize(length: number): void {
    const [from, to] = [this.#length * this.#width, length * this.#width];
    const heads = this.#rows.length * this.#kv;
    const size = Math.min(from, to);
    for (const { generated } of this.#ports)
      for (let i = 1; i < heads; i++) {
        // Backwards when rows get longer, so that nothing is overwritten before it has moved.
        const head = to > from ? heads - i : i;
        generated.copyWithin(head * to, head * from, head * from + size);
      }
    this.#length = length;
  }
}

/** Puts the i-th row of `width` floats of `source` where `target` has its row `rows[i]`. */
function scatterRows(
  source: Float32Array,
  target: Float32Array,
  rows: readonly number[],
  width: number,
): void {
  // In pairs, which takes a third of the time: this is bound by the number of stores. Finite floats come out as they
  // went in, since no two of them make a NaN.
  const paired = width % 2 === 0 && source.byteOffset % 8 === 0 && target.byteOffset % 8 === 0;
  const [from, to] = [source, target].map((array) =>
    paired ? new Float64Array(array.buffer, array.byteOffset, Math.floor(array.length / 2)) : array,
  ) as [Float32Array | Float64Array, Float32Array | Float64Array];
  const words = paired ? width / 2 : width;
  let next = 0;
  for (const row of rows) {
    const start = row * words;
    for (let i = 0; i < words; i++) to[start + i] = from[next++]!;
  }
}

/** Arrays that the batches of one request use one after the other. */
export class CacheRoom {
  readonly #arrays = new Map<string, Float32Array>();

  /** An array of at least `size` floats, holding anything finite. */
  array(name: string, size: number): Float32Array {
    let array = this.#arrays.get(name);
    if (!array || array.length < size) this.#arrays.set(name, (array = new Float32Array(size)));
    return array;
  }
}
