import { EvaluationRequest } from './contract/evaluation.ts';
import type { EvaluationResult, OpenEvaluationResult } from './contract/evaluationSteps.ts';
import type { Played } from './contract/steps.ts';
import { open, parseRequest, partOf, play, playDepths, showDepths } from './depths.ts';
import { openGate } from './gate.ts';
import { steps } from './policies.ts';

/**
 * K-step self-improvement of one policy on held-out problems (ExIt §5.3), and beside it, where asked for, what as many
 * tokens buy without it.
 *
 * @param input an EvaluationRequest, unvalidated
 * @param ofRun given by a run that evaluates itself: the record is then the run's own, and everything as it is configured
 */
export async function evaluation(input: unknown, ofRun?: { paused: boolean }): Promise<EvaluationResult> {
  const request = parseRequest(EvaluationRequest, input, 'an evaluation request');
  const pass = openGate(ofRun?.paused ?? false);
  const show = showDepths('Evaluation');
  const opened = await open(request, { graded: true, ofRun: ofRun !== undefined });
  const { runKey, head, name } = opened;
  const at = show.bind(null, opened);
  const depths = await playDepths(opened, pass, at);
  const resampled = request.baselines && opened.depth > 0 ? await resample(opened, pass) : null;
  await pass();
  at('summarise', opened.depth + 1);
  const { from, label } = partOf(opened, opened.depth);
  const summary = await steps.summarise.executeWithOptions(
    label('summarise', `accuracy at k = 0…${opened.depth}`),
    [{ ...from, depths, ...(resampled && { resampled }), ...(name !== undefined && { name }) }],
  );
  return { ...summary, runKey, generation: head.generation, ...(name !== undefined && { name }) };
}

/** As many more first answers to each problem as it got iterates. */
async function resample(opened: OpenEvaluationResult, pass: () => Promise<void>): Promise<Played> {
  const part = partOf(opened, 'resampling');
  await pass();
  const plan = await steps.pose.executeWithOptions(part.label('pose', 'independent answers'), [
    { ...part.from, place: part.place, previous: null },
  ]);
  await pass();
  return play(part, plan, opened.samplesPerTask * opened.depth);
}
