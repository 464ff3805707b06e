import type { Symbols } from '../graph/dims.ts';
import type { Feeds } from '../graph/program.ts';
import { layoutGroups } from '../model/layout.ts';
import type { MicroBatch } from './batches.ts';
import type { Sequence } from './sequences.ts';

/** A micro-batch as arrays. Per-token arrays have R rows, one for each completion token and padding. */
export interface Prepared {
  symbols: Symbols;
  /** Token ids, positions and masks. */
  layout: Feeds;
  advantagesR: Float32Array;
  tokenWeightsR: Float32Array;
  /** μ: the probability each token was drawn with. */
  samplerLogProbsR: Float32Array;
  /** What the sampler said of each token before any cut. */
  policyLogProbsR: Float32Array;
  /** Rows that hold a trained token which was sampled, not replayed: what metrics are means over. */
  sampledRows: number[];
  /** Prompt and completion tokens, without padding. */
  tokens: number;
}

/** Lays out a micro-batch; `weights[group][completion]` is what one token of a completion weighs in the loss. */
export function prepare(
  batch: MicroBatch,
  groups: readonly Sequence[],
  weights: readonly (readonly number[])[],
): Prepared {
  const chosen = batch.map(({ group, completions }) => ({
    promptIds: groups[group]!.promptIds,
    completions: completions.map((completion) => ({
      ...groups[group]!.completions[completion]!,
      weight: weights[group]![completion]!,
    })),
  }));
  const layout = layoutGroups(
    chosen.map(({ promptIds, completions }) => ({
      promptIds,
      completions: completions.map(({ tokenIds }) => tokenIds),
    })),
  );
  const prepared: Prepared = {
    symbols: layout.symbols,
    layout: layout.feeds,
    advantagesR: new Float32Array(layout.rows),
    tokenWeightsR: new Float32Array(layout.rows),
    samplerLogProbsR: new Float32Array(layout.rows),
    policyLogProbsR: new Float32Array(layout.rows),
    sampledRows: [],
    tokens: 0,
  };
  chosen.forEach(({ promptIds, completions }, group) => {
    prepared.tokens += promptIds.length;
    completions.forEach((one, completion) => {
      const { advantage, weight, logProbs, policyLogProbs, tokenIds, replayed } = one;
      const { start, end } = layout.rowsOf(group, completion);
      prepared.tokens += tokenIds.length;
      prepared.advantagesR.fill(advantage, start, end);
      prepared.tokenWeightsR.fill(weight, start, end);
      prepared.samplerLogProbsR.set(logProbs, start);
      prepared.policyLogProbsR.set(policyLogProbs, start);
      if (!replayed) for (let row = start; row < end; row++) prepared.sampledRows.push(row);
    });
  });
  return prepared;
}
