import { draftsOf } from '../workflows/contract/selection.ts';
import type { From, Place, PlanResult, Shard } from '../workflows/contract/steps.ts';
import { PlanResult as PlanResultSchema } from '../workflows/contract/steps.ts';
import type { RunConfig, SamplingConfig } from '../workflows/contract/config.ts';
import { canonicalBytes } from './artifacts/canonical.ts';
import { keys } from './artifacts/keys.ts';
import { once } from './artifacts/once.ts';
import type { Plan, PlannedPrompt } from './artifacts/records.ts';
import { secondsSince } from './boundary.ts';
import { stepMessages } from './curriculum/prompts.ts';
import { select } from './curriculum/selection.ts';
import type { Draw } from './curriculum/types.ts';
import type { Dependencies } from './dependencies.ts';
import type { Domain } from './domains/domain.ts';
import type { Tokenizer } from './policy/policy.ts';
import { keyOf, keyToHex, type Identity } from './random.ts';
import { loadCurriculum, loadState } from './state.ts';

/**
 * Chooses the generation's instances and step kinds, renders their prompts, and fixes their token ids. With a draft
 * stage these are the prompts of the drafts.
 */
export function sample(dependencies: Dependencies) {
  return async (from: From): Promise<PlanResult> => {
    const { store } = dependencies;
    const generation = from.head.generation + 1;
    const place: Place = { kind: 'generation', generation };
    return once(
      store,
      keys.step(from.runKey, place, 'sample'),
      from.head.hash,
      PlanResultSchema,
      async () => {
        const started = performance.now();
        const state = await loadState(store, from);
        const { config } = state;
        const domain = dependencies.openDomain(config.domain);
        const { draws, cursor } = select(await loadCurriculum(store, state), config.curriculum, {
          seed: config.seed,
          generation,
          prompts: config.sampling.promptsPerGeneration,
          taskIds: domain.taskIds('train'),
          begin: (taskId) => domain.task(taskId).request,
        });
        const planner = createPlanner(domain, await dependencies.tokenizer(config.model), config);
        const drafts = draftsOf(config.curriculum.selection);
        const prompts = draws.map((draw) =>
          planner(draw, drafts ?? config.sampling.rolloutsPerPrompt, [
            config.seed,
            // A task without a usable draft is played again, to other answers.
            drafts === null ? 'rollout' : 'draft',
            generation,
            draw.instance.id,
          ]),
        );
        const plan: Plan = { schema: 1, generation, prompts, cursor };
        const planPlace: Place = drafts === null ? place : { kind: 'drafts', generation };
        return storePlan(dependencies, from.runKey, planPlace, plan, config, started);
      },
    );
  };
}

/** Writes a plan and cuts it into shards. */
export async function storePlan(
  dependencies: Dependencies,
  runKey: string,
  place: Place,
  plan: Plan,
  config: RunConfig,
  started: number,
): Promise<PlanResult> {
  const ref = await dependencies.store.put(
    keys.plan(runKey, place),
    canonicalBytes(plan),
    'application/json',
  );
  const byStep: Record<string, number> = {};
  for (const { step } of plan.prompts) byStep[step] = (byStep[step] ?? 0) + 1;
  return {
    plan: ref,
    shards: shardsOf(plan.prompts, config.sampling),
    prompts: byStep,
    promptTokens: plan.prompts.reduce((sum, prompt) => sum + prompt.promptIds.length, 0),
    seconds: secondsSince(started),
  };
}

function shardsOf(prompts: PlannedPrompt[], sampling: SamplingConfig): Shard[] {
  const perShard = promptsInShard(prompts[0]?.seeds.length ?? 1, sampling);
  return Array.from({ length: Math.ceil(prompts.length / perShard) }, (_, ordinal) => {
    const first = ordinal * perShard;
    return { ordinal, first, count: Math.min(perShard, prompts.length - first) };
  });
}

/**
 * How many prompts with so many rollouts each make a shard: as many rollouts as `promptsPerShard` prompts of training
 * have. The engine is fast on many rows, and an evaluation plays its prompts only once.
 */
export function promptsInShard(
  rollouts: number,
  { promptsPerShard, rolloutsPerPrompt }: SamplingConfig,
): number {
  return Math.max(1, Math.floor((promptsPerShard * rolloutsPerPrompt) / rollouts));
}

/**
 * Returns the function that turns a draw into a planned prompt: messages, chat template, token ids, and one random
 * key for each rollout, made from the rollout's identity and nothing else (invariant 3). A response is quoted in at most
 * as many tokens as an answer may have, and in fewer when the prompt would leave no room for the next one (decision 23).
 */
export function createPlanner(domain: Domain, tokenizer: Tokenizer, config: RunConfig) {
  const { maxNewTokens } = config.sampling;
  const room = roomFor(tokenizer, maxNewTokens);
  return (draw: Draw, rollouts: number, identity: Identity): PlannedPrompt => {
    const { instance, step, source, ordinal } = draw;
    const task = domain.task(instance.baseTaskId);
    const render = (responseBudget: number) => {
      const messages = stepMessages(instance, step, {
        quote: domain.quote,
        templates: config.curriculum.prompts,
        countTokens: (text) => tokenizer.encode(text).length,
        responseBudget,
      });
      const promptText = tokenizer.renderPrompt(messages);
      return { promptText, promptIds: tokenizer.encode(promptText) };
    };
    let prompt = render(maxNewTokens);
    if (prompt.promptIds.length > room)
      prompt = render(Math.max(0, Math.min(maxNewTokens, room - render(0).promptIds.length)));
    return {
      ordinal,
      step,
      source,
      instanceId: instance.id,
      parentInstanceId: instance.parent?.instanceId ?? null,
      parentRolloutId: instance.parent?.rolloutId ?? null,
      baseTaskId: instance.baseTaskId,
      family: task.family,
      gold: task.gold,
      turn: instance.turn,
      depth: instance.depth,
      ...prompt,
      seeds: Array.from({ length: rollouts }, (_, rollout) => keyToHex(keyOf([...identity, rollout]))),
      instance,
    };
  };
}

/** Most tokens of a prompt that leaves room for its answer. */
export function roomFor({ contextLength }: Tokenizer, maxNewTokens: number): number {
  return contextLength === null ? Infinity : contextLength - maxNewTokens;
}
