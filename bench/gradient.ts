import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainGroup } from '../activities/policy/policy.ts';
import { globalNorm, type Arrays } from '../activities/policy/learner/adamw.ts';
import { decodeOptimizer } from '../activities/policy/learner/optimizerState.ts';
import { decodeParameters } from '../activities/policy/weights/parameters.ts';
import { decodeSafetensors } from '../activities/policy/weights/safetensors.ts';
import { padded, update } from './batch.ts';
import type { Bench, NamedPeer } from './bench.ts';

/** Least cosine that float32 in another order must reach. */
const tolerance = 0.99999;

/** How our gradient of the adapter lies beside a peer's. */
export interface GradientMatch {
  /** Between the whole gradients, and the smallest of any tensor's. */
  cosine: number;
  smallestCosine: number;
  /** Our norm / theirs. */
  norms: number;
  agrees: boolean;
}

/**
 * Compares the gradient of one update with that of each peer, which has the same adapter. Ours comes out of the engine as
 * AdamW's first moment, which after the first step is the gradient times a number.
 */
export async function matchGradients(
  bench: Bench,
  groups: TrainGroup[],
  peers: readonly NamedPeer[],
): Promise<Record<string, GradientMatch>> {
  const { optimizer, metrics } = await update(bench, groups);
  const { first } = decodeOptimizer(optimizer, decodeParameters(await bench.adapter.load()).tensors);
  const matches: Record<string, GradientMatch> = {};
  for (const { name, peer } of peers) {
    bench.report(`gradient: ${name}`);
    const gradientFile = join(bench.folder, 'gradient.safetensors');
    await peer.ask({ ...padded(groups), gradientFile });
    const { tensors } = decodeSafetensors(await readFile(gradientFile));
    const theirs = new Map([...tensors].map(([tensor, { data }]) => [tensor, data]));
    const cosines = [...first].map(([tensor, data]) =>
      cosine(new Map([[tensor, data]]), new Map([[tensor, theirs.get(tensor)!]])),
    );
    const match = {
      cosine: cosine(first, theirs),
      smallestCosine: Math.min(...cosines),
      norms: metrics.gradientNorm / globalNorm(theirs),
    };
    matches[name] = { ...match, agrees: match.smallestCosine >= tolerance };
  }
  return matches;
}

/** Of all arrays as one vector; NaN when `b` lacks one. */
function cosine(a: Arrays, b: Arrays): number {
  let product = 0;
  for (const [name, values] of a)
    for (let i = 0; i < values.length; i++) product += values[i]! * (b.get(name)?.[i] ?? NaN);
  return product / (globalNorm(a) * globalNorm(b));
}
