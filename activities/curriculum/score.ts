import type { RunConfig } from '../../workflows/contract/config.ts';
import { TypedFailure } from '../../workflows/contract/failures.ts';
import { keyOf, uniform } from '../random.ts';
import { advantages } from './advantages.ts';
import { diversity, withBonus } from './diversity.ts';
import { expand, type Arrival } from './insertion.ts';
import { learnability } from './learnability.ts';
import { isExhausted, rewardOf, type RewardMode, type RewardRule, rewardModeOf } from './rewards.ts';
import { mean } from './statistics.ts';
import { strategyOf } from './strategies/index.ts';
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
  /** What the domain is made for. */
  domainReward: RewardMode;
  generation: number;
  /** Where the base-task cursor stands after the draws. */
  cursor: Curriculum['cursor'];
}

/** And after. */
export interface Scored {
  groups: ScoredGroup[];
  curriculum: Curriculum;
  conservation: Conservation;
  /** What the selection strategy says of itself, for the generation to come. */
  selection: Record<string, number>;
}

/** A run's curriculum before its first generation. */
export function emptyCurriculum(): Curriculum {
  return { schema: 2, generation: 0, buffer: [], cursor: { epoch: 0, position: 0 } };
}

/**
 * Everything between the grades and the update (ExIt §4, Algorithm 1 "Score" and "Update B"), for all groups of a
 * generation, in ordinal order:
 *
 *     quality → reward → learnability S, advantage;   B′ = B with m′ (S measured) and m+ (S inherited)
 *
 * 1. A group with equal rewards has no gradient: it is not trained on, but its S = 0 counts in B (decision 7).
 * 2. A group with a rollout that could not be graded is dropped as failed and leaves B as it is.
 * 3. Which finished rollouts grow instances is the configuration's `expand` (decision 10: the paper's Algorithm 1 shows
 *    a single rollout). Truncated answers never become instances (decision 23).
 * 4. What B keeps is the strategy's affair.
 * 5. `overlong: mask`: a truncated answer counts in S and in the advantages of its group, but gives no gradient
 *    (decision 26); a group that has only such answers is filtered.
 *
 * 6. The diversity bonus multiplies advantages after they are scaled, and never touches S (decision 25).
 *
 * Pure: same arguments, same result.
 *
 * @throws `ConservationViolated` when draws and rollouts do not match: a prompt without its G rollouts.
 */
export function scoreGroups({
  curriculum,
  draws,
  outcomes,
  config,
  domainReward,
  generation,
  cursor,
}: Generation): Scored {
  assertComplete(draws, outcomes, config.sampling.rolloutsPerPrompt);
  const { minHeadroom } = config.reward;
  const rule: RewardRule = { mode: rewardModeOf(config.reward, domainReward), minHeadroom };
  const groups = draws.map((draw, index) => scoreGroup(draw, outcomes[index]!, rule, config));
  const arrivals = draws.flatMap((draw, index): Arrival[] => {
    const { dropped, learnability: score, meanQuality: passRate } = groups[index]!;
    if (dropped === 'graderFailed') return [];
    const random = uniform(keyOf([config.seed, 'expand', generation, draw.ordinal]), 0);
    return [
      { instance: draw.instance, score, passRate, inherited: false },
      ...grow(draw, outcomes[index]!, config.curriculum, random).map((instance) => ({
        instance,
        score,
        passRate,
        inherited: true,
      })),
    ].filter(({ instance }) => !isExhausted(rule.mode, instance.quality));
  });
  const { selection, capacity, maxPerBaseTask } = config.curriculum;
  const observed = { arrivals, generation, capacity, maxPerBaseTask };
  const strategy = strategyOf(selection);
  const buffer = strategy.observe(curriculum.buffer, observed);
  return {
    groups,
    curriculum: { schema: 2, generation, buffer, cursor },
    conservation: conserve(groups, draws.length),
    selection: strategy.metrics(buffer, generation + 1),
  };
}

/** Rewards, advantages and learnability of one group. */
function scoreGroup(
  { ordinal, step, instance }: Draw,
  outcomes: readonly Outcome[],
  rule: RewardRule,
  { training: { advantage: kind, overlong }, curriculum: { scoreOn, diversityBonus } }: RunConfig,
): ScoredGroup {
  const failed = outcomes.some(({ failure }) => failure !== null);
  const rewardsG = outcomes.map(({ quality }) =>
    failed ? 0 : rewardOf(rule, step, quality, instance.quality),
  );
  const plainG = advantages(rewardsG, kind);
  const bonusG = diversityBonus && diversity(outcomes.map(embeddingOf), diversityBonus.scale);
  const advantagesG = bonusG ? withBonus(plainG, bonusG, diversityBonus.positiveOnly) : plainG;
  const equal = rewardsG.every((reward) => reward === rewardsG[0]);
  const masked = overlong === 'mask' && outcomes.every(({ truncated }) => truncated);
  return {
    ordinal,
    instanceId: instance.id,
    step,
    dropped: failed ? 'graderFailed' : equal ? 'noSignal' : masked ? 'overlong' : null,
    learnability: learnability(scoreOn === 'reward' ? rewardsG : outcomes.map(({ quality }) => quality)),
    // Sorted, so that it does not hang on which rollout was which.
    meanQuality: mean(outcomes.map(({ quality }) => quality).sort((a, b) => a - b)),
    meanReward: mean(rewardsG),
    rollouts: outcomes.map(({ rolloutId, quality }, rollout) => ({
      rolloutId,
      quality,
      reward: rewardsG[rollout]!,
      advantage: advantagesG[rollout]!,
      diversity: bonusG?.[rollout] ?? null,
    })),
  };
}

function embeddingOf({ rolloutId, embedding }: Outcome): ArrayLike<number> {
  if (!embedding) throw new TypedFailure('ArtifactMissing', `rollout ${rolloutId} was never embedded`);
  return embedding;
}

/** The instances m+ of a group; `random` in [0, 1) chooses among rollouts that are as good as each other. */
function grow(
  draw: Draw,
  outcomes: readonly Outcome[],
  { expand: which, selfIteration }: RunConfig['curriculum'],
  random: number,
): Instance[] {
  const finished = outcomes.filter(({ truncated }) => !truncated);
  const qualities = finished.map(({ quality }) => quality);
  const oneOf = (candidates: readonly Outcome[]) =>
    candidates.slice(Math.floor(random * candidates.length)).slice(0, 1);
  const at = (quality: number) => oneOf(finished.filter((outcome) => outcome.quality === quality));
  const [best, worst] = [Math.max(...qualities), Math.min(...qualities)];
  const chosen = {
    one: () => oneOf(finished),
    all: () => finished,
    best: () => at(best),
    worst: () => at(worst),
    stratified: () => (best === worst ? at(best) : [...at(best), ...at(worst)]),
  }[which]();
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
