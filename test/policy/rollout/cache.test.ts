import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchCache, CacheRoom } from '../../../activities/policy/rollout/cache.ts';
import { layoutPrompts, maskedScore } from '../../../activities/policy/model/layout.ts';
import { Past } from '../../../activities/policy/model/past.ts';
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

/** What prefill gives for two prompts of 2 and 3 tokens whose first is the same. */
const layout = layoutPrompts(
  [
    [4, 5],
    [4, 6, 7],
  ],
  1,
);
const readOutputs = Object.fromEntries(
  halves.flatMap((name, half) =>
    [0, 1].flatMap((layer) => [
      [
        `prefix${name}.${layer}`,
        Float32Array.from({ length: kv * width }, (_, i) => -1000 * (1 + half) - 100 * layer - i),
      ],
      [
        `suffix${name}.${layer}`,
        Float32Array.from({ length: kv * 2 * 2 * width }, (_, i) => 1000 * (1 + half) + 100 * layer + i),
      ],
    ]),
  ),
);

test('a cache that grows and shrinks feeds every kept rollout its own tokens', () => {
  const size = { places: 3, rollouts: 4, promptLength: 3, maxNewTokens: 70 };
  const cache = new BatchCache(config, size, new CacheRoom());
  cache.setPrompt(0, 0, layout, Past.none(config), readOutputs);
  cache.setPrompt(1, 1, layout, Past.none(config), readOutputs);
  cache.setPrompt(2, 0, layout, Past.none(config), readOutputs);
  let names = [0, 1, 2].map((prompt) => ({ prompt, rollouts: [0, 1, 2, 3] }));
  const slots = () => Array.from({ length: cache.places * cache.rollouts }, (_, slot) => slot);
  for (let token = 0; token < 69; token++) {
    cache.append(slots(), stepOutputs(names, token));
    if (token === 20) {
      const rollouts = [
        [0, 2, 3],
        [1, 2, 3],
        [0, 1, 3],
      ];
      cache.keep(rollouts.map((chosen, place) => ({ place, rollouts: chosen })));
      names = rollouts.map((chosen, prompt) => ({ prompt, rollouts: chosen }));
    }
    if (token === 40) {
      cache.keep([
        { place: 1, rollouts: [2] },
        { place: 2, rollouts: [1] },
      ]);
      names = [
        { prompt: 1, rollouts: [3] },
        { prompt: 2, rollouts: [1] },
      ];
    }
  }

  const feeds = cache.feeds();
  assert.deepEqual([cache.nextPosition(0), cache.nextPosition(1)], [3 + 69, 2 + 69]);
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
    }
  });
});

test('a prompt is what was read once for all, then its own tokens; the rest is hidden', () => {
  const size = { places: 2, rollouts: 1, promptLength: 3, maxNewTokens: 4 };
  const cache = new BatchCache(config, size, new CacheRoom());
  cache.setPrompt(1, 0, layout, Past.none(config), readOutputs);
  cache.setPrompt(0, 1, layout, Past.none(config), readOutputs);
  const feeds = cache.feeds();
  const fed = feeds['promptValue.1']!;
  const prefix = readOutputs['prefixValue.1']!;
  const suffix = readOutputs['suffixValue.1']!;
  const row = (place: number, head: number) =>
    fed.subarray((place * kv + head) * 3 * width, (place * kv + head + 1) * 3 * width);
  const own = (prompt: number, head: number, count: number) => {
    const start = (head * 2 + prompt) * 2 * width;
    return [...suffix.subarray(start, start + count * width)];
  };
  for (let head = 0; head < kv; head++) {
    const common = [...prefix.subarray(head * width, (head + 1) * width)];
    assert.deepEqual([...row(0, head)], [...common, ...own(1, head, 2)]);
    assert.deepEqual([...row(1, head)].slice(0, 2 * width), [...common, ...own(0, head, 1)]);
  }
  const X = Math.fround(maskedScore);
  assert.deepEqual([...feeds['promptMask']!], [0, 0, 0, 0, 0, X]);
});

test('slots of one batch are filled each to its own length, and a new prompt starts empty', () => {
  const size = { places: 2, rollouts: 2, promptLength: 3, maxNewTokens: 40 };
  const cache = new BatchCache(config, size, new CacheRoom());
  cache.setPrompt(0, 0, layout, Past.none(config), readOutputs);
  cache.setPrompt(1, 1, layout, Past.none(config), readOutputs);
  const names = [0, 1].map((prompt) => ({ prompt, rollouts: [0, 1] }));
  const append = (slots: number[], token: number) => cache.append(slots, stepOutputs(names, token));
  append([0, 1, 2, 3], 0);
  append([1, 2], 1);
  cache.setPrompt(0, 1, layout, Past.none(config), readOutputs);
  append([0, 2], 2);
  assert.deepEqual(
    [0, 1, 2, 3].map((slot) => cache.nextPosition(slot)),
    [3 + 1, 3 + 0, 3 + 3, 3 + 1],
  );
  const { generatedMask } = cache.feeds();
  const visible = [0, 1, 2, 3].map((slot) =>
    [...generatedMask!.subarray(slot * cache.length, (slot + 1) * cache.length)].filter((mask) => mask === 0),
  );
  assert.deepEqual(
    visible.map(({ length }) => length),
    [1, 0, 3, 1],
  );
  const generated = cache.feeds()['generatedKey.0']!;
  for (let i = 0; i < width; i++) {
    // Slot 0 (place 0, rollout 0), head 1: its first token is the one of the newest step.
    assert.equal(generated[((0 * kv + 1) * 2 + 0) * cache.length * width + i], mark(0, 0, 0, 1, 0, 2, i));
    // Slot 2 (place 1, rollout 0), head 0: its third.
    assert.equal(
      generated[(((1 * kv + 0) * 2 + 0) * cache.length + 2) * width + i],
      mark(0, 0, 1, 0, 0, 2, i),
    );
  }
});
