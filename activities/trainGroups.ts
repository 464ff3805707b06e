import type { TrainingConfig } from '../workflows/contract/config.ts';
import type { GroupRow } from './artifacts/records.ts';
import type { TrainGroup } from './policy/policy.ts';

/**
 * The groups that an update trains on, in ordinal order: those that were not dropped. With `mask`, truncated answers
 * stay in their group but give no gradient (decision 26); each group has another, or it had been dropped as overlong.
 */
export function trainGroups(
  rows: readonly Pick<
    GroupRow,
    | 'ordinal'
    | 'dropped'
    | 'promptIds'
    | 'completionIds'
    | 'logProbs'
    | 'policyLogProbs'
    | 'advantage'
    | 'finishReason'
  >[],
  overlong: TrainingConfig['overlong'],
): TrainGroup[] {
  const groups = new Map<number, TrainGroup>();
  for (const row of rows) {
    if (row.dropped !== null) continue;
    const group = groups.get(row.ordinal) ?? { promptIds: row.promptIds, completions: [] };
    groups.set(row.ordinal, group);
    group.completions.push({
      tokenIds: row.completionIds,
      logProbs: row.logProbs,
      policyLogProbs: row.policyLogProbs,
      advantage: row.advantage,
      trained: overlong === 'train' || row.finishReason !== 'length',
    });
  }
  return [...groups.values()];
}
