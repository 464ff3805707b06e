import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';
import { openDevice } from '../../../activities/policy/engine/device.ts';
import type { Blob, Completion, Precision, SamplePrompt } from '../../../activities/policy/policy.ts';
import { openTokenizer } from '../../../activities/policy/tokenizer/tokenizer.ts';
import { openCheckpoint } from '../../../activities/policy/weights/checkpoint.ts';
import { encodeParameters } from '../../../activities/policy/weights/parameters.ts';
import { keyOf, keyToHex } from '../../../activities/random.ts';
import { plainTraining } from '../../training.ts';
import { fixtureAdapter } from '../fixtureAdapter.ts';
import { modelPath } from '../model.ts';

/** Sampling of the real model in 8 bits, with an adapter that changes it much, and learning from that. */

const path = await modelPath();
const engine = await openDevice({ modelPath: path, threads: 2 });
after(() => engine.close());
const tokenizer = await openTokenizer(path);

const blobOf = (bytes: Uint8Array): Blob => ({
  sha256: createHash('sha256').update(bytes).digest('hex'),
  load: () => Promise.resolve(bytes),
});
const rounded = fixtureAdapter((await openCheckpoint(path)).config, 8, 16);
const adapter = blobOf(encodeParameters({ trainable: rounded.lora, tensors: rounded.tensors }));

const questions = ['What is 17 + 25?', 'Write one sentence about the sea.', 'List three colours.'];
const prompts = questions.map((content, index): SamplePrompt => ({
  tokenIds: tokenizer.encode(tokenizer.renderPrompt([{ role: 'user', content }])),
  keys: [0, 1, 2, 3].map((rollout) => keyToHex(keyOf(['quantised test', index, rollout]))),
}));
const maxNewTokens = 24;
const options = { maxNewTokens, temperature: 1, topK: null, topP: null, stopStrings: [] };
const sample = (precision: Precision, device = engine) =>
  device.generate(adapter, prompts, { ...options, precision });

/** |log-prob when sampled − exact log-prob| of every token. */
async function differences(groups: Completion[][]): Promise<number[]> {
  const completions = groups.flatMap((group, i) => group.map((completion) => ({ i, completion })));
  const read = await engine.logProbs(
    adapter,
    completions.map(({ i, completion }) => [...prompts[i]!.tokenIds, ...completion.tokenIds]),
  );
  return completions.flatMap(({ i, completion }, n) =>
    completion.logProbs.map((logProb, t) => Math.abs(logProb - read[n]![prompts[i]!.tokenIds.length + t]!)),
  );
}
const meanOf = (numbers: number[]) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

test('sampling in 8 bits: near the policy, the same in any process, nothing left of it in float32', async () => {
  const exact = await sample('float32');
  const inEightBits = await sample('w8a8');
  const mean = meanOf(await differences(inEightBits));
  // Measured 0.07. Codes of another weight, a wrong scale or a missing adapter would give 1 and more.
  assert.ok(mean > 0.02 && mean < 0.15, `mean |Δ log-prob| ${mean}`);
  assert.ok(Math.max(...(await differences(exact))) < 1e-3);
  assert.deepEqual(await sample('w8a8'), inEightBits);
  assert.deepEqual(await sample('float32'), exact);

  const fresh = await openDevice({ modelPath: path, threads: 2 });
  assert.deepEqual(await sample('w8a8', fresh), inEightBits);
  await fresh.close();
});

test('an update on rollouts sampled in 8 bits weighs them by importance and says how far off they were', async () => {
  const groups = await sample('w8a8');
  const off = await differences(groups);
  const { metrics } = await engine.update({
    policy: adapter,
    optimizer: null,
    reference: null,
    groups: groups.map((group, i) => ({
      promptIds: prompts[i]!.tokenIds,
      completions: group.map(({ tokenIds, logProbs, policyLogProbs }, rollout) => ({
        tokenIds,
        logProbs,
        policyLogProbs,
        advantage: rollout % 2 === 0 ? 1 : -1,
        trained: true,
      })),
    })),
    training: {
      ...plainTraining,
      importanceCap: 2,
      lora: { ...rounded.lora, targets: [...rounded.lora.targets] },
    },
    temperature: 1,
    maxNewTokens,
  });
  assert.ok(Math.abs(metrics.samplerMismatch - meanOf(off)) < 1e-3, `mismatch ${metrics.samplerMismatch}`);
  assert.ok(Math.abs(metrics.largestMismatch - Math.max(...off)) < 1e-2, `${metrics.largestMismatch}`);
  assert.ok(metrics.importanceWeight !== 1 && Math.abs(metrics.importanceWeight - 1) < 0.1);
  for (const [name, value] of Object.entries(metrics))
    assert.ok(Number.isFinite(value), `${name} is ${value}`);
});
