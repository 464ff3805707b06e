import { readFile } from 'node:fs/promises';
import type { Group } from '../../../activities/policy/model/layout.ts';
import { arrangeWeights } from '../../../activities/policy/model/programs.ts';
import { openCheckpoint } from '../../../activities/policy/weights/checkpoint.ts';
import { fixtureAdapter } from '../fixtureAdapter.ts';
import type { Policy } from './paths.ts';

// What the fixtures hold and how they were made: test/fixtures/policy/README.md.

export interface GoldenCompletion {
  tokenIds: number[];
  advantage: number;
  weight: number;
  logProbs: number[];
  oldLogProbs?: number[];
  referenceLogProbs?: number[];
}
export interface GoldenGroup {
  promptIds: number[];
  completions: GoldenCompletion[];
}
export const fixture = (name: string) => new URL(`../../fixtures/policy/${name}`, import.meta.url);
export const golden = async <T>(name: string) => JSON.parse(await readFile(fixture(name), 'utf8')) as T;
export const bytes = (packed: string) => new Uint8Array(Buffer.from(packed, 'base64')).buffer;

/** A model with the nonzero adapter of the golden gradients. */
export async function policyOf(
  path: string,
  { rank, alpha }: { rank: number; alpha: number },
): Promise<Policy> {
  const weights = arrangeWeights(await openCheckpoint(path));
  const { lora, tensors } = fixtureAdapter(weights.config, rank, alpha);
  const adapter = Object.fromEntries([...tensors].map(([name, { data }]) => [name, data]));
  return { weights, lora, adapter, threads: 2 };
}

export const groupsOf = (groups: GoldenGroup[]): Group[] =>
  groups.map(({ promptIds, completions }) => ({
    promptIds,
    completions: completions.map(({ tokenIds }) => tokenIds),
  }));

export const completionsOf = (groups: GoldenGroup[]) => groups.flatMap(({ completions }) => completions);
/** One number of a completion for each of its tokens. */
export const perToken = (groups: GoldenGroup[], of: (completion: GoldenCompletion) => number) =>
  completionsOf(groups).flatMap((completion) => completion.tokenIds.map(() => of(completion)));
