import type { SelfImproveResult } from './contract/evaluationSteps.ts';
import { SelfImproveRequest } from './contract/evaluation.ts';
import { open, parseRequest, partOf, playDepths, showDepths } from './depths.ts';
import { openGate } from './gate.ts';
import { steps } from './policies.ts';

/**
 * Problems of one's own in, answers out that the policy improved K times, with every iterate kept. No problem needs a
 * right answer, and none that is given is looked at before the end.
 *
 * @param input a SelfImproveRequest, unvalidated
 */
export async function selfImprove(input: unknown): Promise<SelfImproveResult> {
  const request = parseRequest(SelfImproveRequest, input, 'a self-improvement request');
  const pass = openGate(false);
  const show = showDepths('Self-improvement');
  const opened = await open(request, { graded: false, ofRun: false });
  const { runKey, head } = opened;
  // Every evaluation but a run's own has one.
  const name = opened.name!;
  const at = show.bind(null, opened);
  const depths = await playDepths(opened, pass, at);
  at('collect', opened.depth + 1);
  const { from, label } = partOf(opened, opened.depth);
  const collected = await steps.collect.executeWithOptions(label('collect', 'every iterate, one file'), [
    { ...from, name, depths },
  ]);
  return { ...collected, runKey, generation: head.generation, name };
}
