import { parseJson } from '../activities/artifacts/canonical.ts';
import { findHead } from '../activities/artifacts/manifests.ts';
import { continuationOf } from '../activities/continuation.ts';
import type { Store } from '../activities/artifacts/store.ts';
import { RunConfig } from '../workflows/contract/config.ts';
import { nameOfRun } from '../workflows/contract/names.ts';
import { isFinished } from '../workflows/contract/progress.ts';
import { CommandFailure, exitCodes } from './exit.ts';
import { findRunKey } from './record.ts';
import { findRun, startRun, type Temporal } from './temporal.ts';

/**
 * Goes on with a run that has ended before its last generation or its last evaluation, whether it failed, was stopped,
 * or is no longer known to Temporal: from its newest committed generation, under its own runKey. The record alone says
 * what the run is.
 *
 * @param run name or runKey of a run that is not open
 * @throws `CommandFailure` when there is nothing to go on from, or nothing left to do
 */
export async function takeUp(
  store: Store,
  temporal: Temporal,
  run: string,
): Promise<{ runKey: string; generation: number }> {
  const runKey = await findRunKey(store, await findRun(temporal, run), run);
  const found = await findHead(store, runKey);
  if (!found)
    throw new CommandFailure(
      exitCodes.notFound,
      `${runKey} ended before anything was committed: start it again with \`reiterate start\`.`,
    );
  const { head, manifest } = found;
  const { config: ref } = manifest.observed.artifacts;
  const config = parseJson(await store.read(ref), RunConfig, ref.key);
  const continuation = await continuationOf(store, runKey, head);
  if (isFinished(config, continuation))
    throw new CommandFailure(
      exitCodes.conflict,
      `${runKey} has made all of its ${config.generations} generations: there is nothing left to do.`,
    );
  await startRun(temporal, nameOfRun(runKey), config, continuation);
  return { runKey, generation: head.generation };
}
