import type { RunConfig } from '../../workflows/contract/config.ts';
import { TypedFailure } from '../../workflows/contract/failures.ts';
import { keyOf, uniform } from '../random.ts';
import { advantages } from './advantages.ts';
import { expand, insert, type Arrival } from './insertion.ts';
import { learnability } from './learnability.ts';
import { isExhausted, rewardOf, type RewardMode } from './rewards.ts';
import type { Conservation, Curriculum, Draw, Instance, Outcome, ScoredGroup } from './types.ts';

/** One generation as the algorithm sees it, before scoring. */
export interface Generation {
  /** As it was when the draws were made. */
  curriculum: Curriculum;
  /** In ordinal order. */
  draws: readonly Draw[];
  /** G finished rollouts for each draw, in the same order. */
  outcomes: readonly (readonly Outcome[])[];
  config: RunConfig;
  rewardMode: RewardMode;
  generation: number;
  /** Where the base-task cursor stands after the draws. */
  cursor: Curriculum['cursor'];
}

/** A run's curriculum before its first generation. */
export function emptyCurriculum(): Curriculum {
  return { schema: 1, generation: 0, buffer: [], cursor: { epoch: 0, position: 0 } };
}

/**
 * Everything between the grades and the update (ExIt §4, Algorithm 1 "Score" and "Update B"), for all groups of a
 * generation, in ordinal order:
 *
 *     quality → reward → learnability S, advantage;   B′ = B with m′ (S measured) and m+ (S inherited)
 *
 * 1. A group with equal rewards has no gradient: it is not trained on, but its S = 0 counts in B (decision 7).
 * 2. A group with a rollout that could not be graded is dropped as failed and leaves B as it is.
 * 3. `expand: one` grows an instance from one uniformly random finished rollout, `all` from each (decision 10: the
 *    paper's Algorithm 1 shows a single rollout). Truncated answers never become instances (decision 23).
 * 4. At p = 0 nothing is ever selected from B, so none is kept.
 * 5. `overlong: mask`: a truncated answer counts in S and in the advantages of its group, but gives no gradient
 *    (decision 26); a group that has only such answers is filtered.
 *
 * Pure: same arguments, same result.
 *
 * @throws `ConservationViolated` when draws and rollouts do not match: a prompt without its G rollouts.
 */
export function scoreGeneration({
  curriculum,
  draws,
  outcomes,
  config,
  rewardMode,
  generation,
  cursor,
}: Generation): { groups: ScoredGroup[]; curriculum: Curriculum; conservation: Conservation } {
  assertComplete(draws, outcomes, config.sampling.rolloutsPerPrompt);
  const groups = draws.map((draw, index) => scoreGroup(draw, outcomes[index]!, rewardMode, config.training));
  const arrivals = draws.flatMap((draw, index): Arrival[] => {
    const { dropped, learnability: score } = groups[index]!;
    if (dropped === 'graderFailed') return [];
    const random = uniform(keyOf([config.seed, 'expand', generation, draw.ordinal]), 0);
    return [
      { instance: draw.instance, score, inherited: false },
      ...grow(draw, outcomes[index]!, config.curriculum, random).map((instance) => ({
        instance,
        score,
        inherited: true,
      })),
    ].filter(({ instance }) => !isExhausted(rewardMode, instance.quality));
  });
  const buffer =
    config.curriculum.selectProbability > 0
      ? insert(curriculum.buffer, arrivals, { capacity: config.curriculum.capacity, generation })
      : [];
  return {
    groups,
    curriculum: { schema: 1, generation, buffer, cursor },
    conservation: conserve(groups, draws.length),
  };
}

/** Rewards, advantages and learnability of one group. */
function scoreGroup(
  { ordinal, step, instance }: Draw,
  outcomes: readonly Outcome[],
  mode: RewardMode,
  { advantage: kind, overlong }: RunConfig['training'],
): ScoredGroup {
  const failed = outcomes.some(({ failure }) => failure !== null);
  const rewardsG = outcomes.map(({ quality }) =>
    failed ? 0 : rewardOf(mode, step, quality, instance.quality),
  );
  const advantagesG = advantages(rewardsG, kind);
  const equal = rewardsG.every((reward) => reward === rewardsG[0]);
  const masked = overlong === 'mask' && outcomes.every(({ truncated }) => truncated);
  return {
    ordinal,
    instanceId: instance.id,
    step,
    dropped: failed ? 'graderFailed' : equal ? 'noSignal' : masked ? 'overlong' : null,
    learnability: learnability(rewardsG),
    meanQuality: mean(outcomes.map(({ quality }) => quality)),
    meanReward: mean(rewardsG),
    rollouts: outcomes.map(({ rolloutId, quality }, rollout) => ({
      rolloutId,
      quality,
      reward: rewardsG[rollout]!,
      advantage: advantagesG[rollout]!,
    })),
  };
}

/** The instances m+ of a group; `random` in [0, 1) chooses the rollout of `expand: one`. */
function grow(
  draw: Draw,
  outcomes: readonly Outcome[],
  { expand: which, selfIteration }: RunConfig['curriculum'],
  random: number,
): Instance[] {
  const finished = outcomes.filter(({ truncated }) => !truncated);
  const one = Math.floor(random * finished.length);
  const chosen = which === 'all' ? finished : finished.slice(one, one + 1);
  return chosen.flatMap((outcome) => expand(draw, outcome, selfIteration));
}

/** Prompts by what became of their groups (invariant 5). */
function conserve(groups: readonly ScoredGroup[], drawn: number): Conservation {
  const count = (reason: ScoredGroup['dropped']) => groups.filter(({ dropped }) => dropped === reason).length;
  const [overlong, graderFailed] = [count('overlong'), count('graderFailed')];
  return {
    drawn,
    trained: count(null),
    withoutSignal: count('noSignal'),
    filtered: overlong > 0 ? { overlong } : {},
    failed: graderFailed > 0 ? { graderFailed } : {},
  };
}

function assertComplete(
  draws: readonly Draw[],
  outcomes: readonly (readonly Outcome[])[],
  rollouts: number,
): void {
  if (outcomes.length !== draws.length)
    throw new TypedFailure(
      'ConservationViolated',
      `${draws.length} prompts were drawn but ${outcomes.length} groups came back`,
    );
  const seen = new Set<string>();
  for (const [index, group] of outcomes.entries()) {
    if (group.length !== rollouts)
      throw new TypedFailure(
        'ConservationViolated',
        `prompt ${draws[index]!.ordinal} has ${group.length} rollouts, not ${rollouts}`,
      );
    for (const { rolloutId } of group) {
      if (seen.has(rolloutId))
        throw new TypedFailure('ConservationViolated', `rollout ${rolloutId} came back twice`);
      seen.add(rolloutId);
    }
  }
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}
