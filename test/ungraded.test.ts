import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AblationTable } from '../activities/artifacts/ablation.ts';
import { canonicalBytes, parseJson } from '../activities/artifacts/canonical.ts';
import { EvaluationSummary } from '../activities/artifacts/evaluation.ts';
import { keys } from '../activities/artifacts/keys.ts';
import { encodeGraded, encodeRollouts } from '../activities/artifacts/parquet.ts';
import type { GradedRow, RolloutRow } from '../activities/artifacts/records.ts';
import type { Dependencies } from '../activities/dependencies.ts';
import { summarise } from '../activities/summarise.ts';
import { tabulate } from '../activities/tabulate.ts';
import { ablationView } from '../client/ablation.ts';
import { evaluationView } from '../client/commands/evaluate.ts';
import { ablationPage } from '../client/report/ablation.ts';
import { depthTable } from '../client/report/tables.ts';
import type { Place } from '../workflows/contract/steps.ts';
import { beginRun } from './beginRun.ts';
import { smallConfig } from './e2e/harness.ts';
import { memoryStore } from './memoryStore.ts';

const runKey = 'mine@1a2b3c4d';

/** An evaluation of generation 0 whose answers have these qualities, by depth and problem; null: not graded. */
async function evaluated(qualitiesKP: (number | null)[][]) {
  const store = memoryStore();
  const dependencies = { store } as Partial<Dependencies> as Dependencies;
  const head = await beginRun(store, runKey, smallConfig);
  const put = (key: string, bytes: Uint8Array) => store.put(key, bytes, '');
  const depths = await Promise.all(
    qualitiesKP.map(async (qualitiesP, depth) => {
      const place: Place = { kind: 'evaluation', generation: 0, name: 'own', depth };
      const rollouts = qualitiesP.map((_, ordinal): RolloutRow => ({
        ...{ rolloutId: `${depth}/${ordinal}`, generation: 0, ordinal, rollout: 0, turn: 0, depth },
        ...{ instanceId: 'i', parentInstanceId: null, parentRolloutId: null, baseTaskId: `task-${ordinal}` },
        ...{ family: 'sum', gold: '4', step: 'base' as const, source: 'taskSet' as const, prompt: '2 + 2?' },
        ...{ promptIds: [1], completion: '4', completionIds: [4], logProbs: [-1], policyLogProbs: [-1] },
        ...{ finishReason: 'stop' as const, seed: '00', policy: 'p' },
      }));
      const graded = qualitiesP.map((quality, ordinal): GradedRow => ({
        ...{ rolloutId: `${depth}/${ordinal}`, quality, answer: null, graderVersion: 'one' },
        verdict: quality === null ? 'failed' : 'graded',
        error: quality === null ? 'the grader died' : null,
      }));
      return {
        plan: await put(keys.plan(runKey, place), canonicalBytes({ prompts: qualitiesP.map(() => ({})) })),
        rollouts: [await put(keys.rollouts(runKey, place, 0), encodeRollouts(rollouts))],
        graded: [await put(keys.graded(runKey, place, 0), encodeGraded(graded))],
      };
    }),
  );
  const { summary } = await summarise(dependencies)({ runKey, head, name: 'own', depths });
  const { table } = await tabulate(dependencies)({
    ...{ key: 'ladder', depth: depths.length - 1, seeds: [1], sets: ['own'], arms: {} },
    untrained: [{ set: 'own', runKey, generation: 0 }],
  });
  return {
    summary: parseJson(await store.read(summary), EvaluationSummary, summary.key),
    table: parseJson(await store.read(table), AblationTable, table.key),
  };
}

test('what could not be graded counts as wrong, and is counted and shown', async () => {
  const { summary, table } = await evaluated([
    [1, 0, 1],
    [1, null, null],
  ]);
  assert.deepEqual(
    summary.depths.map(({ accuracy, failed }) => [accuracy, failed]),
    [
      [2 / 3, undefined],
      [1 / 3, 2],
    ],
  );
  assert.deepEqual(
    table.sets['own']!['untrained']!.depths.map(({ failed }) => failed),
    [undefined, 2],
  );
  const view = evaluationView({ ...summary, baselines: [], baselinesFailed: 3 }).join('\n');
  assert.match(view, /tokens +not graded/);
  assert.match(view, /\n *1 .* 2\n/);
  assert.match(view, /3 independent answers could not be graded/);
  assert.match(ablationView(table).join('\n'), /Not graded, counted as wrong.*: untrained 2/);
  assert.match(ablationPage(table), /Not graded, counted as wrong, over all depths and seeds: untrained 2\./);
  assert.match(depthTable([summary]).markup, /Not graded, counted as wrong, over all depths: 2 before/);
});

test('where everything was graded the records have no such key, and nothing is shown', async () => {
  const { summary, table } = await evaluated([
    [1, 0, 1],
    [1, 1, 1],
  ]);
  assert.ok(!JSON.stringify([summary, table]).includes('ailed'));
  for (const shown of [evaluationView(summary), ablationView(table), [depthTable([summary]).markup]])
    assert.ok(!/not graded/i.test(shown.join('\n')));
  assert.ok(!ablationPage(table).includes('Not graded'));
});
