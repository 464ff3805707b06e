import { defineQuery, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { StepName, StepProgress } from './contract/progress.ts';
import type {
  CommitResult,
  EmbedResult,
  EvaluateResult,
  From,
  IterateResult,
  Place,
  PlanResult,
  Played,
} from './contract/steps.ts';
import type { Ref } from './contract/ref.ts';
import { openGate } from './gate.ts';
import { steps } from './policies.ts';

export const stepProgress = defineQuery<StepProgress>('progress');

export interface GenerationInput {
  from: From;
  generation: number;
  /** For the summaries on the timeline. */
  rolloutsPerPrompt: number;
  /** Drafts of each prompt, of which the best is improved; absent without a draft stage. */
  drafts?: number;
  /** Answers are embedded for a diversity bonus. */
  embeds?: boolean;
  paused: boolean;
}

/** One generation: the table of steps, each reading and writing artifacts by Ref. */
export async function generation(input: GenerationInput): Promise<CommitResult> {
  const { from, generation } = input;
  const label = labelled(`g${generation}`, `gen ${generation}`);
  const pass = openGate(input.paused);
  let progress: StepProgress = { generation, step: 'sample', done: 0, total: 1 };
  setHandler(stepProgress, () => progress);
  const at = (step: StepName, done = 0, total = 1) => {
    progress = { generation, step, done, total };
    setCurrentDetails(`Generation ${generation}: ${step} ${done}/${total}`);
  };

  await pass();
  const drawn = await steps.sample.executeWithOptions(label('sample', 'draw prompts'), [from]);

  const drafted = input.drafts ? await draft(from, generation, drawn, input.drafts, pass, at) : null;
  const plan = drafted?.plan ?? drawn;

  await pass();
  at('iterate', 0, plan.shards.length);
  const place: Place = { kind: 'generation', generation };
  const played = await playShards(from, place, plan, label, input.rolloutsPerPrompt, (done) =>
    at('iterate', done, plan.shards.length),
  );
  const rollouts = played.map(([iterated]) => iterated.rollouts);
  const graded = played.map(([, evaluated]) => evaluated.graded);

  const embedded = input.embeds ? await embedShards(from, place, plan, label, rollouts, pass, at) : [];
  const embeddings = embedded.map((one) => one.embeddings);

  await pass();
  at('score');
  const score = await steps.score.executeWithOptions(label('score', 'rewards, learnability, task buffer'), [
    { ...from, generation, plan: plan.plan, rollouts, graded, embeddings },
  ]);

  await pass();
  at('update');
  const update = await steps.update.executeWithOptions(
    label('update', `GRPO on ${score.groupsWithSignal} groups with signal`),
    [{ ...from, generation, plan: plan.plan, groups: score.groups }],
  );

  await pass();
  at('commit');
  const seconds = {
    sample: drawn.seconds,
    ...drafted?.seconds,
    iterate: sum(played.map(([iterated]) => iterated.seconds)),
    evaluate: sum(played.map(([, evaluated]) => evaluated.seconds)),
    ...(input.embeds && { embed: sum(embedded.map((one) => one.seconds)) }),
    score: score.seconds,
    update: update.seconds,
  };
  const committed = await steps.commit.executeWithOptions(label('commit', 'write the manifest'), [
    {
      ...from,
      generation,
      ...(drafted && { drafts: drafted.drafts }),
      plan: plan.plan,
      rollouts,
      graded,
      embeddings,
      score,
      update,
      seconds,
    },
  ]);
  setCurrentDetails(committed.summary);
  return committed;
}

/** Activity id and timeline summary of a step: `g7-iterate-2`, `gen 7 · iterate 2/4 · 16 prompts × 8`. */
export function labelled(idPrefix: string, summaryPrefix: string) {
  return (step: StepName, what: string, part?: { ordinal: number; of: number }) => ({
    activityId: part ? `${idPrefix}-${step}-${part.ordinal + 1}` : `${idPrefix}-${step}`,
    summary: part
      ? `${summaryPrefix} · ${step} ${part.ordinal + 1}/${part.of} · ${what}`
      : `${summaryPrefix} · ${step} · ${what}`,
  });
}

/** Plays and grades every shard of a plan; a shard is graded while the device already plays the next. */
export function playShards(
  from: From,
  place: Place,
  plan: PlanResult,
  label: ReturnType<typeof labelled>,
  rolloutsPerPrompt: number,
  onDone: (done: number) => void,
): Promise<[IterateResult, EvaluateResult][]> {
  let done = 0;
  return Promise.all(
    plan.shards.map(async (shard): Promise<[IterateResult, EvaluateResult]> => {
      const part = { ordinal: shard.ordinal, of: plan.shards.length };
      const iterated = await steps.iterate.executeWithOptions(
        label('iterate', `${shard.count} prompts × ${rolloutsPerPrompt}`, part),
        [{ ...from, place, plan: plan.plan, shard }],
      );
      const evaluated = await steps.evaluate.executeWithOptions(
        label('evaluate', `${iterated.completions} answers`, part),
        [{ ...from, place, plan: plan.plan, shard, rollouts: iterated.rollouts }],
      );
      onDone(++done);
      return [iterated, evaluated];
    }),
  );
}

/** Plays and grades the drafts of every prompt, and plans how the best of them are improved. */
async function draft(
  from: From,
  generation: number,
  drawn: PlanResult,
  perPrompt: number,
  pass: () => Promise<void>,
  at: (step: StepName, done?: number, total?: number) => void,
) {
  const label = labelled(`g${generation}-draft`, `gen ${generation} · draft`);
  const of = drawn.shards.length;
  await pass();
  at('draft', 0, of);
  const played = await playShards(from, { kind: 'drafts', generation }, drawn, label, perPrompt, (done) =>
    at('draft', done, of),
  );
  const drafts: Played = {
    plan: drawn.plan,
    rollouts: played.map(([{ rollouts }]) => rollouts),
    graded: played.map(([, { graded }]) => graded),
  };

  await pass();
  at('refine');
  const plan = await steps.refine.executeWithOptions(
    labelled(`g${generation}`, `gen ${generation}`)('refine', 'improve the best draft of each prompt'),
    [{ ...from, ...drafts, generation }],
  );
  return {
    plan,
    drafts: { ...drafts, metrics: plan.drafts },
    seconds: {
      draft: sum(played.map(([iterated, evaluated]) => iterated.seconds + evaluated.seconds)),
      refine: plan.seconds,
    },
  };
}

/** Embeds the answers of every shard. */
async function embedShards(
  from: From,
  place: Place,
  plan: PlanResult,
  label: ReturnType<typeof labelled>,
  rollouts: readonly Ref[],
  pass: () => Promise<void>,
  at: (step: StepName, done: number, total: number) => void,
): Promise<EmbedResult[]> {
  await pass();
  const of = plan.shards.length;
  at('embed', 0, of);
  let done = 0;
  return Promise.all(
    plan.shards.map(async (shard) => {
      const part = { ordinal: shard.ordinal, of };
      const result = await steps.embed.executeWithOptions(label('embed', 'for the diversity bonus', part), [
        { ...from, place, shard, rollouts: rollouts[shard.ordinal]! },
      ]);
      at('embed', ++done, of);
      return result;
    }),
  );
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, value) => total + value, 0);
}
