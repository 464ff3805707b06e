import { EmbedResult, type EmbedInput } from '../workflows/contract/steps.ts';
import { keys } from './artifacts/keys.ts';
import { once } from './artifacts/once.ts';
import { decodeRollouts, encodeEmbeddings } from './artifacts/parquet.ts';
import { secondsSince, withHeartbeat } from './boundary.ts';
import type { Dependencies } from './dependencies.ts';
import { episodesOf } from './episode.ts';
import { assertEmbedder, assertModel, loadState } from './state.ts';

/** Embeds the answers to a shard's prompts, for the diversity bonus (ExIt §4.2). */
export function embed(dependencies: Dependencies) {
  return (input: EmbedInput): Promise<EmbedResult> =>
    withHeartbeat((call) => {
      const { store } = dependencies;
      const { runKey, place, shard, rollouts } = input;
      const key = keys.step(runKey, place, 'embed', shard.ordinal);
      return once(store, key, [rollouts.sha256], EmbedResult, async () => {
        const started = performance.now();
        const state = await loadState(store, input);
        const decoded = await decodeRollouts(await store.read(rollouts), rollouts.key);
        const rows = episodesOf(decoded).map(([answer]) => answer);
        const groups = [...new Set(rows.map(({ ordinal }) => ordinal))].map((ordinal) =>
          rows.filter((row) => row.ordinal === ordinal),
        );
        const device = await dependencies.device(state.config);
        const embedder = await dependencies.embedder(state.config.curriculum.diversityBonus!.embedder);
        await assertEmbedder(device, embedder, state);
        const vectors = await device.embed(
          embedder,
          groups.map((group) => ({
            promptIds: group[0]!.promptIds,
            completions: group.map(({ completionIds }) => completionIds),
          })),
          call,
        );
        await assertModel(device, state);
        const ref = await store.put(
          keys.embeddings(runKey, place, shard.ordinal),
          encodeEmbeddings(
            groups.flatMap((group, g) =>
              group.map(({ rolloutId }, i) => ({ rolloutId, embedding: [...vectors[g]![i]!] })),
            ),
          ),
          'application/vnd.apache.parquet',
        );
        return { embeddings: ref, answers: rows.length, seconds: secondsSince(started) };
      });
    });
}
