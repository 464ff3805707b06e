import type { SelectionOf } from '../../../workflows/contract/selection.ts';
import { insertBy, newestScoreFirst } from '../insertion.ts';
import type { BufferEntry } from '../types.ts';
import type { Strategy } from './strategy.ts';

type Pool = 'easy' | 'normal' | 'hard';

/**
 * Difficulty pools (prime-rl): an instance is easy, normal or hard by its newest pass rate. Of the draws a share comes
 * from the easy ones and a share from the hard ones, the rest from the normal ones; within a pool all are equally
 * likely. What one pool lacks comes from the others; a pool without a share is never drawn from.
 */
export function difficultyPool(config: SelectionOf<'difficulty-pool'>): Strategy {
  const poolOf = ({ passRate }: BufferEntry): Pool =>
    passRate >= config.easyFrom ? 'easy' : passRate <= config.hardUpTo ? 'hard' : 'normal';
  const shares = {
    easy: config.easyShare,
    hard: config.hardShare,
    normal: Math.max(0, 1 - (config.easyShare + config.hardShare)),
  };
  const inPool = (buffer: readonly BufferEntry[], pool: Pool) =>
    buffer.filter((entry) => poolOf(entry) === pool);
  return {
    propose(buffer, { random }) {
      const shuffled = (pool: Pool) =>
        inPool(buffer, pool)
          .map((entry) => ({ entry, key: random(entry.instance.id) }))
          .sort((a, b) => a.key - b.key)
          .map(({ entry }) => entry);
      // Each pool's i-th entry is due when its share of the draws so far has reached i: so any number of draws is in
      // proportion, as nearly as whole draws can be.
      return (['normal', 'hard', 'easy'] as const)
        .flatMap((pool) =>
          shuffled(pool).map((entry, i) => ({
            entry,
            due: shares[pool] > 0 ? (i + 0.5) / shares[pool] : Infinity,
          })),
        )
        .filter(({ due }) => due < Infinity)
        .sort((a, b) => a.due - b.due)
        .map(({ entry }) => entry);
    },
    observe: (buffer, observed) => insertBy(newestScoreFirst, buffer, observed),
    metrics: (buffer) => ({
      easy: inPool(buffer, 'easy').length,
      normal: inPool(buffer, 'normal').length,
      hard: inPool(buffer, 'hard').length,
    }),
  };
}
