import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';
import { openDevice } from '../../../activities/policy/engine/device.ts';
import type {
  Blob,
  Completion,
  SamplePrompt,
  TrainGroup,
  UpdateRequest,
} from '../../../activities/policy/policy.ts';
import { openTokenizer } from '../../../activities/policy/tokenizer/tokenizer.ts';
import { decodeParameters } from '../../../activities/policy/weights/parameters.ts';
import { keyOf, keyToHex } from '../../../activities/random.ts';
import type { TrainingConfig } from '../../../workflows/contract/config.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { plainTraining } from '../../training.ts';
import { modelPath } from '../model.ts';

/** Sampling and learning of the real model, through the engine process. */

const path = await modelPath();
const engine = await openDevice({ modelPath: path, threads: 2 });
after(() => engine.close());
const tokenizer = await openTokenizer(path);

const training: TrainingConfig = {
  ...plainTraining,
  learningRate: 1e-3,
  klCoefficient: 0.001,
  lora: { rank: 8, alpha: 16, targets: ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] },
};
const maxNewTokens = 16;
const prompts = ['3 + 4', '12 - 5'].map((sum, index): SamplePrompt => {
  const text = tokenizer.renderPrompt([{ role: 'user', content: `What is ${sum}? Give only the number.` }]);
  return {
    tokenIds: tokenizer.encode(text),
    keys: [0, 1, 2, 3].map((rollout) => keyToHex(keyOf(['learning test', index, rollout]))),
  };
});

/** A blob that counts how often its bytes were asked for. */
function blobOf(bytes: Uint8Array): Blob & { loads: number } {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const blob = { sha256, loads: 0, load: async () => (blob.loads++, bytes) };
  return blob;
}
const sample = (adapter: Blob) =>
  engine.generate(adapter, prompts, {
    maxNewTokens,
    temperature: 1,
    topK: null,
    topP: null,
    stopStrings: [],
  });
const crash = () => process.kill(engine.processId()!, 'SIGKILL');
const isCrash = (error: unknown) => error instanceof TypedFailure && error.type === 'EngineCrashed';

/** Sum of the log-probs of each completion under a policy. */
async function totals(adapter: Blob, completions: Completion[][]): Promise<number[][]> {
  const flat = prompts.flatMap(({ tokenIds }, i) =>
    completions[i]!.map((completion) => [...tokenIds, ...completion.tokenIds]),
  );
  const read = await engine.logProbs(adapter, flat);
  let next = 0;
  return prompts.map(({ tokenIds }, i) =>
    completions[i]!.map((completion) => {
      const scored = read[next++]!.slice(tokenIds.length);
      assert.equal(scored.length, completion.tokenIds.length);
      return scored.reduce<number>((sum, logProb) => sum + logProb!, 0);
    }),
  );
}

test('sampling, reading and training are one model; learning works and is the same after a crash', async () => {
  const start = blobOf(await engine.initialPolicy(training.lora, '0123456789abcdef'));
  const completions = await sample(start);
  assert.equal(start.loads, 1);

  const before = await totals(start, completions);
  assert.equal(start.loads, 1, 'the engine holds what it was given');
  completions.forEach((group, i) =>
    group.forEach(({ logProbs }, g) => {
      const sampled = logProbs.reduce((sum, logProb) => sum + logProb, 0);
      assert.ok(Math.abs(sampled - before[i]![g]!) < 1e-3 * logProbs.length);
    }),
  );

  // The completion of each group that the policy finds least likely by token is rewarded.
  const groups = completions.map((group, i): TrainGroup => {
    const likely = group.map(({ tokenIds }, g) => before[i]![g]! / tokenIds.length);
    const rewarded = likely.indexOf(Math.min(...likely));
    return {
      promptIds: prompts[i]!.tokenIds,
      completions: group.map(({ tokenIds, logProbs, policyLogProbs }, g) => ({
        tokenIds,
        logProbs,
        policyLogProbs,
        advantage: g === rewarded ? Math.sqrt(3) : -1 / Math.sqrt(3),
        trained: true,
      })),
    };
  });
  const request = (policy: Blob, optimizer: Blob | null): UpdateRequest => ({
    policy,
    optimizer,
    reference: start,
    groups,
    temperature: 1,
    training,
    maxNewTokens,
  });

  const first = await engine.update(request(start, null));
  assert.ok(first.metrics.samplerMismatch < 1e-3, `mismatch ${first.metrics.samplerMismatch}`);
  assert.ok(first.peakResidentBytes > 100e6, `resident ${first.peakResidentBytes}`);
  assert.ok(first.metrics.entropy > 0 && first.metrics.entropy < 3, `entropy ${first.metrics.entropy}`);
  assert.ok(first.metrics.kl < 1e-4, `KL of the first step ${first.metrics.kl}`);
  const [adapter, optimizer] = [blobOf(first.policy), blobOf(first.optimizer)];
  const second = await engine.update(request(adapter, optimizer));
  assert.deepEqual([adapter.loads, optimizer.loads], [0, 0], 'the engine holds what it made');
  assert.ok(second.metrics.kl > 0);

  const after = await totals(blobOf(second.policy), completions);
  groups.forEach((group, i) =>
    group.completions.forEach(({ advantage }, g) => {
      const change = after[i]![g]! - before[i]![g]!;
      if (advantage > 0) assert.ok(change > 1, `rewarded completion ${i}/${g} changed by ${change}`);
    }),
  );

  // A new process gives the same tokens, log-probs and weights.
  const interrupted = engine.update(request(adapter, optimizer), {
    onProgress: ({ phase }) => phase === 'update' && crash(),
  });
  await assert.rejects(interrupted, isCrash);
  assert.deepEqual(await sample(start), completions);
  const again = await engine.update(request(adapter, optimizer));
  assert.deepEqual([start.loads, adapter.loads, optimizer.loads], [2, 1, 1]);
  assert.deepEqual(again.metrics, second.metrics);
  assert.ok(Buffer.from(again.policy).equals(second.policy));
  assert.ok(Buffer.from(again.optimizer).equals(second.optimizer));
});

test('blending goes from the reference to the policy', async () => {
  const [one, other] = [
    blobOf(await engine.initialPolicy(training.lora, '00')),
    blobOf(await engine.initialPolicy(training.lora, '01')),
  ];
  const values = async (blob: Blob) =>
    [...decodeParameters(await blob.load()).tensors.values()].flatMap(({ data }) => [...data.subarray(0, 5)]);
  const half = blobOf(await engine.blend(one, other, 0.25));
  const [from, to, between] = [await values(one), await values(other), await values(half)];
  assert.ok(from.some((value, i) => value !== to[i]));
  between.forEach((value, i) => assert.equal(value, Math.fround(0.75 * from[i]! + 0.25 * to[i]!)));
  assert.equal(blobOf(await engine.blend(one, other, 1)).sha256, other.sha256);
});
