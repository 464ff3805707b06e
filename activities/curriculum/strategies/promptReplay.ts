import type { SelectionOf } from '../../../workflows/contract/selection.ts';
import { insertBy, newestScoreFirst } from '../insertion.ts';
import { ranked } from '../statistics.ts';
import type { BufferEntry } from '../types.ts';
import type { Strategy } from './strategy.ts';

/**
 * Prompt replay: instances whose pass rate was neither too low nor too high come back after a rest, those that are
 * nearest to one half first, each only a few times. The newest are kept.
 */
export function promptReplay({ passRate, cooldown, maxVisits }: SelectionOf<'prompt-replay'>): Strategy {
  const fits = (entry: BufferEntry) =>
    entry.passRate >= passRate.low && entry.passRate <= passRate.high && entry.visits < maxVisits;
  const rested = ({ visitGeneration }: BufferEntry, generation: number) =>
    visitGeneration === null || generation - visitGeneration > cooldown;
  const nearness = (entry: BufferEntry) => -ranked(Math.abs(entry.passRate - 0.5));
  return {
    propose: (buffer, { generation, random }) =>
      buffer
        .filter((entry) => fits(entry) && rested(entry, generation))
        .map((entry) => ({ entry, tie: random(entry.instance.id) }))
        .sort((a, b) => nearness(b.entry) - nearness(a.entry) || a.tie - b.tie)
        .map(({ entry }) => entry),
    observe: (buffer, observed) => insertBy(newestScoreFirst, buffer, observed),
    metrics: (buffer, generation) => ({
      replayable: buffer.filter(fits).length,
      rested: buffer.filter((entry) => fits(entry) && rested(entry, generation)).length,
    }),
  };
}
