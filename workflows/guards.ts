import type { GuardsConfig } from './contract/config.ts';
import type { CommitResult } from './contract/steps.ts';

/**
 * What is wrong with the newest generation, one sentence each: numbers that nobody should train on without having
 * looked. A run of generations without reward is told of every `zeroRewardGenerations` generations.
 *
 * @param rewards mean rewards of the committed generations, this one last.
 */
export function alarmsOf(
  guards: GuardsConfig,
  { head, truncatedShare, failedShare, mismatch }: CommitResult,
  rewards: readonly number[],
): string[] {
  const { zeroRewardGenerations, truncatedShare: mostTruncated, graderErrorShare, meanMismatch } = guards;
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const barren = rewards.length - 1 - rewards.findLastIndex((reward) => reward > 0);
  const alarms: string[] = [];
  if (zeroRewardGenerations !== null && barren > 0 && barren % zeroRewardGenerations === 0)
    alarms.push(`no answer had any reward in ${barren} generations in a row (guards.zeroRewardGenerations)`);
  if (mostTruncated !== null && truncatedShare >= mostTruncated)
    alarms.push(`${percent(truncatedShare)} of the answers were cut off (guards.truncatedShare)`);
  if (graderErrorShare !== null && failedShare > graderErrorShare)
    alarms.push(`${percent(failedShare)} of the prompts could not be graded (guards.graderErrorShare)`);
  if (meanMismatch !== null && mismatch !== null && mismatch > meanMismatch)
    alarms.push(
      `sampler and learner differ by ${mismatch.toPrecision(2)} in the mean log-prob of a token (guards.meanMismatch)`,
    );
  return alarms.map((alarm) => `generation ${head.generation}: ${alarm}`);
}
