export type LoraTarget = 'q' | 'k' | 'v' | 'o' | 'gate' | 'up' | 'down';

/** A LoRA adapter's shape. W x becomes W x + (alpha / rank) B A x, with A [rank, in] and B [out, rank]. */
export interface LoraShape {
  rank: number;
  alpha: number;
  targets: readonly LoraTarget[];
}
