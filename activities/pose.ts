import { shaOf } from '../workflows/contract/ref.ts';
import { PlanResult } from '../workflows/contract/steps.ts';
import type { PoseInput } from '../workflows/contract/evaluationSteps.ts';
import { keys } from './artifacts/keys.ts';
import { once } from './artifacts/once.ts';
import { decodeRollouts } from './artifacts/parquet.ts';
import type { Plan, PlannedPrompt, RolloutRow } from './artifacts/records.ts';
import { baseInstance, instanceOf } from './curriculum/identity.ts';
import type { Draw } from './curriculum/types.ts';
import type { Dependencies } from './dependencies.ts';
import type { Domain } from './domains/domain.ts';
import { episodesOf, reply } from './episode.ts';
import { createPlanner, storePlan } from './sample.ts';
import { loadState, readJson } from './state.ts';

/**
 * Plans one depth of an evaluation: at k = 0 each held-out problem's own request, at k > 0 the improve prompt on
 * every answer of depth k − 1, whatever it scored. Where an episode goes on, `iterate` takes as many steps at each later
 * turn: with k steps at every turn, another history follows for each k. Or its independent answers: as many more first
 * answers to each problem as it gets iterates.
 */
export function pose(dependencies: Dependencies) {
  return async (input: PoseInput): Promise<PlanResult> => {
    const { store } = dependencies;
    const { runKey, head, place, previous, setting } = input;
    const inputs = [
      head.hash,
      place.kind === 'evaluation' ? place.depth : place.kind,
      previous?.rollouts.map(shaOf) ?? null,
      ...(setting ? [setting.sha256] : []),
    ];
    return once(store, keys.step(runKey, place, 'pose'), inputs, PlanResult, async () => {
      const started = performance.now();
      const { config } = await loadState(store, input);
      const { tasks, samplesPerTask, depth } = config.evaluation;
      const domain = dependencies.openDomain(config.domain);
      const plan = createPlanner(domain, await dependencies.tokenizer(config.model), config);
      const prompts: PlannedPrompt[] = [];
      const add = (
        draw: Omit<Draw, 'ordinal' | 'source'>,
        answers: number,
        identity: readonly (string | number)[],
      ) =>
        prompts.push(
          plan({ ...draw, ordinal: prompts.length, source: 'taskSet' }, answers, [config.seed, ...identity]),
        );
      if (previous && place.kind === 'evaluation') {
        const before = (await readJson(store, previous.plan)) as Plan;
        for (const ref of previous.rollouts)
          for (const [row] of episodesOf(await decodeRollouts(await store.read(ref), ref.key)))
            add({ step: 'improve', instance: nextInstance(domain, before, row) }, 1, [
              'evaluation',
              row.baseTaskId,
              place.depth === 1 ? row.rollout : row.ordinal,
              place.depth,
            ]);
      } else {
        const [answers, identity] =
          place.kind === 'evaluation'
            ? [samplesPerTask, (taskId: string) => ['evaluation', taskId, 0, place.depth]]
            : [samplesPerTask * depth, (taskId: string) => ['resampling', taskId]];
        for (const taskId of domain.taskIds('heldOut').slice(0, tasks))
          add(
            { step: 'base', instance: baseInstance(taskId, domain.task(taskId).request) },
            answers,
            identity(taskId),
          );
      }
      return storePlan(
        dependencies,
        runKey,
        place,
        { schema: 1, generation: head.generation, prompts, cursor: null },
        config,
        started,
      );
    });
  };
}

/** Where an answer leaves its problem: one iterate deeper. */
function nextInstance(domain: Domain, plan: Plan, row: RolloutRow) {
  const { instance } = plan.prompts[row.ordinal]!;
  return instanceOf({
    baseTaskId: row.baseTaskId,
    turn: row.turn,
    depth: row.depth + 1,
    history: reply(domain, row.baseTaskId, instance.history, row.completion).history,
    quality: null,
    parent: { instanceId: row.instanceId, rolloutId: row.rolloutId },
  });
}
