import type { SelectionOf } from '../../../workflows/contract/selection.ts';
import { insertBy, type Rank } from '../insertion.ts';
import { mean, ranked } from '../statistics.ts';
import type { BufferEntry } from '../types.ts';
import type { Strategy } from './strategy.ts';

/** p̂ (1 − p̂), the variance that a pass rate of p̂ makes one expect. */
const priority = ({ passRate }: BufferEntry): number => passRate * (1 - passRate);

const byPriority: Rank = (a, b) => ranked(priority(b)) - ranked(priority(a));

const highestPriorityFirst: Rank = (a, b) => byPriority(a, b) || b.scoreGeneration - a.scoreGeneration;

/**
 * PR-GRPO (arXiv:2601.02648): the instances of highest p̂ (1 − p̂) first, with p̂ a moving average of their pass rates.
 * What is solved, or hopeless, would never be seen again; so whatever was not visited for `retestAfter` generations
 * comes first, the longest unvisited before all. A full buffer gives up the lowest p̂ (1 − p̂), tested again or not: for
 * the paper's heap of all problems it must have room for the task set.
 */
export function prGrpo({ smoothing, retestAfter }: SelectionOf<'pr-grpo'>): Strategy {
  const unvisited = (entry: BufferEntry, generation: number) =>
    generation - (entry.visitGeneration ?? entry.firstGeneration);
  const due = (entry: BufferEntry, generation: number) => unvisited(entry, generation) >= retestAfter;
  return {
    propose: (buffer, { generation, random }) =>
      buffer
        .map((entry) => ({
          entry,
          waited: due(entry, generation) ? unvisited(entry, generation) : 0,
          tie: random(entry.instance.id),
        }))
        .sort((a, b) => b.waited - a.waited || byPriority(a.entry, b.entry) || a.tie - b.tie)
        .map(({ entry }) => entry),
    observe: (buffer, observed) => insertBy(highestPriorityFirst, buffer, observed, smoothing),
    metrics: (buffer, generation) => ({
      due: buffer.filter((entry) => due(entry, generation)).length,
      meanPriority: mean(buffer.map(priority)),
    }),
  };
}
