import { decodeEvaluation } from '../../activities/artifacts/parquet.ts';
import { keys } from '../../activities/artifacts/keys.ts';
import type { EvaluationRow, GroupRow, Plan, PlannedPrompt } from '../../activities/artifacts/records.ts';
import type { Store } from '../../activities/artifacts/store.ts';
import type { Turn } from '../../activities/curriculum/types.ts';
import { episodesOf } from '../../activities/episode.ts';
import { readGroups, readPlan } from '../generations.ts';
import type { ReportedRun } from './run.ts';

/** Most bytes of embedded training and held-out histories, so that the page stays light. */
const trainingBytes = 3_500_000;
const heldOutBytes = 500_000;
const mostGenerations = 60;

/** What the history browser shows of one group: the path to the prompt, and the answers to it. */
export interface BrowsedGroup {
  generation: number;
  step: string;
  depth: number;
  family: string;
  gold: string;
  /** Messages the instance starts from: request and answer of each turn, ending with the one to be improved. */
  path: { role: 'task' | 'answer' | 'feedback'; text: string }[];
  /** The prompt as the policy saw it. */
  prompt: string;
  parent: string | null;
  learnability: number;
  dropped: string | null;
  policy: string;
  rollouts: {
    id: string;
    text: string;
    quality: number | null;
    reward: number;
    advantage: number;
    verdict: string;
    answer: string | null;
    finish: string;
    seed: string;
    tokens: number;
    error: string | null;
  }[];
}

/** One held-out problem: the answers at k = 0…K before and after training. */
export interface HeldOutWalk {
  task: string;
  family: string;
  gold: string;
  policies: { generation: number; answers: { text: string; quality: number | null; verdict: string }[] }[];
}

export interface Histories {
  groups: BrowsedGroup[];
  walks: HeldOutWalk[];
  /** How much there is in all; more than what is embedded means that the page shows a sample. */
  groupsInRun: number;
  heldOutTasks: number;
}

/** Histories for the browser: all of a small run, an even sample of a large one. */
export async function readHistories(store: Store, run: ReportedRun): Promise<Histories> {
  const trained = run.chain.filter(({ observed }) => observed.artifacts.groups);
  const chosen = spread(trained, mostGenerations);
  const groups: BrowsedGroup[] = [];
  for (const manifest of chosen) {
    const [prompts, rows] = await Promise.all([readPlan(store, manifest), readGroups(store, manifest)]);
    const all = prompts.map((prompt) =>
      groupOf(
        prompt,
        rows.filter(({ ordinal }) => ordinal === prompt.ordinal),
      ),
    );
    groups.push(...fitting(all, trainingBytes / chosen.length));
  }
  const walks = await readWalks(store, run);
  return {
    groups,
    walks: fitting(walks, heldOutBytes),
    groupsInRun: run.points.reduce((sum, { conservation }) => sum + conservation.drawn, 0),
    heldOutTasks: walks.length,
  };
}

function groupOf(prompt: PlannedPrompt, rows: GroupRow[]): BrowsedGroup {
  return {
    generation: rows[0]?.generation ?? 0,
    step: prompt.step,
    depth: prompt.depth,
    family: prompt.family,
    gold: prompt.gold,
    path: prompt.instance.history
      .slice(0, prompt.turn + 1)
      .flatMap(({ request, response, feedback }) => [
        ...request
          .filter(({ role }) => role === 'user')
          .map(({ content }) => ({ role: 'task' as const, text: content })),
        ...(response === null ? [] : [{ role: 'answer' as const, text: response }]),
        ...(feedback === null ? [] : [{ role: 'feedback' as const, text: feedback }]),
      ]),
    prompt: prompt.promptText,
    parent: prompt.parentRolloutId,
    learnability: rows[0]?.learnability ?? 0,
    dropped: rows[0]?.dropped ?? null,
    policy: rows[0]?.policy ?? '',
    rollouts: episodesOf(rows).map(([row, ...later]) => ({
      id: row.rolloutId,
      text: [row.completion, ...later.map(({ turn, completion }) => `[turn ${turn + 1}] ${completion}`)].join(
        '\n\n',
      ),
      quality: row.quality,
      reward: row.reward,
      advantage: Number(row.advantage.toFixed(3)),
      verdict: row.verdict,
      answer: row.answer,
      finish: (later.at(-1) ?? row).finishReason,
      seed: row.seed,
      tokens: [row, ...later].reduce((sum, { completionIds }) => sum + completionIds.length, 0),
      error: row.error,
    })),
  };
}

async function readWalks(store: Store, run: ReportedRun): Promise<HeldOutWalk[]> {
  const walks = new Map<string, HeldOutWalk>();
  for (const { generation, depths } of new Set([
    ...run.evaluations.slice(0, 1),
    ...run.evaluations.slice(-1),
  ])) {
    const questions = await readQuestions(store, run.runKey, generation);
    for (const { k } of depths) {
      const key = keys.evaluationRows(run.runKey, generation, k);
      const found = await store.find(key);
      for (const row of found ? await decodeEvaluation(found.bytes, key) : [])
        if (row.sample === 0) addAnswer(walks, generation, questions.get(row.taskId) ?? row.prompt, row);
    }
  }
  return [...walks.values()];
}

/** What each held-out problem asks, without the chat template around it. */
async function readQuestions(store: Store, runKey: string, generation: number): Promise<Map<string, string>> {
  const found = await store.find(keys.plan(runKey, { kind: 'evaluation', generation, depth: 0 }));
  const prompts = found ? (JSON.parse(new TextDecoder().decode(found.bytes)) as Plan).prompts : [];
  return new Map(prompts.map(({ baseTaskId, instance }) => [baseTaskId, questionOf(instance.history[0])]));
}

function questionOf(turn: Turn | undefined): string {
  return (turn?.request ?? [])
    .flatMap(({ role, content }) => (role === 'user' ? [content] : []))
    .join('\n\n');
}

/** Depths come in order, so the answers of a walk do too. */
function addAnswer(
  walks: Map<string, HeldOutWalk>,
  generation: number,
  task: string,
  row: EvaluationRow,
): void {
  const walk = walks.get(row.taskId) ?? { task, family: row.family, gold: row.gold, policies: [] };
  walks.set(row.taskId, walk);
  let policy = walk.policies.find((each) => each.generation === generation);
  if (!policy) walk.policies.push((policy = { generation, answers: [] }));
  policy.answers.push({ text: row.completion, quality: row.quality, verdict: row.verdict });
}

/** Evenly spread members, as many as fit into so many bytes of JSON; at least one. */
function fitting<T>(all: T[], bytes: number): T[] {
  const size = all.reduce((sum, each) => sum + Buffer.byteLength(JSON.stringify(each)), 0);
  return size <= bytes ? all : spread(all, Math.max(1, Math.floor((all.length * bytes) / size)));
}

/** At most `most` members, the first and the last among them, evenly spread. */
function spread<T>(all: T[], most: number): T[] {
  if (all.length <= most) return all;
  if (most === 1) return all.slice(-1);
  return Array.from(
    { length: most },
    (_, index) => all[Math.round((index * (all.length - 1)) / (most - 1))]!,
  );
}
