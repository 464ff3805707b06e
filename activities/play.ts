import type { PlannedPrompt, RolloutRow } from './artifacts/records.ts';
import { instanceOf } from './curriculum/identity.ts';
import type { Draw, Instance } from './curriculum/types.ts';
import type { Domain } from './domains/domain.ts';
import { asked, reply, type Standing } from './episode.ts';
import type { Call, Completion, SamplePrompt } from './policy/policy.ts';
import type { createPlanner } from './sample.ts';

/** What plays. */
export interface Playing {
  generate: (prompts: SamplePrompt[], call: Call) => Promise<Completion[][]>;
  domain: Domain;
  plan: ReturnType<typeof createPlanner>;
  /** Most tokens of a prompt. */
  room: number;
  decode: (tokenIds: number[]) => string;
  /** Improve steps on the first answer of each later turn; 0 in training (ExIt §5.3 for evaluations). */
  improvements: number;
}

/** What the rows of a shard have in common. */
export interface Common {
  /** Of rollout ids. */
  prefix: string;
  generation: number;
  /** sha256 of the policy. */
  policy: string;
}

/** A rollout while it is being played: its rows so far, and where the last of them leaves its history. */
interface Episode {
  prompt: PlannedPrompt;
  rollout: number;
  rows: [RolloutRow, ...RolloutRow[]];
  standing: Standing;
}

/**
 * Plays each prompt as often as it has keys, and each rollout on to the end of its episode (ExIt Algorithm 1): round by
 * round, the next step of all that are not over in one batch. A later turn is asked by its own request after the
 * canonical history, as the same instance out of the task buffer would be (decision 21). An answer that was cut off
 * ends its episode, and so does a history that has grown too long to be answered.
 *
 * @returns a row a completion, a rollout's rows side by side in the order in which they were sampled.
 */
export async function playEpisodes(
  prompts: readonly PlannedPrompt[],
  playing: Playing,
  common: Common,
  call: Call,
): Promise<RolloutRow[]> {
  let tokens = 0;
  let rounds = 0;
  const sample = async (batch: readonly PlannedPrompt[]): Promise<Completion[][]> => {
    const before = tokens;
    const round = ++rounds === 1 ? '' : `, round ${rounds}`;
    const completions = await playing.generate(
      batch.map(({ promptIds, seeds }) => ({ tokenIds: promptIds, keys: seeds })),
      {
        signal: call.signal,
        onProgress: (progress) =>
          call.onProgress?.({
            ...progress,
            phase: `${progress.phase}${round}`,
            tokens: before + progress.tokens,
          }),
      },
    );
    for (const { tokenIds } of completions.flat()) tokens += tokenIds.length;
    return completions;
  };
  const rowOf = (
    prompt: PlannedPrompt,
    rollout: number,
    seed: string,
    completion: Completion,
  ): RolloutRow => {
    const { instance, promptText, seeds, ...columns } = prompt;
    return {
      ...columns,
      rolloutId: `${common.prefix}/${prompt.ordinal}/${rollout}`,
      generation: common.generation,
      rollout,
      prompt: promptText,
      completion: playing.decode(completion.tokenIds),
      completionIds: completion.tokenIds,
      logProbs: completion.logProbs,
      policyLogProbs: completion.policyLogProbs,
      finishReason: completion.finishReason,
      seed,
      policy: common.policy,
    };
  };
  const standingAfter = ({ history, baseTaskId }: Instance, { completion }: RolloutRow) =>
    reply(playing.domain, baseTaskId, history, completion);

  const completions = await sample(prompts);
  const episodes = prompts.flatMap((prompt, index) =>
    (completions[index] ?? []).map((completion, rollout): Episode => {
      const row = rowOf(prompt, rollout, prompt.seeds[rollout] ?? '', completion);
      return { prompt, rollout, rows: [row], standing: standingAfter(prompt.instance, row) };
    }),
  );
  for (;;) {
    const due = episodes.flatMap((episode) => {
      const step = nextStep(episode, playing.improvements);
      const next = step && playing.plan(step.draw, 1, step.identity);
      return next && next.promptIds.length <= playing.room ? [{ episode, next }] : [];
    });
    if (due.length === 0) return episodes.flatMap(({ rows }) => rows);
    const answers = await sample(due.map(({ next }) => next));
    for (const [index, { episode, next }] of due.entries()) {
      const row = rowOf(next, episode.rollout, next.seeds[0] ?? '', answers[index]![0]!);
      episode.rows.push(row);
      episode.standing = standingAfter(next.instance, row);
    }
  }
}

/** What an episode is asked next, and what its random stream belongs to; null when it is over. */
function nextStep({ prompt, rows, standing }: Episode, improvements: number) {
  const [first] = rows;
  const last = rows.at(-1)!;
  const improving = last.turn > first.turn && last.depth < improvements;
  if (!improving && (standing.next === null || last.finishReason === 'length')) return null;
  const turn = improving ? last.turn : last.turn + 1;
  const depth = improving ? last.depth + 1 : 0;
  const draw: Draw = {
    ordinal: prompt.ordinal,
    step: improving ? 'improve' : 'base',
    source: prompt.source,
    instance: instanceOf({
      baseTaskId: prompt.baseTaskId,
      turn,
      depth,
      earlierDepths: depthsBefore(turn, prompt.instance, rows),
      history: improving ? standing.history : asked(standing.history, standing.next!),
      quality: null,
      parent: { instanceId: prompt.instanceId, rolloutId: first.rolloutId },
    }),
  };
  return { draw, identity: [first.seed, 'turn', turn, depth] };
}

/** k of the iterate kept for each turn before `turn`. */
function depthsBefore(turn: number, { earlierDepths = [] }: Instance, rows: readonly RolloutRow[]): number[] {
  const depths = [...earlierDepths];
  for (const row of rows) depths[row.turn] = row.depth;
  return depths.slice(0, turn);
}
