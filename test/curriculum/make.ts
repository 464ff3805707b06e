import { baseInstance, answered, instanceOf } from '../../activities/curriculum/identity.ts';
import type { Arrival, Observed } from '../../activities/curriculum/insertion.ts';
import type { BufferEntry, Draw, Instance, Outcome } from '../../activities/curriculum/types.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import diverge from '../../presets/diverge-robust.json' with { type: 'json' };

/** The paper's selection. */
const selection = {
  name: 'softmax',
  inverseTemperature: 10,
  staleness: 0,
  perEpisode: false,
} as const;

/** The configuration of a preset with the paper's selection and other values. */
export function configWith(
  curriculum: Partial<RunConfig['curriculum']>,
  training: Partial<RunConfig['training']> = {},
): RunConfig {
  const config = diverge as unknown as RunConfig;
  return {
    ...config,
    curriculum: { ...config.curriculum, selection, maxPerBaseTask: null, ...curriculum },
    training: { ...config.training, ...training },
    sampling: { ...config.sampling, rolloutsPerPrompt: 4 },
  };
}

export const begin = (taskId: string) => [{ role: 'user' as const, content: `Do ${taskId}.` }];

export const base = (taskId: string): Instance => baseInstance(taskId, begin(taskId));

/** An instance whose only turn was answered once. */
export function answeredOnce(taskId: string, response: string, quality = 0): Instance {
  return instanceOf({
    baseTaskId: taskId,
    turn: 0,
    depth: 1,
    history: answered(base(taskId).history, response),
    quality,
    parent: { instanceId: base(taskId).id, rolloutId: 'r' },
  });
}

export function entry(instance: Instance, score: number, rest: Partial<BufferEntry> = {}): BufferEntry {
  return {
    instance,
    score,
    passRate: 0.5,
    inherited: false,
    visits: 1,
    visitGeneration: rest.visits === 0 ? null : (rest.scoreGeneration ?? 1),
    firstGeneration: 1,
    scoreGeneration: 1,
    ordinal: 0,
    ...rest,
  };
}

export function draw(ordinal: number, instance: Instance, step: Draw['step'] = 'base'): Draw {
  return { ordinal, step, source: step === 'base' ? 'taskSet' : 'buffer', instance };
}

export function outcome(rolloutId: string, quality: number, rest: Partial<Outcome> = {}): Outcome {
  return { rolloutId, quality, response: `answer ${rolloutId}`, truncated: false, failure: null, ...rest };
}

/** What comes into a buffer of this generation, without a limit for base tasks. */
export const observed = (arrivals: readonly Arrival[], generation: number, capacity = 1000): Observed => ({
  arrivals,
  generation,
  capacity,
  maxPerBaseTask: null,
});

/** Σ (observed − expected)² / expected. */
export function chiSquare(counts: readonly number[], probabilities: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce(
    (sum, count, index) =>
      sum + (count - total * probabilities[index]!) ** 2 / (total * probabilities[index]!),
    0,
  );
}
