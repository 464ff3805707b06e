import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { BetweenSteps } from '../engine/protocol.ts';
import type { Completion, SampleOptions, SamplePrompt, Tokenizer } from '../policy.ts';
import type { ModelConfig } from '../weights/checkpoint.ts';
import { playQueue, type Decoder } from './batch.ts';
import { BatchCache, CacheRoom } from './cache.ts';
import { Rollout, type Rules } from './rollout.ts';
import { tokenSource } from './tokenSource.ts';
import { stopWatches } from './stopStrings.ts';
import { planQueues } from './queues.ts';

/** What sampling needs of the engine. */
export interface Sampling extends Omit<Decoder, 'tokens' | 'openCache'> {
  /** Keys and values are in this process's memory when left out. */
  openCache?: Decoder['openCache'];
  tokenizer: Pick<Tokenizer, 'decode' | 'stopTokenIds'>;
}

/** Most rollouts decoded together … */
const rowLimit = 128;
/** … and most bytes that their generated keys and values may come to; as many again those of all prompts held. */
const cacheBytes = 1.25 * 2 ** 30;

/**
 * G completions of each prompt, in order. A completion depends on its prompt, its key and the policy, on neither time
 * nor attempt; the same request gives the same bytes on the same kind of processor and thread count. Throws
 * `InvalidRunConfig` when a prompt leaves no room in the model's context, and `NonFiniteLoss` when the policy's
 * probabilities are not numbers.
 */
export async function generate(
  { tokenizer, ...policy }: Sampling,
  prompts: readonly SamplePrompt[],
  options: SampleOptions,
  betweenSteps: BetweenSteps,
): Promise<Completion[][]> {
  const { config } = policy;
  const room = new CacheRoom();
  const decoder: Decoder = {
    openCache: async (size) => new BatchCache(config, size, room),
    ...policy,
    tokens: tokenSource(options, config.vocabulary),
  };
  checkRoom(config, prompts, options.maxNewTokens);
  const rules: Rules = {
    maxNewTokens: options.maxNewTokens,
    stopTokens: new Set(tokenizer.stopTokenIds),
    newStopWatch: stopWatches(tokenizer, options.stopStrings),
  };
  const groups = prompts.map(({ keys }) => keys.map((key) => new Rollout(key, rules)));
  const all = groups.flat();
  const report = (phase: string) =>
    betweenSteps({
      phase,
      done: all.filter(({ finishReason }) => finishReason).length,
      total: all.length,
      tokens: all.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0),
    });

  const rows = rowsFor(config, options.maxNewTokens);
  for (const queue of planQueues(prompts, rows)) {
    const entries = queue.map(({ index, first, count }) => ({
      promptIds: prompts[index]!.tokenIds,
      rollouts: groups[index]!.slice(first, first + count),
    }));
    const longest = Math.max(...entries.map(({ promptIds }) => promptIds.length));
    const limits = { rows, places: placesFor(config, longest) };
    await playQueue(decoder, entries, limits, options.maxNewTokens, report);
  }
  return groups.map((group) =>
    group.map(({ tokenIds, logProbs, policyLogProbs, finishReason }) => ({
      tokenIds,
      logProbs,
      policyLogProbs,
      finishReason: finishReason!, // playQueue comes back when every rollout has one
    })),
  );
}

/** Rollouts that are decoded together, when each may get `maxNewTokens` tokens. */
export function rowsFor(config: ModelConfig, maxNewTokens: number): number {
  const room = Math.floor(cacheBytes / (maxNewTokens * bytesPerToken(config)));
  return Math.min(rowLimit, Math.max(1, room));
}

/** How many prompts of up to so many tokens may be held. */
export function placesFor(config: ModelConfig, promptLength: number): number {
  return Math.max(1, Math.floor(cacheBytes / (promptLength * bytesPerToken(config))));
}

/** Of keys and values. */
const bytesPerToken = ({ layers, keyValueHeads, headDim }: ModelConfig): number =>
  8 * layers * keyValueHeads * headDim;

function checkRoom(config: ModelConfig, prompts: readonly SamplePrompt[], maxNewTokens: number): void {
  prompts.forEach(({ tokenIds, keys }, index) => {
    if (tokenIds.length === 0 || keys.length === 0)
      throw new RangeError(`prompt ${index} needs at least one token and one key`);
    if (tokenIds.length + maxNewTokens > config.contextLength)
      throw new TypedFailure(
        'InvalidRunConfig',
        `prompt ${index} has ${tokenIds.length} tokens; with ${maxNewTokens} new ones that is more than the ` +
          `model's context of ${config.contextLength}: lower sampling.maxNewTokens or shorten the prompts`,
      );
  });
}
