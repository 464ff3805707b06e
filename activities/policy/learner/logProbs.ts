import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { BetweenSteps } from '../engine/protocol.ts';
import type { Program } from '../graph/program.ts';
import { layoutTexts } from '../model/layout.ts';

/** Most tokens, padded, computed at once. */
const tokenBudget = 1024;

/**
 * The log-prob of each token given all before it, null for the first, for plain sequences in their order; the
 * program is bound to the policy. Sequences of like length are computed together. Throws `InvalidRunConfig` for a sequence longer than the model's context.
 */
export async function logProbs(
  program: Program,
  sequences: readonly (readonly number[])[],
  contextLength: number,
  betweenSteps: BetweenSteps,
): Promise<(number | null)[][]> {
  const results = sequences.map((sequence): (number | null)[] => sequence.slice(0, 1).map(() => null));
  const total = sequences.length;
  let tokens = 0;
  let done = 0;
  for (const batch of packTexts(sequences, contextLength)) {
    await betweenSteps({ phase: 'logProbs', done, total, tokens });
    const layout = layoutTexts(batch.map((index) => sequences[index]!));
    const outputs = await program.run(layout.symbols, {
      ...layout.feeds,
      temperature: Float32Array.of(1),
    });
    batch.forEach((index, place) => {
      const { start, end } = layout.rowsOf(place);
      results[index]!.push(...outputs['logProbs']!.subarray(start, end));
      tokens += sequences[index]!.length;
    });
    done += batch.length;
  }
  return results;
}

/** Indices of the sequences that have something to score, longest first, in batches of at most `tokenBudget`. */
function packTexts(sequences: readonly (readonly number[])[], contextLength: number): number[][] {
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
    if (current && (current.length + 1) * lengthOf(current[0]!) <= tokenBudget) current.push(index);
    else batches.push([index]);
  }
  return batches;
}
