import type { RunConfig, SamplingConfig } from '../workflows/contract/config.ts';
import { IterateResult, type IterateInput, type Place } from '../workflows/contract/steps.ts';
import { keys } from './artifacts/keys.ts';
import { once } from './artifacts/once.ts';
import { encodeRollouts } from './artifacts/parquet.ts';
import type { Plan } from './artifacts/records.ts';
import { secondsSince, withHeartbeat } from './boundary.ts';
import type { Dependencies } from './dependencies.ts';
import { playEpisodes } from './play.ts';
import type { SampleOptions } from './policy/policy.ts';
import { createPlanner, roomFor } from './sample.ts';
import { assertModel, blobOf, loadState, readJson } from './state.ts';

/** Plays each prompt of a shard G times with the head's policy, each to the end of its episode. */
export function iterate(dependencies: Dependencies) {
  return (input: IterateInput): Promise<IterateResult> =>
    withHeartbeat((call) => {
      const { store } = dependencies;
      const { runKey, head, place, shard } = input;
      const key = keys.step(runKey, place, 'iterate', shard.ordinal);
      return once(store, key, [head.hash, input.plan.sha256, shard], IterateResult, async () => {
        const started = performance.now();
        const state = await loadState(store, input);
        const { manifest, config } = state;
        const plan = (await readJson(store, input.plan)) as Plan;
        const device = await dependencies.device(config);
        const tokenizer = await dependencies.tokenizer(config.model);
        const domain = dependencies.openDomain(config.domain);
        const policy = manifest.observed.artifacts.policy;
        const options = optionsFor(place, config, domain.stopStrings);
        const rows = await playEpisodes(
          plan.prompts.slice(shard.first, shard.first + shard.count),
          {
            generate: (prompts, on) => device.generate(blobOf(store, policy), prompts, options, on),
            domain,
            plan: createPlanner(domain, tokenizer, config),
            room: roomFor(tokenizer, config.sampling.maxNewTokens),
            decode: (tokenIds) => tokenizer.decode(tokenIds),
            improvements: place.kind === 'evaluation' ? place.depth : 0,
          },
          { prefix: rolloutPrefix(place), generation: plan.generation, policy: policy.sha256 },
          call,
        );
        await assertModel(device, state);
        const ref = await store.put(
          keys.rollouts(runKey, place, shard.ordinal),
          encodeRollouts(rows),
          'application/vnd.apache.parquet',
        );
        const completionTokens = rows.reduce((sum, row) => sum + row.completionIds.length, 0);
        const seconds = secondsSince(started);
        return {
          rollouts: ref,
          completions: rows.length,
          completionTokens,
          truncated: rows.filter((row) => row.finishReason === 'length').length,
          seconds,
          tokensPerSecond: Math.round(completionTokens / Math.max(seconds, 0.001)),
        };
      });
    });
}

function optionsFor(
  place: Place,
  { sampling, evaluation }: RunConfig,
  stopStrings: readonly string[],
): SampleOptions {
  return {
    maxNewTokens: sampling.maxNewTokens,
    ...(place.kind === 'generation' || place.kind === 'drafts'
      ? { ...drawing(sampling), precision: sampling.precision }
      : { ...drawing(evaluation), precision: 'float32' }),
    stopStrings,
  };
}

/**
 * What the ids of a place's rollouts begin with. `g7/3/5`: generation 7, prompt 3, rollout 5; `g7/draft/3/0`: its first
 * draft. `e7/k2/3/0`: evaluation of generation 7 at depth 2; `e7-mine/k2/3/0`: the one named `mine`; `e7-mine/r/3/0`: its
 * independent answers.
 */
function rolloutPrefix(place: Place): string {
  switch (place.kind) {
    case 'generation':
      return `g${place.generation}`;
    case 'drafts':
      return `g${place.generation}/draft`;
    case 'evaluation':
      return `${evaluationOf(place)}/k${place.depth}`;
    case 'resampling':
      return `${evaluationOf(place)}/r`;
  }
}

const evaluationOf = ({ generation, name }: { generation: number; name?: string }) =>
  name === undefined ? `e${generation}` : `e${generation}-${name}`;

function drawing({ temperature, topK, topP }: Pick<SamplingConfig, 'temperature' | 'topK' | 'topP'>) {
  return { temperature, topK, topP };
}
