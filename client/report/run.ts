import { parseJson } from '../../activities/artifacts/canonical.ts';
import type { EvaluationSummary } from '../../activities/artifacts/evaluation.ts';
import type { GenerationMetrics, Manifest } from '../../activities/artifacts/manifest.ts';
import { readChain } from '../../activities/artifacts/manifests.ts';
import type { Store } from '../../activities/artifacts/store.ts';
import { RunConfig } from '../../workflows/contract/config.ts';
import { TypedFailure } from '../../workflows/contract/failures.ts';
import { readEvaluations } from '../../activities/artifacts/evaluations.ts';

/** One generation after the first manifest, as the figures need it. */
export interface GenerationPoint {
  generation: number;
  metrics: GenerationMetrics;
  conservation: NonNullable<Manifest['content']['conservation']>;
  /** Seconds by step. */
  seconds: Record<string, number>;
}

/** A run as the report tells it, from the store alone. */
export interface ReportedRun {
  runKey: string;
  config: RunConfig;
  /** Generation 0 to the head. */
  chain: [Manifest, ...Manifest[]];
  points: GenerationPoint[];
  /** By generation; usually the untrained and the trained policy, maybe some between. */
  evaluations: EvaluationSummary[];
}

/** @throws `ArtifactMissing` when the store has no such run. */
export async function readRun(store: Store, runKey: string): Promise<ReportedRun> {
  const [first, ...others] = await readChain(store, runKey);
  if (!first)
    throw new TypedFailure(
      'ArtifactMissing',
      `The store has no run '${runKey}' with a committed generation. \`reiterate runs\` lists those it has.`,
    );
  const { config } = first.observed.artifacts;
  return {
    runKey,
    config: parseJson(await store.read(config), RunConfig, config.key),
    chain: [first, ...others],
    points: others.flatMap(({ content: { generation, metrics, conservation }, observed: { seconds } }) =>
      metrics && conservation ? [{ generation, metrics, conservation, seconds }] : [],
    ),
    evaluations: await readEvaluations(store, runKey),
  };
}
