import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrangeWeights, decodeProgram, prefillProgram } from '../../../activities/policy/model/programs.ts';
import { generate } from '../../../activities/policy/rollout/generate.ts';
import { openCheckpoint } from '../../../activities/policy/weights/checkpoint.ts';
import { keyOf, keyToHex } from '../../../activities/random.ts';
import { golden } from '../model/golden.ts';
import { modelPath } from '../model.ts';

test('256 greedy tokens of the real model equal those of transformers', async () => {
  const prompts = await golden<{ promptIds: number[]; greedy: number[] }[]>('greedy.json');
  const weights = arrangeWeights(await openCheckpoint(await modelPath()));
  const sampling = {
    config: weights.config,
    prefill: await prefillProgram(weights, null, { threads: 2 }, 'distribution'),
    decode: await decodeProgram(weights, null, { threads: 2 }, 'distribution'),
    adapter: {},
    tokenizer: { decode: () => '', stopTokenIds: [] },
  };
  const asked = prompts.map(({ promptIds }) => ({
    tokenIds: promptIds,
    keys: [keyToHex(keyOf(['greedy']))],
  }));
  const options = { maxNewTokens: 256, temperature: 0, topK: null, topP: null, stopStrings: [] };
  const groups = await generate(sampling, asked, options, async () => undefined);
  await sampling.prefill.release();
  await sampling.decode.release();
  prompts.forEach(({ greedy }, index) => {
    assert.equal(greedy.length, 256);
    assert.deepEqual(groups[index]![0]!.tokenIds, greedy);
  });
});
