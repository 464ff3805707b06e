import { setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { StepName, StepProgress } from './contract/progress.ts';
import type { From, SummariseInput, SummariseResult } from './contract/steps.ts';
import { openGate } from './gate.ts';
import { labelled, playShards, stepProgress } from './generation.ts';
import { steps } from './policies.ts';

export interface EvaluationInput {
  from: From;
  /** K: self-iteration steps after the first answer. */
  depth: number;
  samplesPerTask: number;
  paused: boolean;
}

/**
 * K-step self-improvement of one policy on held-out problems (ExIt §5.3): first answers, then K times the improve
 * prompt on the latest iterate, never looking at the reward.
 */
export async function evaluation(input: EvaluationInput): Promise<SummariseResult> {
  const { from } = input;
  const { generation } = from.head;
  const pass = openGate(input.paused);
  const total = input.depth + 1;
  let progress: StepProgress = { generation, step: 'pose', done: 0, total };
  setHandler(stepProgress, () => progress);
  const at = (step: StepName, done: number) => {
    progress = { generation, step, done, total };
    setCurrentDetails(`Evaluation of generation ${generation}: depth ${done}/${input.depth}`);
  };

  const depths: SummariseInput['depths'] = [];
  for (let depth = 0; depth <= input.depth; depth++) {
    const label = labelled(`e${generation}-k${depth}`, `eval ${generation} · k=${depth}`);
    await pass();
    at('pose', depth);
    const plan = await steps.pose.executeWithOptions(
      label('pose', depth === 0 ? 'first answers' : 'improve'),
      [{ ...from, depth, previous: depths.at(-1) ?? null }],
    );
    await pass();
    at('iterate', depth);
    const place = { kind: 'evaluation' as const, generation, depth };
    const played = await playShards(from, place, plan, label, input.samplesPerTask, () => {});
    depths.push({
      plan: plan.plan,
      rollouts: played.map(([iterated]) => iterated.rollouts),
      graded: played.map(([, evaluated]) => evaluated.graded),
    });
  }
  at('summarise', total);
  return steps.summarise.executeWithOptions(
    labelled(`e${generation}`, `eval ${generation}`)('summarise', `accuracy at k = 0…${input.depth}`),
    [{ ...from, depths }],
  );
}
