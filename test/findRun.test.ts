import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dependencies } from '../activities/dependencies.ts';
import { openDomain } from '../activities/domains/open.ts';
import { findRun } from '../activities/findRun.ts';
import { smallConfig } from './e2e/harness.ts';
import { memoryStore } from './memoryStore.ts';

test('problems that cannot be made are found before there is a run', async () => {
  const find = findRun({ store: memoryStore(), openDomain } as Partial<Dependencies> as Dependencies);
  const input = { id: 'mine', config: smallConfig };
  assert.equal(await find({ ...input, sets: { sums: smallConfig.domain } }), null);
  const misspelt = { ...smallConfig.domain, families: { adOne: 1 } } as typeof smallConfig.domain;
  await assert.rejects(find({ ...input, sets: { sums: smallConfig.domain, more: misspelt } }), {
    name: 'InvalidRunConfig',
    message: /^evaluation\.sets\.more: domain\.families\.adOne: there is no such family; the nearest/,
  });
});
