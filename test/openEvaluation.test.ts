import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dependencies } from '../activities/dependencies.ts';
import { openDomain } from '../activities/domains/open.ts';
import { openEvaluation } from '../activities/openEvaluation.ts';
import type { RunConfig } from '../workflows/contract/config.ts';
import type { EvaluationRequest } from '../workflows/contract/evaluation.ts';
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
