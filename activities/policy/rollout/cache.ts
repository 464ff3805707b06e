import type { ModelConfig } from '../weights/checkpoint.ts';

/** The rollouts a cache goes on with: for each prompt kept, its old place and which of its rollouts, ascending. */
export type Kept = readonly { prompt: number; rollouts: readonly number[] }[];

/** Generated lengths are rounded up to this many tokens, so that shapes change seldom. */
const growth = 16;

/**
 * Keys and values of one wave, as `decodeProgram` takes them: prompts [N, kv, P, D] and generated tokens
 * [N, kv, G, L, D], one array for each layer and half. Everything moves in place: the arrays are as large as the
 * wave can ever need, and the front of each is what is fed.
 */
export class WaveCache {
  prompts: number;
  rollouts: number;
  /** P */
  readonly promptLength: number;
  /** L, of which `filled` are real. */
  length = growth;
  filled = 0;

  readonly #kv: number;
  readonly #width: number;
  readonly #prompt: Record<string, Float32Array>;
  readonly #generated: Record<string, Float32Array>;
  readonly #ports: { prompt: string; generated: string; output: string }[];

  constructor(
    { layers, keyValueHeads, headDim }: ModelConfig,
    size: { prompts: number; rollouts: number; promptLength: number; maxNewTokens: number },
    room: CacheRoom,
  ) {
    this.prompts = size.prompts;
    this.rollouts = size.rollouts;
    this.promptLength = size.promptLength;
    this.#kv = keyValueHeads;
    this.#width = headDim;
    const longest = Math.ceil(size.maxNewTokens / growth) * growth;
    const promptSize = size.prompts * keyValueHeads * size.promptLength * headDim;
    const generatedSize = size.prompts * keyValueHeads * size.rollouts * longest * headDim;
    this.#ports = Array.from({ length: layers }, (_, layer) =>
      (['Key', 'Value'] as const).map((half) => ({
        prompt: `prompt${half}.${layer}`,
        generated: `generated${half}.${layer}`,
        output: `${half.toLowerCase()}.${layer}`,
      })),
    ).flat();
    this.#prompt = Object.fromEntries(
      this.#ports.map(({ prompt }) => [prompt, room.array(prompt, promptSize)]),
    );
    this.#generated = Object.fromEntries(
      this.#ports.map(({ generated }) => [generated, room.array(generated, generatedSize)]),
    );
  }

  /** Takes in what `prefillProgram` gave for the prompts from `first` on, padded to `length` there. */
  setPrompts(first: number, length: number, outputs: Record<string, Float32Array>): void {
    const from = length * this.#width;
    const to = this.promptLength * this.#width;
    for (const { prompt } of this.#ports) {
      const source = outputs[prompt]!;
      const target = this.#prompt[prompt]!;
      let at = first * this.#kv * to;
      for (let row = 0; row < source.length; row += from, at += to)
        target.set(source.subarray(row, row + Math.min(from, to)), at);
    }
  }

  /** Appends the newest token's key and value, outputs `key.{l}`, `value.{l}` [N, kv, G, D], of every rollout. */
  append(outputs: Record<string, Float32Array>): void {
    if (this.filled === this.length) this.#grow();
    const width = this.#width;
    const stride = this.length * width;
    for (const { generated, output } of this.#ports) {
      const source = outputs[output]!;
      const target = this.#generated[generated]!;
      let at = this.filled * width;
      for (let row = 0; row < source.length; row += width, at += stride)
        for (let i = 0; i < width; i++) target[at + i] = source[row + i]!;
    }
    this.filled++;
  }

  /** Goes on with some of the prompts, and as many rollouts of each as `kept` names (the same number for all). */
  keep(kept: Kept): void {
    const rollouts = kept[0]?.rollouts.length ?? 0;
    const promptRow = this.#kv * this.promptLength * this.#width;
    const row = this.length * this.#width;
    for (const { prompt, generated } of this.#ports) {
      const prompts = this.#prompt[prompt]!;
      const tokens = this.#generated[generated]!;
      // Rows only ever move towards the front, in order, so nothing is overwritten before it has moved.
      let to = 0;
      kept.forEach(({ prompt: from, rollouts: chosen }, place) => {
        if (from !== place) prompts.copyWithin(place * promptRow, from * promptRow, (from + 1) * promptRow);
        for (let head = 0; head < this.#kv; head++)
          for (const rollout of chosen) {
            const at = ((from * this.#kv + head) * this.rollouts + rollout) * row;
            if (at !== to) tokens.copyWithin(to, at, at + this.filled * this.#width);
            to += row;
          }
      });
    }
    this.prompts = kept.length;
    this.rollouts = rollouts;
  }

  /** The caches as feeds. */
  feeds(): Record<string, Float32Array> {
    const { prompts, rollouts, promptLength, length } = this;
    const promptSize = prompts * this.#kv * promptLength * this.#width;
    const generatedSize = prompts * this.#kv * rollouts * length * this.#width;
    const feeds: Record<string, Float32Array> = {};
    for (const { prompt, generated } of this.#ports) {
      feeds[prompt] = this.#prompt[prompt]!.subarray(0, promptSize);
      feeds[generated] = this.#generated[generated]!.subarray(0, generatedSize);
    }
    return feeds;
  }

  #grow(): void {
    const from = this.length * this.#width;
    this.length += growth;
    const to = this.length * this.#width;
    const rows = this.prompts * this.#kv * this.rollouts;
    for (const { generated } of this.#ports) {
      const tokens = this.#generated[generated]!;
      for (let row = rows - 1; row > 0; row--) tokens.copyWithin(row * to, row * from, (row + 1) * from);
    }
  }
}

/** Arrays that the waves of one request use one after the other. */
export class CacheRoom {
  readonly #arrays = new Map<string, Float32Array>();

  /** An array of at least `size` floats, holding anything finite. */
  array(name: string, size: number): Float32Array {
    let array = this.#arrays.get(name);
    if (!array || array.length < size) this.#arrays.set(name, (array = new Float32Array(size)));
    return array;
  }
}
