import { randomUUID } from 'node:crypto';
import { sha256 } from '../../activities/artifacts/canonical.ts';
import type { EvaluationSummary } from '../../activities/artifacts/evaluation.ts';
import type { ManifestContent, ManifestObserved } from '../../activities/artifacts/manifest.ts';

/** The two halves of a manifest whose artifacts are not there. */
export function content(generation: number, parent: string | null, seed = 1): ManifestContent {
  const hash = sha256('an artifact');
  return {
    schema: 2,
    generation,
    parent,
    configHash: hash,
    seed,
    model: hash,
    policy: hash,
    optimizer: null,
    reference: null,
    curriculum: hash,
    plan: null,
    rollouts: [],
    graded: [],
    embeddings: [],
    groups: null,
    metrics: null,
    conservation: null,
    changes: [],
  };
}

export function observed(runKey: string, host = 'here'): ManifestObserved {
  const ref = { key: 'artifact', sha256: sha256('an artifact'), bytes: 11 };
  return {
    runKey,
    committedAt: new Date().toISOString(),
    host,
    processor: 'test',
    versions: { node: process.version },
    workflowId: 'run',
    workflowRunId: randomUUID(),
    artifacts: {
      config: ref,
      policy: ref,
      optimizer: null,
      reference: null,
      curriculum: ref,
      plan: null,
      rollouts: [],
      graded: [],
      embeddings: [],
      groups: null,
    },
    seconds: {},
    peakResidentBytes: null,
  };
}

/** summary.json of an evaluation that nobody played. */
export function evaluationSummary(generation: number, accuracies: readonly number[]): EvaluationSummary {
  const interval = { low: 0, high: 0 };
  const counts = { pass: 0, corrected: 0, broken: 0, tokens: 0 };
  return {
    schema: 2,
    generation,
    policy: sha256('a policy'),
    tasks: 1,
    samplesPerTask: 1,
    depths: accuracies.map((accuracy, k) => ({ k, accuracy, ...interval, ...counts })),
    delta: { value: 0, ...interval },
  };
}
