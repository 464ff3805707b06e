import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshAdamW, globalNorm } from '../../../activities/policy/learner/adamw.ts';
import { passesWithin } from '../../../activities/policy/learner/checkpointing.ts';
import { update } from '../../../activities/policy/learner/update.ts';
import { logProbProgram, trainingProgram } from '../../../activities/policy/model/programs.ts';
import { plainTraining } from '../../training.ts';
import { bytes, fixture, fullPolicyOf, golden, type GoldenGroup } from '../model/golden.ts';
import { largestDifference } from '../model/paths.ts';
import { quiet } from './tinyLearning.ts';

// What the fixtures hold and how they were made: test/fixtures/policy/README.md.
type GoldenFull = Record<string, { groups: GoldenGroup[]; gradients: Record<string, string> }>;
const models = await golden<GoldenFull>('full.json');

for (const name of ['tiny.gguf', 'families/qwen2-tied'])
  test(`${name}: one update moves all weights as AdamW on PyTorch's gradient would`, async () => {
    const { groups, gradients } = models[name]!;
    const { weights, tensors } = await fullPolicyOf(fixture(name).pathname);
    const start = new Map(Object.entries(tensors));
    const training = {
      ...plainTraining,
      lora: null,
      learningRate: 0.01,
      // Large enough that a weight's step depends on its slope, not on the sign of it alone.
      adamEpsilon: 1e-3,
      weightDecay: 0.1,
      gradientClip: 0.5,
      lossNormalisation: 'sequence' as const,
      tokensPerMicroBatch: 64,
    };
    const program = await trainingProgram(weights, 'full', { threads: 2 });
    const checkpointed = await trainingProgram(weights, 'full', { threads: 2 }, true);
    const learningWithin = (memoryBudgetMiB: number) => ({
      training: passesWithin(memoryBudgetMiB, program, async () => checkpointed),
      logProbs: () => logProbProgram(weights, 'full', { threads: 2 }),
      reference: null,
    });
    const learning = learningWithin(training.memoryBudgetMiB);
    const input = {
      parameters: start,
      optimizer: freshAdamW(start),
      groups: groups.map(({ promptIds, completions }) => ({
        promptIds,
        completions: completions.map((completion) => ({
          ...completion,
          policyLogProbs: completion.logProbs,
          trained: true,
        })),
      })),
      training,
      temperature: 1,
      maxNewTokens: 16,
    };
    const moved = await update(learning, input, quiet);
    assert.ok(moved.metrics.samplerMismatch < 1e-4);

    const slopes = new Map(
      Object.entries(gradients).map(([tensor, packed]) => [tensor, new Float32Array(bytes(packed))]),
    );
    const norm = globalNorm(slopes);
    assert.ok(norm > training.gradientClip, 'the gradient is clipped');
    assert.ok(Math.abs(moved.metrics.gradientNorm / norm - 1) < 1e-4);
    for (const [tensor, before] of start) {
      const expected = Array.from(before, (weight, i) => {
        const slope = (slopes.get(tensor)![i]! * training.gradientClip) / norm;
        // After one step the corrected moments are the slope and its square.
        const step = slope / (Math.abs(slope) + training.adamEpsilon);
        return weight * (1 - training.learningRate * training.weightDecay) - training.learningRate * step;
      });
      const distance = largestDifference(moved.parameters.get(tensor)!, expected);
      assert.ok(distance < 2e-3 * training.learningRate, `${tensor} is off by ${distance}`);
    }
    assert.deepEqual(await update(learning, input, quiet), moved, 'the same update gives the same bits');
    const { metrics, ...again } = await update(learningWithin(0), input, quiet);
    assert.ok(metrics.checkpointedPasses > 0);
    assert.deepEqual({ ...again, metrics: { ...metrics, checkpointedPasses: 0 } }, moved);
    await program.release();
    await checkpointed.release();
  });
