import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CacheRoom, WaveCache } from '../../../activities/policy/rollout/cache.ts';
import type { ModelConfig } from '../../../activities/policy/weights/checkpoint.ts';

const config: ModelConfig = {
  family: 'llama',
  hidden: 8,
  intermediate: 8,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  headDim: 3,
  vocabulary: 10,
  ropeTheta: 10_000,
  ropeDivisors: null,
  normEpsilon: 1e-5,
  contextLength: 100,
  tiedHead: true,
};
const { layers, keyValueHeads: kv, headDim: width } = config;

/** A number that says which element it is. */
const mark = (
  half: number,
  layer: number,
  prompt: number,
  head: number,
  rollout: number,
  token: number,
  i: number,
) =>
  ((((((half * layers + layer) * 10 + prompt) * kv + head) * 10 + rollout) * 100 + token) * width + i) %
  16_777_213;
const halves = ['Key', 'Value'] as const;

/** Outputs of a decode step for the rollouts of `names`: [prompt][place] → its original rollout. */
function stepOutputs(names: { prompt: number; rollouts: number[] }[], token: number) {
  const outputs: Record<string, Float32Array> = {};
  halves.forEach((name, half) => {
    for (let layer = 0; layer < layers; layer++) {
      const values: number[] = [];
      for (const { prompt, rollouts } of names)
        for (let head = 0; head < kv; head++)
          for (const rollout of rollouts)
            for (let i = 0; i < width; i++) values.push(mark(half, layer, prompt, head, rollout, token, i));
      outputs[`${name.toLowerCase()}.${layer}`] = Float32Array.from(values);
    }
  });
  return outputs;
}

test('a cache that grows and shrinks feeds every kept rollout its own tokens', () => {
  const room = new CacheRoom();
  const size = { prompts: 3, rollouts: 4, promptLength: 2, maxNewTokens: 70 };
  const cache = new WaveCache(config, size, room);
  let names = [0, 1, 2].map((prompt) => ({ prompt, rollouts: [0, 1, 2, 3] }));
  const promptOutputs: Record<string, Float32Array> = {};
  halves.forEach((name, half) => {
    for (let layer = 0; layer < layers; layer++)
      promptOutputs[`prompt${name}.${layer}`] = Float32Array.from(
        { length: 3 * kv * 2 * width },
        (_, i) => half * 1000 + layer * 100 + i,
      );
  });
  cache.setPrompts(0, 2, promptOutputs);

  for (let token = 0; token < 69; token++) {
    cache.append(stepOutputs(names, token));
    if (token === 20) {
      cache.keep([
        { prompt: 0, rollouts: [0, 2, 3] },
        { prompt: 1, rollouts: [1, 2, 3] },
        { prompt: 2, rollouts: [0, 1, 3] },
      ]);
      names = [
        { prompt: 0, rollouts: [0, 2, 3] },
        { prompt: 1, rollouts: [1, 2, 3] },
        { prompt: 2, rollouts: [0, 1, 3] },
      ];
    }
    if (token === 40) {
      cache.keep([
        { prompt: 1, rollouts: [2] },
        { prompt: 2, rollouts: [1] },
      ]);
      names = [
        { prompt: 1, rollouts: [3] },
        { prompt: 2, rollouts: [1] },
      ];
    }
  }

  const feeds = cache.feeds();
  assert.equal(cache.filled, 69);
  halves.forEach((name, half) => {
    for (let layer = 0; layer < layers; layer++) {
      const generated = feeds[`generated${name}.${layer}`]!;
      assert.equal(generated.length, 2 * kv * 1 * cache.length * width);
      names.forEach(({ prompt, rollouts }, place) => {
        for (let head = 0; head < kv; head++)
          for (let token = 0; token < 69; token++)
            for (let i = 0; i < width; i++)
              assert.equal(
                generated[((place * kv + head) * cache.length + token) * width + i],
                mark(half, layer, prompt, head, rollouts[0]!, token, i),
              );
      });
      const perPrompt = kv * 2 * width;
      assert.deepEqual(
        feeds[`prompt${name}.${layer}`],
        promptOutputs[`prompt${name}.${layer}`]!.subarray(perPrompt, 3 * perPrompt),
      );
    }
  });
});

test('prompts read in parts are padded to the wave', () => {
  const room = new CacheRoom();
  const cache = new WaveCache(config, { prompts: 2, rollouts: 1, promptLength: 3, maxNewTokens: 4 }, room);
  const part = (length: number, base: number) =>
    Object.fromEntries(
      halves.flatMap((name) =>
        [0, 1].map((layer) => [
          `prompt${name}.${layer}`,
          Float32Array.from({ length: kv * length * width }, (_, i) => base + i),
        ]),
      ),
    );
  cache.setPrompts(0, 3, part(3, 1000));
  cache.setPrompts(1, 2, part(2, 2000));
  const fed = cache.feeds()['promptKey.1']!;
  assert.equal(fed.length, 2 * kv * 3 * width);
  assert.equal(fed[0], 1000);
  for (let head = 0; head < kv; head++)
    assert.deepEqual(
      [...fed.subarray((kv + head) * 3 * width, (kv + head) * 3 * width + 2 * width)],
      Array.from({ length: 2 * width }, (_, i) => 2000 + head * 2 * width + i),
    );
});
