import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { generationOfFolder, keys, runKeyOfFolder } from '../../activities/artifacts/keys.ts';

test('keys are legible', () => {
  const run = 'my-run@1a2b3c4d';
  const generation = { kind: 'generation', generation: 7 } as const;
  const drafts = { kind: 'drafts', generation: 7 } as const;
  const evaluation = { kind: 'evaluation', generation: 7, depth: 2 } as const;
  assert.deepEqual(
    [
      keys.config(run),
      keys.manifest(run, 7),
      keys.plan(run, generation),
      keys.rollouts(run, generation, 2),
      keys.graded(run, generation, 2),
      keys.groups(run, 7),
      keys.policy(run, 7, 'adapter'),
      keys.policy(run, 7, 'full'),
      keys.step(run, generation, 'iterate', 2),
      keys.step(run, generation, 'score'),
      keys.plan(run, drafts),
      keys.graded(run, drafts, 2),
      keys.step(run, drafts, 'iterate', 2),
      keys.rollouts(run, evaluation, 0),
      keys.evaluationRows(run, 7, 2),
      keys.evaluationSummary(run, 7),
      keys.history(run, 'my-run/gen-0007'),
    ].map((key) => key.replace('runs/my-run@1a2b3c4d/', '')),
    [
      'config.json',
      'generations/0007/manifest.json',
      'generations/0007/plan.json',
      'generations/0007/rollouts-02.parquet',
      'generations/0007/graded-02.parquet',
      'generations/0007/groups.parquet',
      'generations/0007/policy/adapter_model.safetensors',
      'generations/0007/policy/model.safetensors',
      'generations/0007/steps/iterate-02.json',
      'generations/0007/steps/score.json',
      'generations/0007/drafts/plan.json',
      'generations/0007/drafts/graded-02.parquet',
      'generations/0007/drafts/steps/iterate-02.json',
      'evaluations/0007/depth-2/rollouts-00.parquet',
      'evaluations/0007/depth-2.parquet',
      'evaluations/0007/summary.json',
      'histories/my-run%2Fgen-0007.json',
    ],
  );
});

test('any run key stays in a folder of its own and is read back from it', () => {
  // Fifteen characters of the longest kind do not fit; see the next test.
  const runKey = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 15 })
    .filter((key) => encodeURIComponent(key).length <= 200);
  fc.assert(
    fc.property(fc.oneof(runKey, fc.constantFrom('..', '.', 'a/../b', 'a//b', '%2F', "it's (1)*")), (key) => {
      const folder = keys.run(key);
      assert.match(folder, /^runs\/[\w.@%-]+\/$/);
      assert.doesNotMatch(folder, /\/\.+\//);
      assert.equal(runKeyOfFolder(folder), key);
    }),
  );
});

test('names that no folder can have are refused', () => {
  for (const name of ['', 'x'.repeat(251), 'é'.repeat(100)])
    assert.throws(() => keys.run(name), { name: 'ArtifactInvalid', message: /shorter workflow id/ });
});

test('generations sort and are read back', () => {
  assert.equal(generationOfFolder('runs/a@b/generations/0012/'), 12);
  assert.ok(keys.manifest('a', 9) < keys.manifest('a', 10));
});
