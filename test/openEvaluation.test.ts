import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../activities/artifacts/canonical.ts';
import { keys } from '../activities/artifacts/keys.ts';
import type { Plan, PlannedPrompt } from '../activities/artifacts/records.ts';
import type { Dependencies } from '../activities/dependencies.ts';
import { openDomain } from '../activities/domains/open.ts';
import { mostShards, shardsPlayed } from '../activities/evaluationSize.ts';
import { openEvaluation } from '../activities/openEvaluation.ts';
import { storePlan } from '../activities/sample.ts';
import type { RunConfig } from '../workflows/contract/config.ts';
import type { EvaluationRequest } from '../workflows/contract/evaluation.ts';
import type { Place } from '../workflows/contract/steps.ts';
import { beginRun } from './beginRun.ts';
import { smallConfig } from './e2e/harness.ts';
import { memoryStore } from './memoryStore.ts';

const runKey = 'mine@1a2b3c4d';

async function opening(config: RunConfig) {
  const store = memoryStore();
  await beginRun(store, runKey, config);
  const open = openEvaluation({ store, openDomain } as Partial<Dependencies> as Dependencies);
  return (request: Omit<EvaluationRequest, 'policy'>, name: string | undefined = 'e1') =>
    open({ request: { policy: { run: runKey }, ...request }, ...(name && { name }), graded: true });
}

test('a name stands for one setting: another one is refused, and says what to do', async () => {
  const open = await opening(smallConfig);
  const first = await open({ depth: 2 });
  assert.deepEqual(await open({ depth: 2 }), first);
  await assert.rejects(open({ depth: 3 }), {
    name: 'InvalidRunConfig',
    message:
      /an evaluation named 'e1' of generation 0 of mine@1a2b3c4d was made with other settings; choose another one \(--id, or the name of the set/,
  });
  assert.equal((await open({ depth: 3 }, 'e2')).depth, 3);
});

test('an evaluation that could not be counted at its end is refused before it begins', async () => {
  const domain = { ...smallConfig.domain, families: { addTwo: 1 }, heldOutTasks: 600 };
  const sampling = { ...smallConfig.sampling, promptsPerShard: 8, rolloutsPerPrompt: 8 };
  const open = await opening({ ...smallConfig, sampling });
  const wide = { domain, samplesPerTask: 8 };
  // 75 shards of 64 answers a depth.
  assert.equal((await open({ ...wide, depth: 25 })).depth, 25);
  await assert.rejects(open({ ...wide, depth: 64 }, 'e2'), {
    name: 'InvalidRunConfig',
    message:
      /600 problems × 8 samples to depth 64 are 4875 shards, more than the 2000 .*; lower depth, tasks or samplesPerTask/,
  });
  await assert.rejects(open({ ...wide, depth: 25, baselines: true }, 'e3'), {
    message: /and their baselines are 2550 shards.*leave out baselines/,
  });
  const evaluation = { ...smallConfig.evaluation, tasks: 600, samplesPerTask: 8, depth: 64 };
  const own = await opening({ ...smallConfig, domain, sampling, evaluation });
  await assert.rejects(own({}, ''), { name: 'InvalidRunConfig', message: /4875 shards/ });
});

test('the most shards there may be fit into one payload of 1 MB', () => {
  const place: Place = { kind: 'evaluation', generation: 24, name: 'unseen', depth: 12 };
  const key = keys.rollouts('ladder-curriculum-1@1a2b3c4d', place, 99);
  const ref = { key, sha256: sha256(''), bytes: 123_456 };
  assert.ok(2 * mostShards * (JSON.stringify(ref).length + 1) < 1e6);
});

test('shards are counted as plans are cut', async () => {
  const dependencies = { store: memoryStore() } as Partial<Dependencies> as Dependencies;
  for (const [tasks, samplesPerTask, depth] of [
    [7, 1, 0],
    [7, 5, 3],
    [20, 4, 8],
    [3, 20, 2],
  ] as const) {
    const config = {
      ...smallConfig,
      evaluation: { ...smallConfig.evaluation, tasks, samplesPerTask, depth },
    };
    const cut = async (place: Place, prompts: number, rollouts: number) => {
      const prompt = { promptIds: [], seeds: Array<string>(rollouts).fill('') };
      const plan = { prompts: Array(prompts).fill(prompt) as PlannedPrompt[] } as Partial<Plan> as Plan;
      return (await storePlan(dependencies, runKey, place, plan, config, 0)).shards.length;
    };
    const generation = 1;
    const later = await cut({ kind: 'evaluation', generation, depth: 1 }, tasks * samplesPerTask, 1);
    const first = await cut({ kind: 'evaluation', generation, depth: 0 }, tasks, samplesPerTask);
    assert.equal(shardsPlayed(config, false), first + depth * later);
    if (depth === 0) continue;
    const fresh = await cut({ kind: 'resampling', generation }, tasks, samplesPerTask * depth);
    assert.equal(shardsPlayed(config, true), first + depth * later + fresh);
  }
});
