import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { BetweenSteps } from '../engine/protocol.ts';
import type { Completion, SampleOptions, SamplePrompt, Tokenizer } from '../policy.ts';
import type { ModelConfig } from '../weights/checkpoint.ts';
import { CacheRoom } from './cache.ts';
import { Rollout, type Rules } from './rollout.ts';
import { stopWatches } from './stopStrings.ts';
import { playWave, type Decoder } from './wave.ts';
import { planWaves } from './waves.ts';

/** What sampling needs of the engine. */
export interface Sampling extends Decoder {
  tokenizer: Pick<Tokenizer, 'decode' | 'stopTokenIds'>;
}

/** Most rollouts decoded together … */
const rowLimit = 128;
/** … and most bytes their generated keys and values may come to. */
const cacheBytes = 1.25 * 2 ** 30;

/**
 * G completions of each prompt, in order. A completion depends on its prompt, its key and the policy, on neither time
 * nor attempt; the same request gives the same bytes on the same kind of processor and thread count. Throws
 * `InvalidRunConfig` when a prompt leaves no room in the model's context, and `NonFiniteLoss` when the policy's
 * probabilities are not numbers.
 */
export async function generate(
  { tokenizer, ...decoder }: Sampling,
  prompts: readonly SamplePrompt[],
  options: SampleOptions,
  betweenSteps: BetweenSteps,
): Promise<Completion[][]> {
  const { config } = decoder;
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

  const bytesPerRow = 8 * config.layers * config.keyValueHeads * config.headDim * options.maxNewTokens;
  const limit = Math.max(1, Math.min(rowLimit, Math.floor(cacheBytes / bytesPerRow)));
  const room = new CacheRoom();
  for (const wave of planWaves(prompts, limit)) {
    const batch = wave.map(({ index, first, count }) => ({
      promptIds: prompts[index]!.tokenIds,
      rollouts: groups[index]!.slice(first, first + count),
    }));
    await playWave(decoder, batch, options, room, report);
  }
  return groups.map((group) =>
    group.map(({ tokenIds, logProbs, finishReason }) => ({
      tokenIds,
      logProbs,
      finishReason: finishReason!, // playWave comes back when every rollout has one
    })),
  );
}

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
