import type { GenerationMetrics, Manifest } from '../../activities/artifacts/manifest.ts';
import type { GroupRow } from '../../activities/artifacts/records.ts';
import type { Store } from '../../activities/artifacts/store.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import { findRollout, lineageOf, type Step } from './lineage.ts';

/** One rollout, where it came from, and what it did. */
export interface InspectedRollout extends Omit<
  GroupRow,
  'promptIds' | 'completionIds' | 'logProbs' | 'policyLogProbs'
> {
  /** Of all its turns. */
  tokens: number;
  /** What was answered in the turns played after it; none in single-turn domains. */
  laterAnswers: { turn: number; depth: number; completion: string }[];
  /** The answers before it, from the first one to its base task down to it. */
  lineage: Step[];
  update: {
    /** Whether its tokens gave a gradient; if not, why. */
    trained: boolean;
    reason: string | null;
    metrics: GenerationMetrics['update'];
    /** sha256 of the policy that came out, and of the manifest that committed it. */
    policy: string;
    manifest: string;
  };
}

/** @throws `CommandFailure` when the run has no such rollout. */
export async function inspectRollout(
  store: Store,
  chain: readonly Manifest[],
  { training }: RunConfig,
  rolloutId: string,
): Promise<InspectedRollout> {
  const { row, later, manifest } = await findRollout(store, chain, rolloutId);
  const { promptIds: _, completionIds: __, logProbs: ___, policyLogProbs: ____, ...columns } = row;
  const turns = [row, ...later];
  const cutOff = turns.some(({ finishReason }) => finishReason === 'length');
  const masked = training.overlong === 'mask' && cutOff ? 'overlong' : null;
  const reason = row.dropped ?? masked;
  return {
    ...columns,
    tokens: turns.reduce((sum, { completionIds }) => sum + completionIds.length, 0),
    laterAnswers: later.map(({ turn, depth, completion }) => ({ turn, depth, completion })),
    lineage: await lineageOf(store, chain, rolloutId),
    update: {
      trained: reason === null,
      reason,
      metrics: manifest.content.metrics?.update ?? null,
      policy: manifest.content.policy,
      manifest: manifest.hash,
    },
  };
}
