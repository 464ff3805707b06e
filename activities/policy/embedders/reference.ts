import type { BetweenSteps } from '../engine/protocol.ts';
import type { Program } from '../graph/program.ts';
import { layoutMeans, type Group } from '../model/layout.ts';
import { packMicroBatches } from '../learner/batches.ts';
import type { OpenEmbedder } from './embedder.ts';

/** Most tokens of one pass. */
const tokenBudget = 1024;

/** The frozen base model's own idea of an answer. */
export const openReference: OpenEmbedder = async ({ meanStates }) => ({
  sha256: null,
  embed: async (groups, betweenSteps) => embeddings(await meanStates(betweenSteps), groups, betweenSteps),
});

/**
 * The embedding [hidden] of each completion, in order of group and completion: the mean of the model's final hidden
 * states over the completion's tokens, given its prompt. Completions of no tokens are not allowed.
 */
export async function embeddings(
  program: Program,
  groups: readonly Group[],
  betweenSteps: BetweenSteps,
): Promise<Float32Array[][]> {
  const found = groups.map(({ completions }) => completions.map(() => new Float32Array()));
  const packable = groups.map(({ promptIds, completions }) => ({
    promptIds: [...promptIds],
    completions: completions.map((ids) => ({ tokenIds: [...ids], trained: true })),
  }));
  const batches = packMicroBatches(packable, tokenBudget);
  let tokens = 0;
  for (const [done, batch] of batches.entries()) {
    await betweenSteps({ phase: 'embed', done, total: batches.length, tokens });
    const layout = layoutMeans(
      batch.map(({ group, completions }) => ({
        promptIds: groups[group]!.promptIds,
        completions: completions.map((completion) => groups[group]!.completions[completion]!),
      })),
    );
    const outputs = await program.run(layout.symbols, layout.feeds);
    const places = batch.flatMap(({ group, completions }) =>
      completions.map((completion) => ({ group, completion })),
    );
    const all = outputs['embeddings']!;
    const width = all.length / places.length;
    places.forEach(({ group, completion }, e) => {
      found[group]![completion] = all.slice(e * width, (e + 1) * width);
    });
    tokens += layout.symbols['T']!;
  }
  await betweenSteps({ phase: 'embed', done: batches.length, total: batches.length, tokens });
  return found;
}
