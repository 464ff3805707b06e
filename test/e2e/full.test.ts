import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, before, test } from 'node:test';
import { findHead, readChain } from '../../activities/artifacts/manifests.ts';
import { decodeParameters } from '../../activities/policy/weights/parameters.ts';
import { takeUp } from '../../client/takeUp.ts';
import { connectTemporal, type Temporal } from '../../client/temporal.ts';
import { connectHarness, end, startRun, startWorkerProcess, tinyConfig, until } from './harness.ts';

const harness = await connectHarness();
let worker: ChildProcess;
let temporal: Temporal;

before(async () => {
  worker = await startWorkerProcess();
  temporal = await connectTemporal(harness.services.temporal);
});

after(async () => {
  await end(worker, 'SIGTERM');
  await temporal.close();
  await harness.close();
});

/** Enough short answers that a random model finds some right ones, and groups have signal. */
const config = {
  ...tinyConfig,
  generations: 4,
  domain: { ...tinyConfig.domain, families: { addOne: 1 } },
  sampling: {
    ...tinyConfig.sampling,
    promptsPerGeneration: 32,
    promptsPerShard: 32,
    rolloutsPerPrompt: 16,
    maxNewTokens: 8,
  },
  training: { ...tinyConfig.training, lora: null },
};

test('a run that trains all weights completes, and goes on after an end to the same hashes', async () => {
  const undisturbed = await (await startRun(harness.client, `full-${process.pid}`, config)).result();
  assert.equal(undisturbed.status, 'completed');
  const chain = await readChain(harness.store, undisturbed.runKey);
  const policies = chain.map(({ observed }) => observed.artifacts.policy);
  assert.ok(new Set(policies.map(({ sha256 }) => sha256)).size > 2, 'updates moved the policy');
  for (const { key } of policies) assert.match(key, /policy\/model\.safetensors$/);
  assert.equal(decodeParameters(await harness.store.read(policies.at(-1)!)).trainable, 'full');

  const id = `full-broken-${process.pid}`;
  const handle = await startRun(harness.client, id, config);
  const runKey = `${id}@${handle.firstExecutionRunId.slice(-8)}`;
  // Something is left to do, however late it is terminated.
  await handle.executeUpdate('stopAfterGeneration', { args: [3] });
  await until('a generation is committed', async () => {
    const found = await findHead(harness.store, runKey).catch(() => null);
    return (found?.head.generation ?? 0) >= 1;
  });
  await handle.terminate('to see whether the run can be taken up').catch(() => {});
  await takeUp(harness.store, temporal, id);
  await harness.client.workflow.getHandle(id).result();
  const hashes = (await readChain(harness.store, runKey)).map(({ hash }) => hash);
  assert.deepEqual(
    hashes,
    chain.map(({ hash }) => hash),
  );
});
