import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keys } from '../../activities/artifacts/keys.ts';
import { decodeRollouts } from '../../activities/artifacts/parquet.ts';
import { openDevice } from '../../activities/policy/engine/device.ts';
import type { Place } from '../../workflows/contract/steps.ts';
import { connectWithWorker, startRun, tinyConfig } from './harness.ts';

const harness = await connectWithWorker();

test('with precision w8a8 training samples in 8 bits, evaluation in float32', async () => {
  const run = await startRun(harness.client, `precision-${process.pid}`, {
    ...tinyConfig,
    generations: 1,
    sampling: { ...tinyConfig.sampling, precision: 'w8a8' },
    training: { ...tinyConfig.training, importanceCap: 2 },
  });
  const { runKey } = await run.result();
  const device = await openDevice({ modelPath: tinyConfig.model, threads: tinyConfig.threads });
  /** The largest |log-prob when sampled − exact log-prob| under the first policy, which is the base model. */
  const mismatch = async (place: Place) => {
    const key = keys.rollouts(runKey, place, 0);
    const rows = await decodeRollouts((await harness.store.find(key))!.bytes, key);
    const texts = rows.map(({ promptIds, completionIds }) => [...promptIds, ...completionIds]);
    const read = await device.logProbs(null, texts);
    const differences = rows.flatMap(({ promptIds, logProbs }, i) =>
      logProbs.map((logProb, t) => Math.abs(logProb - read[i]![promptIds.length + t]!)),
    );
    return Math.max(...differences);
  };
  const evaluated = await mismatch({ kind: 'evaluation', generation: 0, depth: 0 });
  const trained = await mismatch({ kind: 'generation', generation: 1 });
  await device.close();
  assert.ok(evaluated < 1e-4, `evaluation is off by ${evaluated}`);
  assert.ok(trained > 1e-3 && trained < 1, `training is off by ${trained}`);
});
