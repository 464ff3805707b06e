import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';
import { openDevice } from '../../../activities/policy/engine/device.ts';
import type { Blob, Completion, SamplePrompt, UpdateRequest } from '../../../activities/policy/policy.ts';
import { decodeParameters } from '../../../activities/policy/weights/parameters.ts';
import { keyOf, keyToHex } from '../../../activities/random.ts';
import { plainTraining } from '../../training.ts';
import { fixture } from '../model/golden.ts';

/** A policy that trains all weights, through the engine process. */

const engine = await openDevice({ modelPath: fixture('families/qwen2-untied').pathname, threads: 1 });
after(() => engine.close());

const prompts = [0, 1].map((index): SamplePrompt => ({
  tokenIds: [5, 9, 7 + index, 9],
  keys: [0, 1, 2, 3].map((rollout) => keyToHex(keyOf(['full test', index, rollout]))),
}));
const sample = (policy: Blob | null) =>
  engine.generate(policy, prompts, {
    maxNewTokens: 12,
    temperature: 1,
    topK: null,
    topP: null,
    stopStrings: [],
  });

function blobOf(bytes: Uint8Array): Blob {
  return { sha256: createHash('sha256').update(bytes).digest('hex'), load: async () => bytes };
}

/** Whether what was sampled has the log-probs that reading it under a policy gives. */
async function assertSampledBy(policy: Blob, completions: Completion[][]): Promise<void> {
  const texts = prompts.flatMap(({ tokenIds }, i) =>
    completions[i]!.map((completion) => [...tokenIds, ...completion.tokenIds]),
  );
  const read = await engine.logProbs(policy, texts);
  completions.flat().forEach(({ logProbs }, i) =>
    logProbs.forEach((logProb, t) => {
      const expected = read[i]![prompts[0]!.tokenIds.length + t]!;
      assert.ok(Math.abs(logProb - expected) < 1e-4, `${logProb} sampled, ${expected} read`);
    }),
  );
}

test('all weights: begins as the model is, moves, goes back; the same in a fresh process', async () => {
  const start = blobOf(await engine.initialPolicy(null, '00'));
  const before = await sample(start);
  assert.deepEqual(before, await sample(null));

  const request = (policy: Blob, optimizer: Blob | null): UpdateRequest => ({
    policy,
    optimizer,
    reference: start,
    groups: before.map((group, i) => ({
      promptIds: prompts[i]!.tokenIds,
      completions: group.map((completion, g) => ({
        ...completion,
        advantage: g === 0 ? Math.sqrt(3) : -1 / Math.sqrt(3),
        trained: true,
      })),
    })),
    temperature: 1,
    training: { ...plainTraining, lora: null, learningRate: 1e-2, klCoefficient: 0.01, minibatches: 2 },
    maxNewTokens: 12,
  });
  const first = await engine.update(request(start, null));
  assert.ok(first.metrics.samplerMismatch < 1e-4);
  const policy = blobOf(first.policy);
  const [from, to] = [decodeParameters(await start.load()), decodeParameters(first.policy)];
  assert.equal(to.trainable, 'full');
  for (const [name, { data }] of to.tensors)
    assert.ok(
      data.some((value, i) => value !== from.tensors.get(name)!.data[i]),
      `${name} did not move`,
    );

  const after = await sample(policy);
  assert.notDeepEqual(after, before);
  await assertSampledBy(policy, after);
  assert.deepEqual(await sample(start), before);

  const second = await engine.update(request(policy, blobOf(first.optimizer)));
  assert.ok(second.metrics.kl > 0);
  process.kill(engine.processId()!, 'SIGKILL');
  await assert.rejects(engine.model(), { name: 'EngineCrashed' });
  const again = await engine.update(request(policy, blobOf(first.optimizer)));
  assert.deepEqual(again.metrics, second.metrics);
  assert.ok(Buffer.from(again.policy).equals(second.policy));
  assert.ok(Buffer.from(again.optimizer).equals(second.optimizer));
  assert.deepEqual(await sample(policy), after);

  assert.equal(blobOf(await engine.blend(start, policy, 1)).sha256, policy.sha256);
});

test('an update refuses a reference with other parameters', async () => {
  const policy = blobOf(await engine.initialPolicy(null, '00'));
  const adapter = blobOf(await engine.initialPolicy(plainTraining.lora, '00'));
  const update = engine.update({
    policy,
    optimizer: null,
    reference: adapter,
    groups: [],
    temperature: 1,
    training: { ...plainTraining, lora: null, klCoefficient: 0.1 },
    maxNewTokens: 12,
  });
  await assert.rejects(update, /the reference must have the same parameters as the policy/);
});
