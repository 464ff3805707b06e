import type { SelectionOf } from '../../../workflows/contract/selection.ts';
import { insert } from '../insertion.ts';
import { countedScores, scoreAge } from '../scoreAge.ts';
import type { BufferEntry } from '../types.ts';
import type { Strategy } from './strategy.ts';

/** Logarithms of weights that are no more than proportional to probabilities; −∞ is never drawn. */
export type LogWeights = readonly number[];

/** Draws by weight, and keeps the entries of highest learnability, old scores counting as `maxScoreAge` has it. */
export function drawnByWeight(
  { staleness, maxScoreAge }: Pick<SelectionOf<'softmax' | 'plr-rank'>, 'staleness' | 'maxScoreAge'>,
  weigh: (buffer: readonly BufferEntry[], scores: readonly number[]) => LogWeights,
): Strategy {
  const logWeights = (buffer: readonly BufferEntry[], generation: number) =>
    mixedWithAge(
      weigh(buffer, countedScores(buffer, generation, maxScoreAge)),
      buffer,
      generation,
      staleness,
    );
  return {
    propose: (buffer, { generation, random }) =>
      withoutReplacement(buffer, logWeights(buffer, generation), random),
    observe: (buffer, observed) => insert(buffer, observed, maxScoreAge),
    metrics: (buffer, generation) => ({
      effectiveSampleSize: effectiveSampleSize(logWeights(buffer, generation)),
      ...(maxScoreAge !== undefined && {
        aged: buffer.filter((entry) => scoreAge(entry, generation) > maxScoreAge).length,
      }),
    }),
  };
}

/**
 * Entries in an order whose first k are a draw of k without replacement, in proportion to exp(logWeight) at each step:
 * sorted by logWeight + g with standard Gumbel noise g = −ln(−ln u) (Gumbel-top-k, decision 17).
 */
export function withoutReplacement(
  buffer: readonly BufferEntry[],
  logWeights: LogWeights,
  uniformOf: (instanceId: string) => number,
): BufferEntry[] {
  return buffer
    .map((entry, i) => ({ entry, key: logWeights[i]! - Math.log(-Math.log(uniformOf(entry.instance.id))) }))
    .filter((_, i) => logWeights[i]! > -Infinity)
    .sort((a, b) => (a.key === b.key ? 0 : a.key < b.key ? 1 : -1))
    .map(({ entry }) => entry);
}

/** exp(logWeight), scaled to a sum of 1. */
export function probabilities(logWeights: LogWeights): number[] {
  const largest = Math.max(...logWeights);
  const weights = logWeights.map((weight) => Math.exp(weight - largest));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** 1 / Σ P²: how many entries a draw is as good as evenly spread over; 0 for an empty buffer. */
export function effectiveSampleSize(logWeights: LogWeights): number {
  if (logWeights.length === 0) return 0;
  return 1 / probabilities(logWeights).reduce((sum, probability) => sum + probability ** 2, 0);
}

/**
 * P = (1 − ρ) P_S + ρ P_C, with P_C in proportion to the age of an entry's score in generations (prioritised level
 * replay, Jiang et al. 2021; decision 14). At ρ = 0 the weights come back as they are.
 */
export function mixedWithAge(
  logWeights: LogWeights,
  buffer: readonly BufferEntry[],
  generation: number,
  staleness: number,
): LogWeights {
  if (staleness === 0) return logWeights;
  const ages = buffer.map((entry) => scoreAge(entry, generation));
  const total = ages.reduce((sum, age) => sum + age, 0);
  if (total === 0) return logWeights;
  return probabilities(logWeights).map((probability, i) =>
    Math.log((1 - staleness) * probability + (staleness * ages[i]!) / total),
  );
}
