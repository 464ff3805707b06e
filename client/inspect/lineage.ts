import { readAnswers, type Answer } from '../../activities/answers.ts';
import type { Manifest } from '../../activities/artifacts/manifest.ts';
import type { GroupRow, Plan } from '../../activities/artifacts/records.ts';
import type { Store } from '../../activities/artifacts/store.ts';
import { episodesOf } from '../../activities/episode.ts';
import { readJson } from '../../activities/state.ts';
import { CommandFailure, exitCodes } from '../exit.ts';
import { readGroups } from '../generations.ts';

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
  /** null: a draft, which is not trained on. */
  reward: number | null;
  advantage: number | null;
}

/** The rows of a training rollout, e.g. `g7/3/5`: its answer to the prompt, and those of later turns. @throws `CommandFailure` when the run has none of that id. */
export async function findRollout(
  store: Store,
  chain: readonly Manifest[],
  rolloutId: string,
): Promise<{ row: GroupRow; later: GroupRow[]; manifest: Manifest }> {
  const generation = /^g(\d+)\/\d+\/\d+$/.exec(rolloutId)?.[1];
  if (generation === undefined)
    throw new CommandFailure(
      exitCodes.usage,
      `'${rolloutId}' is no rollout: g7/3/5 is rollout 5 of group 3 of generation 7.`,
    );
  const manifest = chain[Number(generation)];
  const episodes = manifest ? episodesOf(await readGroups(store, manifest)) : [];
  const found = episodes.find(([answer]) => answer.rolloutId === rolloutId);
  if (!manifest || !found)
    throw new CommandFailure(
      exitCodes.notFound,
      `This run has no rollout ${rolloutId}: \`reiterate inspect groups RUN --generation n\` names those of a generation.`,
    );
  const [row, ...later] = found;
  return { row, later, manifest };
}

/** The answers that led to a rollout, from the first one to its base task down to the rollout itself. */
export async function lineageOf(
  store: Store,
  chain: readonly Manifest[],
  rolloutId: string | null,
): Promise<Step[]> {
  const steps: Step[] = [];
  for (let id = rolloutId; id !== null;) {
    const draft = /^g(\d+)\/draft\//.exec(id)?.[1];
    const row = draft
      ? await findDraft(store, chain[Number(draft)], id)
      : (await findRollout(store, chain, id)).row;
    steps.unshift(stepOf(row));
    id = row.parentRolloutId;
  }
  return steps;
}

/** The row of a draft, e.g. `g7/draft/3/0`. */
async function findDraft(store: Store, manifest: Manifest | undefined, rolloutId: string): Promise<Answer> {
  const drafts = manifest?.observed.artifacts.drafts;
  const plan = drafts && ((await readJson(store, drafts.plan)) as Plan);
  const answers = plan ? (await readAnswers(store, plan, drafts.rollouts, drafts.graded)).flat() : [];
  const found = answers.find((answer) => answer.rolloutId === rolloutId);
  if (!found) throw new CommandFailure(exitCodes.notFound, `This run has no draft ${rolloutId}.`);
  return found;
}

function stepOf(row: Answer | GroupRow): Step {
  const { rolloutId, generation, step, turn, depth, instanceId, completion } = row;
  const { quality, verdict } = row;
  const { reward, advantage } = 'reward' in row ? row : { reward: null, advantage: null };
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
