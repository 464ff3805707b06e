import type { TrainingConfig } from '../workflows/contract/config.ts';
import type { GroupRow } from './artifacts/records.ts';
import { episodesOf } from './episode.ts';
import type { TrainGroup } from './policy/policy.ts';

type Row = Pick<
  GroupRow,
  | 'rolloutId'
  | 'ordinal'
  | 'dropped'
  | 'promptIds'
  | 'completionIds'
  | 'logProbs'
  | 'policyLogProbs'
  | 'advantage'
  | 'finishReason'
>;

/** The answers that a group's prompt replays, by its ordinal, where they are trained. */
type ReplayedOf = (ordinal: number) => NonNullable<TrainGroup['replayed']>;

/**
 * The groups that an update trains on, in ordinal order: those that were not dropped. With `mask`, truncated rollouts
 * stay in their group but give no gradient in any of their turns (decision 26); each group has another, or it had been
 * dropped as overlong.
 */
export function trainGroups(
  rows: readonly Row[],
  overlong: TrainingConfig['overlong'],
  replayedOf: ReplayedOf = () => [],
): TrainGroup[] {
  const groups = new Map<number, TrainGroup>();
  for (const [row, ...later] of episodesOf(rows.filter(({ dropped }) => dropped === null))) {
    const group = groups.get(row.ordinal) ?? groupOf(row, replayedOf(row.ordinal));
    groups.set(row.ordinal, group);
    const truncated = [row, ...later].some(({ finishReason }) => finishReason === 'length');
    group.completions.push({
      ...sampledOf(row),
      advantage: row.advantage,
      trained: overlong === 'train' || !truncated,
      ...(later.length > 0 && {
        laterTurns: later.map((turn) => ({ promptIds: turn.promptIds, ...sampledOf(turn) })),
      }),
    });
  }
  return [...groups.values()];
}

const groupOf = ({ promptIds }: Row, replayed: ReturnType<ReplayedOf>): TrainGroup => ({
  promptIds,
  ...(replayed.length > 0 && { replayed }),
  completions: [],
});

const sampledOf = ({ completionIds, logProbs, policyLogProbs }: Row) => ({
  tokenIds: completionIds,
  logProbs,
  policyLogProbs,
});
