import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readManifest } from '../../activities/artifacts/manifests.ts';
import { decodeEmbeddings } from '../../activities/artifacts/parquet.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';
import { connectHarness, end, smallConfig, startRun, startWorkerProcess, tinyConfig } from './harness.ts';

const config: RunConfig = {
  ...smallConfig,
  generations: 1,
  model: tinyConfig.model,
  curriculum: {
    ...smallConfig.curriculum,
    diversityBonus: { embedder: 'sentence', scale: 'mean-one', positiveOnly: false },
  },
  sampling: tinyConfig.sampling,
  evaluation: { ...smallConfig.evaluation, tasks: 0 },
};

let harness: Awaited<ReturnType<typeof connectHarness>>;
let worker: Awaited<ReturnType<typeof startWorkerProcess>>;
before(async () => {
  harness = await connectHarness();
  worker = await startWorkerProcess();
});
after(async () => {
  if (worker) await end(worker, 'SIGTERM');
  await harness?.close();
});

test('a run embeds with a sentence model, and its manifests say with which', async () => {
  const { store, client } = harness;
  const { head } = await (await startRun(client, `sentence-${process.pid}`, config)).result();
  const { content, observed } = await readManifest(store, head!);
  assert.match(content.embedder!, /^[0-9a-f]{64}$/);
  const [embeddings] = observed.artifacts.embeddings;
  const rows = await decodeEmbeddings(await store.read(embeddings!), embeddings!.key);
  const { promptsPerGeneration, rolloutsPerPrompt } = config.sampling;
  assert.equal(rows.length, promptsPerGeneration * rolloutsPerPrompt);
  for (const { embedding } of rows)
    assert.ok(Math.abs(embedding.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-5, 'of length 1');
});
