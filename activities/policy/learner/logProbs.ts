import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { BetweenSteps } from '../engine/protocol.ts';
import type { Program } from '../graph/program.ts';
import { layoutTexts } from '../model/layout.ts';
import { Past, passLimit, passTokens } from '../model/past.ts';
import type { ModelConfig } from '../weights/types.ts';

/** Most tokens, padded, of short sequences computed together. */
const tokenBudget = 1024;

/**
 * The log-prob of each token given all before it, null for the first, for plain sequences in their order; the
 * program is bound to the policy. Sequences of like length are computed together, long ones in several passes of at
 * most `passTokens` of `limit`. Throws `InvalidRunConfig` for a sequence longer than the model's context.
 */
export async function logProbs(
  program: Program,
  sequences: readonly (readonly number[])[],
  config: ModelConfig,
  betweenSteps: BetweenSteps,
  limit = passLimit,
): Promise<(number | null)[][]> {
  const results = sequences.map((sequence): (number | null)[] => sequence.slice(0, 1).map(() => null));
  const total = sequences.length;
  let tokens = 0;
  let done = 0;
  for (const batch of packTexts(sequences, config.contextLength, Math.min(tokenBudget, limit))) {
    const texts = batch.map((index) => sequences[index]!);
    const longest = texts[0]!.length;
    let past = Past.none(config);
    // Sequences that are computed together fit one pass; the last token of each is only predicted.
    for (;;) {
      await betweenSteps({ phase: 'logProbs', done, total, tokens });
      const end = past.length + passTokens(past.length, limit);
      const layout = layoutTexts(
        texts.map((ids) => ids.slice(0, end + 1)),
        past.length,
      );
      const outputs = await program.run(layout.symbols, {
        ...layout.feeds,
        ...past.feeds,
        temperature: Float32Array.of(1),
      });
      batch.forEach((index, place) => {
        const rows = layout.rowsOf(place);
        results[index]!.push(...outputs['logProbs']!.subarray(rows.start, rows.end));
        tokens += rows.end - rows.start;
      });
      if (end >= longest - 1) break;
      past = past.extended(texts[0]!.slice(past.length, end), outputs);
    }
    done += batch.length;
  }
  return results;
}

/** Indices of the sequences that have something to score, longest first, in batches of at most `tokens`. */
function packTexts(
  sequences: readonly (readonly number[])[],
  contextLength: number,
  tokens: number,
): number[][] {
  const lengthOf = (index: number) => sequences[index]!.length;
  const indices = [...sequences.keys()].filter((index) => lengthOf(index) > 1);
  indices.sort((a, b) => lengthOf(b) - lengthOf(a) || a - b);
  const longest = indices[0];
  if (longest !== undefined && lengthOf(longest) > contextLength)
    throw new TypedFailure(
      'InvalidRunConfig',
      `sequence ${longest} has ${lengthOf(longest)} tokens, the model's context is ${contextLength}: shorten it`,
    );
  const batches: number[][] = [];
  for (const index of indices) {
    const current = batches.at(-1);
    if (current && (current.length + 1) * lengthOf(current[0]!) <= tokens) current.push(index);
    else batches.push([index]);
  }
  return batches;
}
