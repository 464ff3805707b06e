import { TypedFailure } from '../workflows/contract/failures.ts';
import type { RunConfig } from '../workflows/contract/config.ts';
import { promptsInShard } from './sample.ts';

/**
 * Most shards of one evaluation, over all its depths and its independent answers. Two things that Temporal holds grow with
 * them: what `summarise` and `collect` are given in one payload, two Refs a shard of some 210 bytes each, is 0.84 MB then
 * (1.9 MB with the longest names there can be; the server refuses 2 MiB), and the history, at most twelve events a shard
 * (two activities, each with its workflow task), has 24,000 (the server ends a workflow at 51,200).
 */
export const mostShards = 2000;

type Size = Pick<RunConfig, 'evaluation' | 'sampling'>;

/** How many shards an evaluation plays. */
export function shardsPlayed({ evaluation, sampling }: Size, baselines: boolean): number {
  const { tasks, depth, samplesPerTask } = evaluation;
  const shards = (prompts: number, rollouts: number) =>
    Math.ceil(prompts / promptsInShard(rollouts, sampling));
  return (
    shards(tasks, samplesPerTask) +
    depth * shards(tasks * samplesPerTask, 1) +
    (baselines ? shards(tasks, samplesPerTask * depth) : 0)
  );
}

/** @throws `InvalidRunConfig` for an evaluation that would play for hours and then be too large to count. */
export function assertPlayable(size: Size, baselines: boolean): void {
  const shards = shardsPlayed(size, baselines);
  if (shards <= mostShards) return;
  const { tasks, depth, samplesPerTask } = size.evaluation;
  throw new TypedFailure(
    'InvalidRunConfig',
    `depth: ${tasks} problems × ${samplesPerTask} samples to depth ${depth}${baselines ? ' and their baselines' : ''} are ${shards} shards, more than the ${mostShards} that one workflow can hold; lower depth, tasks or samplesPerTask${baselines ? ', or leave out baselines' : ''}, or give the run a larger sampling.promptsPerShard`,
  );
}
