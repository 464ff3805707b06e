import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { AblationProgress, AblationResult } from '../../workflows/contract/ablation.ts';
import type { TabulateInput } from '../../workflows/contract/evaluationSteps.ts';
import { taskQueues } from '../../workflows/contract/names.ts';
import { tinyConfig, until } from '../e2e/harness.ts';
import { connectQuickRuns } from './quickRuns.ts';

const runs = await connectQuickRuns();

/** Two runs at the same time, the first of two generations, the second of one. */
async function ablate(id: string) {
  const handle = await runs.client.workflow.start('ablation', {
    workflowId: id,
    taskQueue: taskQueues.run,
    args: [
      {
        base: { ...tinyConfig, generations: 1 },
        arms: { long: { generations: 2 }, short: {} },
        seeds: [1],
        concurrency: 2,
        evaluation: { sets: { own: null }, depth: 0 },
      },
    ],
  });
  const states = async () => {
    const progress = await handle.query<AblationProgress>('progress');
    return progress.runs.map(({ arm, state }) => `${arm} ${state}`);
  };
  /** Where the table has the answers of a policy from. */
  const tabulated = async () => {
    const { table } = (await handle.result()) as AblationResult;
    const { arms, untrained } = JSON.parse(
      new TextDecoder().decode(await runs.store.read(table)),
    ) as TabulateInput;
    const trained = Object.values(arms).flatMap(([tables]) => tables ?? []);
    const named = ({ set, runKey, generation }: (typeof trained)[number]) =>
      `${set}: ${runKey.split('@')[0]} after ${generation}`;
    return { trained: trained.map(named), untrained: untrained?.map(named) };
  };
  return { states, tabulated };
}

test('the untrained policy is of the first run, whichever ended first', { timeout: 90_000 }, async () => {
  const id = `first-untrained-${process.pid}`;
  const goOn = runs.hold('update', 2);
  const { states, tabulated } = await ablate(id);
  await until('the second run is done', async () => (await states())[1] === 'short done', {
    everyMs: 50,
    timeoutMs: 60_000,
  });
  assert.deepEqual(await states(), ['long training', 'short done']);
  goOn();
  assert.deepEqual((await tabulated()).untrained, [`own: ${id}-long-1 after 0`]);
  assert.deepEqual(await states(), ['long done', 'short done']);
});

test('what the first run cannot play, the next does', { timeout: 90_000 }, async () => {
  const id = `next-untrained-${process.pid}`;
  runs.hold('summarise set', 0)(ApplicationFailure.nonRetryable('nobody can grade', 'GraderUnavailable'));
  const { states, tabulated } = await ablate(id);
  assert.deepEqual(await tabulated(), {
    trained: [`own: ${id}-long-1 after 2`, `own: ${id}-short-1 after 1`],
    untrained: [`own: ${id}-short-1 after 0`],
  });
  assert.deepEqual(await states(), ['long failed', 'short done'], 'what it had played is in the table');
});
