import { shaOf } from '../workflows/contract/ref.ts';
import {
  RefineResult,
  type DraftMetrics,
  type Place,
  type RefineInput,
} from '../workflows/contract/steps.ts';
import { readAnswers, type Answer } from './answers.ts';
import { keys } from './artifacts/keys.ts';
import { once } from './artifacts/once.ts';
import type { Plan } from './artifacts/records.ts';
import { refinementOf } from './curriculum/drafts.ts';
import { mean } from './curriculum/statistics.ts';
import type { Draw } from './curriculum/types.ts';
import type { Dependencies } from './dependencies.ts';
import { createPlanner, storePlan } from './sample.ts';
import { outcomeOf } from './score.ts';
import { loadState, readJson } from './state.ts';

/** Plans the refinements of a generation: an improve prompt on the best draft of each of its base tasks (iGRPO). */
export function refine(dependencies: Dependencies) {
  return async (input: RefineInput): Promise<RefineResult> => {
    const { store } = dependencies;
    const { runKey, head, generation } = input;
    const place: Place = { kind: 'generation', generation };
    const inputs = [head.hash, input.plan.sha256, input.rollouts.map(shaOf), input.graded.map(shaOf)];
    return once(store, keys.step(runKey, place, 'refine'), inputs, RefineResult, async () => {
      const started = performance.now();
      const { config } = await loadState(store, input);
      const drafted = (await readJson(store, input.plan)) as Plan;
      const drafts = await readAnswers(store, drafted, input.rollouts, input.graded);
      const domain = dependencies.openDomain(config.domain);
      const draws = drafted.prompts.map((prompt, ordinal) =>
        refinementOf(
          prompt,
          drafts[ordinal]!.map((draft) => outcomeOf(draft, prompt.instance, domain, new Map())),
          config.seed,
        ),
      );
      const planner = createPlanner(domain, await dependencies.tokenizer(config.model), config);
      const prompts = draws.map((draw) =>
        planner(draw, config.sampling.rolloutsPerPrompt, [
          config.seed,
          'rollout',
          generation,
          draw.instance.id,
        ]),
      );
      const plan: Plan = { schema: 1, generation, prompts, cursor: drafted.cursor };
      return {
        ...(await storePlan(dependencies, runKey, place, plan, config, started)),
        drafts: measure(drafted, drafts.flat(), draws),
      };
    });
  };
}

function measure({ prompts }: Plan, drafts: readonly Answer[], draws: readonly Draw[]): DraftMetrics {
  const refined = draws.filter(({ step }) => step === 'improve');
  return {
    meanQuality: mean(drafts.map(({ quality }) => quality ?? 0)),
    meanBestQuality: mean(refined.map(({ instance }) => instance.quality ?? 0)),
    refined: refined.length,
    truncated: drafts.filter((draft) => turnsOf(draft).some(({ finishReason }) => finishReason === 'length'))
      .length,
    failed: drafts.filter(({ error }) => error !== null).length,
    promptTokens: tokens([...prompts, ...drafts.flatMap(({ later }) => later)], 'promptIds'),
    completionTokens: tokens(drafts.flatMap(turnsOf), 'completionIds'),
  };
}

const turnsOf = (answer: Answer) => [answer, ...answer.later];

function tokens<Key extends string>(rows: readonly Record<Key, readonly number[]>[], key: Key): number {
  return rows.reduce((sum, row) => sum + row[key].length, 0);
}
