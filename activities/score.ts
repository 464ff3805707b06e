import { shaOf, type Ref } from '../workflows/contract/ref.ts';
import { ScoreResult, type Place, type ScoreInput } from '../workflows/contract/steps.ts';
import { canonicalBytes } from './artifacts/canonical.ts';
import { keys } from './artifacts/keys.ts';
import { once } from './artifacts/once.ts';
import { decodeEmbeddings, encodeGroups } from './artifacts/parquet.ts';
import type { GroupRow, Plan } from './artifacts/records.ts';
import type { Store } from './artifacts/store.ts';
import { secondsSince } from './boundary.ts';
import { scoreGroups } from './curriculum/score.ts';
import { bufferStatistics, mean, meanOrNull } from './curriculum/statistics.ts';
import type { Instance, Outcome } from './curriculum/types.ts';
import type { Dependencies } from './dependencies.ts';
import type { Domain } from './domains/domain.ts';
import { historyOf } from './episode.ts';
import { readAnswers, type Answer } from './answers.ts';
import { loadCurriculum, loadState, readJson } from './state.ts';

/** Rewards, advantages, learnability and the next curriculum: one pure function between a read and a write. */
export function score(dependencies: Dependencies) {
  return (input: ScoreInput): Promise<ScoreResult> => {
    const { store } = dependencies;
    const { runKey, generation } = input;
    const place: Place = { kind: 'generation', generation };
    const inputs = [
      input.head.hash,
      input.plan.sha256,
      input.rollouts.map(shaOf),
      input.graded.map(shaOf),
      input.embeddings.map(shaOf),
    ];
    return once(store, keys.step(runKey, place, 'score'), inputs, ScoreResult, async () => {
      const started = performance.now();
      const state = await loadState(store, input);
      const plan = (await readJson(store, input.plan)) as Plan;
      const answers = await readAnswers(store, plan, input.rollouts, input.graded);
      const embeddings = await readEmbeddings(store, input.embeddings);
      const domain = dependencies.openDomain(state.config.domain);
      const scored = scoreGroups({
        curriculum: await loadCurriculum(store, state),
        draws: plan.prompts.map(({ ordinal, step, source, instance }) => ({
          ordinal,
          step,
          source,
          instance,
        })),
        outcomes: answers.map((group, ordinal) =>
          group.map((answer) => outcomeOf(answer, plan.prompts[ordinal]!.instance, domain, embeddings)),
        ),
        config: state.config,
        domainReward: domain.rewardMode,
        generation,
        cursor: plan.cursor ?? { epoch: 0, position: 0 },
      });
      const rows = scored.groups.flatMap((group, ordinal) =>
        group.rollouts.flatMap(({ reward, advantage, diversity }, rollout): GroupRow[] => {
          const { later, ...answer } = answers[ordinal]![rollout]!;
          const { learnability, dropped } = group;
          const scores = { reward, advantage, diversity, learnability, dropped };
          return [answer, ...later].map((turn) => ({ ...answer, ...turn, ...scores }));
        }),
      );
      const [groups, curriculum] = await Promise.all([
        store.put(keys.groups(runKey, generation), encodeGroups(rows), 'application/vnd.apache.parquet'),
        store.put(keys.curriculum(runKey, generation), canonicalBytes(scored.curriculum), 'application/json'),
      ]);
      const buffer = bufferStatistics(scored.curriculum);
      return {
        groups,
        curriculum,
        meanReward: mean(scored.groups.map(({ meanReward }) => meanReward)),
        groupsWithSignal: scored.conservation.trained,
        conservation: scored.conservation,
        buffer,
        selection: scored.selection,
        meanDiversity: meanOrNull(
          rows.flatMap(({ diversity, dropped }) => (dropped === null ? (diversity ?? []) : [])),
        ),
        seconds: secondsSince(started),
      };
    });
  };
}

/** By rollout. */
async function readEmbeddings(store: Store, refs: readonly Ref[]): Promise<Map<string, number[]>> {
  const shards = await Promise.all(refs.map(async (ref) => decodeEmbeddings(await store.read(ref), ref.key)));
  return new Map(shards.flat().map(({ rolloutId, embedding }) => [rolloutId, embedding]));
}

/** An answer as the algorithm sees it; with its embedding, where there is one. */
export function outcomeOf(
  answer: Answer,
  instance: Instance,
  domain: Domain,
  embeddings: ReadonlyMap<string, number[]>,
): Outcome {
  const embedding = embeddings.get(answer.rolloutId);
  const turns = [answer, ...answer.later];
  const history = historyOf(domain, instance, turns);
  return {
    rolloutId: answer.rolloutId,
    quality: answer.quality ?? 0,
    response: answer.completion,
    feedback: history[instance.turn]?.feedback ?? null,
    laterTurns: history.slice(instance.turn + 1),
    truncated: turns.some(({ finishReason }) => finishReason === 'length'),
    failure: answer.error,
    ...(embedding && { embedding }),
  };
}
