import { readFile } from 'node:fs/promises';
import type { Group } from '../../../activities/policy/model/layout.ts';
import { arrangeWeights } from '../../../activities/policy/model/programs.ts';
import { openCheckpoint, type Tensor } from '../../../activities/policy/weights/checkpoint.ts';
import { initialParameters } from '../../../activities/policy/weights/parameters.ts';
import { fixtureAdapter } from '../fixtureAdapter.ts';
import type { Objective, Policy } from './paths.ts';

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
  return { weights, trainable: lora, tensors: arraysOf(tensors), threads: 2 };
}

/** A model as the policy that trains all its weights. */
export async function fullPolicyOf(path: string): Promise<Policy> {
  const { tensors } = initialParameters(await openCheckpoint(path), null, '');
  const weights = arrangeWeights(await openCheckpoint(path));
  return { weights, trainable: 'full', tensors: arraysOf(tensors), threads: 2 };
}

const arraysOf = (tensors: ReadonlyMap<string, Tensor>): Record<string, Float32Array> =>
  Object.fromEntries([...tensors].map(([name, { data }]) => [name, data]));

/** The gradient of −Σ weight · advantage · log-prob: far from any clipping, and ρ = 1. */
export function plainObjective(groups: GoldenGroup[]): Objective {
  const advantages = perToken(groups, ({ advantage }) => advantage);
  return {
    advantages,
    tokenWeights: perToken(groups, ({ weight }) => weight),
    oldLogProbs: new Float32Array(advantages.length),
    referenceLogProbs: new Float32Array(advantages.length),
    clipRatio: { low: 0.2, high: 0.2 },
    importanceCap: null,
    klCoefficient: 0,
    onPolicy: true,
  };
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
