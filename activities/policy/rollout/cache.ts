import type { HeldFeeds, Results } from '../graph/program.ts';
import type { PromptLayout } from '../model/layout.ts';
import { maskedScore } from '../model/layout.ts';
import type { Past } from '../model/past.ts';
import type { ModelConfig } from '../weights/checkpoint.ts';

/** The rollouts a cache goes on with: for each prompt kept, its old place and which of its rollouts, ascending. */
export type Kept = readonly { place: number; rollouts: readonly number[] }[];

/** Generated lengths are rounded up to this many tokens, so that shapes change seldom. */
const growth = 16;

/** How large a cache may become. */
export interface CacheSize {
  places: number;
  rollouts: number;
  promptLength: number;
  maxNewTokens: number;
}

/** The keys and values of a batch, wherever they are; what its parts mean is said at `BatchCache`. */
export interface Cache {
  readonly places: number;
  readonly rollouts: number;
  readonly promptLength: number;
  readonly length: number;
  /**
   * Puts the prompts that `prefillProgram` read in a `layout`, after a past, at places, in order, with nothing generated
   * yet.
   */
  setPrompts(
    places: readonly number[],
    layout: PromptLayout,
    past: Past,
    outputs: Results['arrays'],
  ): void | Promise<void>;
  nextPosition(slot: number): number;
  append(slots: readonly number[], arrays: Results['arrays'], held: Results['held']): void | Promise<void>;
  keep(kept: Kept): void | Promise<void>;
  feeds(): HeldFeeds;
}

interface Port {
  half: 'Key' | 'Value';
  layer: number;
  prompt: Float32Array;
  generated: Float32Array;
}

/**
 * Keys and values as `decodeProgram` takes them: prompts [N, kv, P, D] at N places, generated tokens
 * [N, kv, G, L, D] in G slots a place, one array for each layer and half. Everything moves in place: the arrays are as
 * large as can ever be needed, and the front of each is what is fed.
 */
export class BatchCache implements Cache {
  /** N: places 0 … N − 1 are in use. */
  places = 0;
  /** G */
  rollouts: number;
  /** P */
  readonly promptLength: number;
  /** L */
  length = growth;

  /** Prompt tokens at each place. */
  readonly #promptLengths: number[] = [];
  /** Generated tokens in each slot. */
  #filled: number[] = [];
  readonly #kv: number;
  readonly #width: number;
  readonly #ports: Port[];

  constructor({ layers, keyValueHeads, headDim }: ModelConfig, size: CacheSize, room: CacheRoom) {
    this.rollouts = size.rollouts;
    this.promptLength = size.promptLength;
    this.#kv = keyValueHeads;
    this.#width = headDim;
    const rows = size.places * keyValueHeads;
    const longest = Math.ceil(size.maxNewTokens / growth) * growth;
    this.#ports = Array.from({ length: layers }, (_, layer) =>
      (['Key', 'Value'] as const).map((half) => ({
        half,
        layer,
        prompt: room.array(`prompt${half}.${layer}`, rows * size.promptLength * headDim),
        generated: room.array(`generated${half}.${layer}`, rows * size.rollouts * longest * headDim),
      })),
    ).flat();
  }

  setPrompts(
    places: readonly number[],
    layout: PromptLayout,
    past: Past,
    outputs: Record<string, Float32Array>,
  ): void {
    places.forEach((place, row) => this.setPrompt(place, row, layout, past, outputs));
  }

  /**
   * Puts the `row`-th prompt that `prefillProgram` read in a `layout`, after a past, at a place, with nothing generated
   * yet.
   */
  setPrompt(
    place: number,
    row: number,
    layout: PromptLayout,
    past: Past,
    outputs: Record<string, Float32Array>,
  ): void {
    const { F, C } = layout.symbols as { F: number; C: number };
    const { prefix } = layout;
    const shared = prefix - past.length;
    const length = layout.lengths[row]!;
    const width = this.#width;
    const readRows = layout.lengths.length;
    for (const { half, layer, prompt } of this.#ports) {
      const common = outputs[`prefix${half}.${layer}`]!;
      const own = outputs[`suffix${half}.${layer}`]!;
      for (let head = 0; head < this.#kv; head++) {
        const to = (place * this.#kv + head) * this.promptLength * width;
        prompt.set(past.rows(`${half}.${layer}`, head), to);
        const from = head * F * width;
        prompt.set(common.subarray(from, from + shared * width), to + past.length * width);
        const ownFrom = (head * readRows + row) * C * width;
        prompt.set(own.subarray(ownFrom, ownFrom + (length - prefix) * width), to + prefix * width);
      }
    }
    this.places = Math.max(this.places, place + 1);
    this.#promptLengths[place] = length;
    this.#filled.fill(0, place * this.rollouts, (place + 1) * this.rollouts);
    while (this.#filled.length < this.places * this.rollouts) this.#filled.push(0);
  }

  /** Generated tokens in a slot. */
  filled(slot: number): number {
    return this.#filled[slot]!;
  }

  /** The position of the next token in a slot. */
  nextPosition(slot: number): number {
    return this.#promptLengths[Math.floor(slot / this.rollouts)]! + this.#filled[slot]!;
  }

  /** Appends the newest token's key and value, outputs `key.{l}`, `value.{l}` [N, kv, G, D], in the given slots. */
  append(slots: readonly number[], outputs: Record<string, Float32Array>): void {
    if (slots.some((slot) => this.#filled[slot]! === this.length)) this.#grow();
    const width = this.#width;
    for (const { half, layer, generated } of this.#ports) {
      const source = outputs[`${half.toLowerCase()}.${layer}`]!;
      // Heads outside: rows then come in the order of memory, which takes half the time.
      for (let head = 0; head < this.#kv; head++)
        for (const slot of slots) {
          const row = this.#row(slot, head);
          const from = row * width;
          const to = (row * this.length + this.#filled[slot]!) * width;
          for (let i = 0; i < width; i++) generated[to + i] = source[from + i]!;
        }
    }
    for (const slot of slots) this.#filled[slot]!++;
  }

  /** Goes on with some of the prompts, and as many rollouts of each as `kept` names (the same number for all). */
  keep(kept: Kept): void {
    const rollouts = kept[0]?.rollouts.length ?? 0;
    const promptRow = this.#kv * this.promptLength * this.#width;
    const slotRow = this.length * this.#width;
    for (const { prompt, generated } of this.#ports) {
      // Rows only ever move towards the front, in order, so nothing is overwritten before it has moved.
      let to = 0;
      kept.forEach(({ place: from, rollouts: chosen }, place) => {
        if (from !== place) prompt.copyWithin(place * promptRow, from * promptRow, (from + 1) * promptRow);
        for (let head = 0; head < this.#kv; head++)
          for (const rollout of chosen) {
            const slot = from * this.rollouts + rollout;
            const at = this.#row(slot, head) * slotRow;
            if (at !== to) generated.copyWithin(to, at, at + this.#filled[slot]! * this.#width);
            to += slotRow;
          }
      });
    }
    this.#filled = kept.flatMap(({ place, rollouts: chosen }) =>
      chosen.map((rollout) => this.#filled[place * this.rollouts + rollout]!),
    );
    kept.forEach(({ place }, to) => (this.#promptLengths[to] = this.#promptLengths[place]!));
    this.places = kept.length;
    this.rollouts = rollouts;
  }

  /** The caches, and masks that hide what is not filled. */
  feeds(): Record<string, Float32Array> {
    const { places, rollouts, promptLength, length } = this;
    const promptMask = new Float32Array(places * promptLength);
    for (let place = 0; place < places; place++) {
      const start = place * promptLength;
      promptMask.fill(maskedScore, start + this.#promptLengths[place]!, start + promptLength);
    }
    const generatedMask = new Float32Array(places * rollouts * length);
    this.#filled.forEach((filled, slot) =>
      generatedMask.fill(maskedScore, slot * length + filled, (slot + 1) * length),
    );
    const promptSize = places * this.#kv * promptLength * this.#width;
    const generatedSize = places * this.#kv * rollouts * length * this.#width;
    const feeds: Record<string, Float32Array> = { promptMask, generatedMask };
    for (const { half, layer, prompt, generated } of this.#ports) {
      feeds[`prompt${half}.${layer}`] = prompt.subarray(0, promptSize);
      feeds[`generated${half}.${layer}`] = generated.subarray(0, generatedSize);
    }
    return feeds;
  }

  /** Where a slot's tokens of one head are in [N, kv, G]. */
  #row(slot: number, head: number): number {
    const place = Math.floor(slot / this.rollouts);
    return (place * this.#kv + head) * this.rollouts + (slot % this.rollouts);
  }

  #grow(): void {
    const from = this.length * this.#width;
    this.length += growth;
    const to = this.length * this.#width;
    const rows = this.places * this.#kv * this.rollouts;
    for (const { generated } of this.#ports)
      for (let row = rows - 1; row > 0; row--) generated.copyWithin(row * to, row * from, (row + 1) * from);
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
