import type { ModelConfig } from '../weights/types.ts';

/** Most tokens of a pass that reads a text from its start. */
export const passLimit = 2048;

/**
 * Most tokens of a pass that look at `past` earlier ones: `limit` where there are none, else fewer, so that a pass never
 * has more than limit² scores a head: c with c · (past + c) = limit².
 */
export function passTokens(past: number, limit: number): number {
  return Math.max(1, Math.floor((Math.hypot(past, 2 * limit) - past) / 2));
}

/**
 * Keys and values of tokens that were read before, with which all that is read next begins: inputs of `prefillProgram`
 * and `textLogProbProgram`, whose outputs make them longer. Nothing is changed in place.
 */
export class Past {
  private constructor(
    readonly config: ModelConfig,
    readonly tokenIds: readonly number[],
    /** `pastKey.{l}`, `pastValue.{l}` [1, kv, P, D]; without tokens one slot, to be hidden. */
    readonly feeds: Readonly<Record<string, Float32Array>>,
  ) {}

  static none(config: ModelConfig): Past {
    const slot = new Float32Array(config.keyValueHeads * config.headDim);
    return new Past(config, [], Object.fromEntries(portsOf(config).map((port) => [`past${port}`, slot])));
  }

  get length(): number {
    return this.tokenIds.length;
  }

  /** What one head has of a port such as `Key.7`: [count, D], by default of all tokens. */
  rows(port: string, head: number, count = this.length): Float32Array {
    const { headDim } = this.config;
    const start = head * this.length * headDim;
    return this.feeds[`past${port}`]!.subarray(start, start + count * headDim);
  }

  /** The first `length` tokens of these. */
  first(length: number): Past {
    if (length === this.length) return this;
    if (length === 0) return Past.none(this.config);
    return this.#made(this.tokenIds.slice(0, length), (port, head) => [this.rows(port, head, length)]);
  }

  /** With the tokens after these, which a pass has read: its outputs `suffixKey.{l}`, `suffixValue.{l}` [kv, 1, C, D]. */
  extended(tokenIds: readonly number[], outputs: Readonly<Record<string, Float32Array>>): Past {
    const size = tokenIds.length * this.config.headDim;
    return this.#made([...this.tokenIds, ...tokenIds], (port, head) => [
      this.rows(port, head),
      outputs[`suffix${port}`]!.subarray(head * size, (head + 1) * size),
    ]);
  }

  /** Of each port and head, the pieces one after the other. */
  #made(tokenIds: readonly number[], piecesOf: (port: string, head: number) => Float32Array[]): Past {
    const { keyValueHeads, headDim } = this.config;
    const feeds = portsOf(this.config).map((port): [string, Float32Array] => {
      const array = new Float32Array(keyValueHeads * tokenIds.length * headDim);
      let at = 0;
      for (let head = 0; head < keyValueHeads; head++)
        for (const piece of piecesOf(port, head)) {
          array.set(piece, at);
          at += piece.length;
        }
      return [`past${port}`, array];
    });
    return new Past(this.config, tokenIds, Object.fromEntries(feeds));
  }
}

/** `Key.{l}` and `Value.{l}` of all layers. */
function portsOf({ layers }: ModelConfig): string[] {
  return Array.from({ length: layers }, (_, layer) => [`Key.${layer}`, `Value.${layer}`]).flat();
}
