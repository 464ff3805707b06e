import type { Manifest } from '../../activities/artifacts/manifest.ts';
import type { GroupRow } from '../../activities/artifacts/records.ts';
import type { Store } from '../../activities/artifacts/store.ts';
import { CommandFailure, exitCodes } from '../exit.ts';
import { readRollouts } from '../generations.ts';

/** One answer on the way from a base task to a later one. */
export interface Step {
  rolloutId: string;
  generation: number;
  step: GroupRow['step'];
  turn: number;
  depth: number;
  /** What was answered. */
  instanceId: string;
  completion: string;
  quality: number | null;
  verdict: string;
  reward: number;
  advantage: number;
}

/** The row of a training rollout, e.g. `g7/3/5`. @throws `CommandFailure` when the run has none of that id. */
export async function findRollout(
  store: Store,
  chain: readonly Manifest[],
  rolloutId: string,
): Promise<{ row: GroupRow; manifest: Manifest }> {
  const generation = /^g(\d+)\/\d+\/\d+$/.exec(rolloutId)?.[1];
  if (generation === undefined)
    throw new CommandFailure(
      exitCodes.usage,
      `'${rolloutId}' is no rollout: g7/3/5 is rollout 5 of group 3 of generation 7.`,
    );
  const manifest = chain[Number(generation)];
  const row = manifest && (await readRollouts(store, manifest)).find((each) => each.rolloutId === rolloutId);
  if (!manifest || !row)
    throw new CommandFailure(
      exitCodes.notFound,
      `This run has no rollout ${rolloutId}: \`reiterate inspect groups RUN --generation n\` names those of a generation.`,
    );
  return { row, manifest };
}

/** The answers that led to a rollout, from the first one to its base task down to the rollout itself. */
export async function lineageOf(
  store: Store,
  chain: readonly Manifest[],
  rolloutId: string | null,
): Promise<Step[]> {
  const steps: Step[] = [];
  for (let id = rolloutId; id !== null;) {
    const { row } = await findRollout(store, chain, id);
    steps.unshift(stepOf(row));
    id = row.parentRolloutId;
  }
  return steps;
}

function stepOf(row: GroupRow): Step {
  const { rolloutId, generation, step, turn, depth, instanceId, completion } = row;
  const { quality, verdict, reward, advantage } = row;
  return {
    rolloutId,
    generation,
    step,
    turn,
    depth,
    instanceId,
    completion,
    quality,
    verdict,
    reward,
    advantage,
  };
}
