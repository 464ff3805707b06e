import type { Store } from '../../activities/artifacts/store.ts';
import { project } from '../dynamics/projection.ts';
import { readDynamics } from '../dynamics/read.ts';
import { readHistories } from './histories.ts';
import { reportPage } from './page.ts';
import { readRun } from './run.ts';

/**
 * A run as one HTML page that needs nothing else: no network, no server. Made from the store alone.
 *
 * @throws `ArtifactMissing` when the store has no such run; `ArtifactCorrupt` when a part of it is damaged.
 */
export async function buildReport(store: Store, runKey: string): Promise<string> {
  const run = await readRun(store, runKey);
  const { rows, answers } = await readDynamics(store, run);
  const points = project(answers, run.config.seed);
  return reportPage(run, { rows, points }, await readHistories(store, run));
}
