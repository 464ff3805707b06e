import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { findHead } from '../../activities/artifacts/manifests.ts';
import type { AblationResult } from '../../workflows/contract/ablation.ts';
import type { TabulateInput } from '../../workflows/contract/evaluationSteps.ts';
import { runKeyOf, taskQueues } from '../../workflows/contract/names.ts';
import { tinyConfig, until } from '../e2e/harness.ts';
import { connectQuickRuns } from './quickRuns.ts';

const runs = await connectQuickRuns();

test(
  'the untrained policy that the first run could not play is played by the next',
  { timeout: 90_000 },
  async () => {
    const id = `untrained-${process.pid}`;
    const goOn = runs.hold('summarise', 1);
    const handle = await runs.client.workflow.start('ablation', {
      workflowId: id,
      taskQueue: taskQueues.run,
      args: [
        {
          base: { ...tinyConfig, generations: 1 },
          arms: { only: {} },
          seeds: [1, 2],
          concurrency: 1,
          evaluation: { sets: { own: null }, depth: 0 },
        },
      ],
    });
    await until(
      'the first run is trained',
      async () => {
        const first = await runs.client.workflow
          .getHandle(`${id}-only-1`)
          .describe()
          .catch(() => null);
        if (!first) return false;
        const found = await findHead(runs.store, runKeyOf(`${id}-only-1`, first.runId)).catch(() => null);
        return found?.head.generation === 1;
      },
      { everyMs: 20, timeoutMs: 60_000 },
    );
    // Its own evaluation of the untrained policy is over: this one is the ablation's.
    runs.hold('summarise', 0)(ApplicationFailure.nonRetryable('nobody can grade', 'GraderUnavailable'));
    goOn();

    const { table, runs: outcomes } = (await handle.result()) as AblationResult;
    assert.deepEqual(
      outcomes.map(({ seed, state }) => [seed, state]),
      [
        [1, 'failed'],
        [2, 'done'],
      ],
    );
    const tabulated = JSON.parse(new TextDecoder().decode(await runs.store.read(table))) as TabulateInput;
    const played = (seed: number, generation: number) => {
      const all = generation === 0 ? tabulated.untrained : tabulated.arms['only']![seed - 1];
      return all?.map(({ set, runKey, generation }) => [set, runKey.split('@')[0], generation]);
    };
    assert.deepEqual(played(1, 1), [['own', `${id}-only-1`, 1]], 'what it had played is in the table');
    assert.deepEqual(played(2, 1), [['own', `${id}-only-2`, 1]]);
    assert.deepEqual(played(2, 0), [['own', `${id}-only-2`, 0]]);
  },
);
