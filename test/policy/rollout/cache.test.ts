import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchCache, CacheRoom } from '../../../activities/policy/rollout/cache.ts';
import { closeGaps } from '../../../activities/policy/rollout/closeGaps.ts';
import { layoutPrompts, maskedScore } from '../../../activities/policy/model/layout.ts';
import { Past } from '../../../activities/policy/model/past.ts';
import type { ModelConfig } from '../../../activities/policy/weights/checkpoint.ts';
import { stream } from '../../../activities/random.ts';

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

/** A number that says which element it is: one of a rollout's generated tokens. */
const mark = (half: number, layer: number, head: number, rollout: number, token: number, i: number) =>
  ((((half * layers + layer) * kv + head) * 20 + rollout) * 100 + token) * width + i;
const halves = ['Key', 'Value'] as const;

/** Outputs of a decode step for these rollouts, row by row, each at its own token. */
function stepOutputs(rows: readonly { rollout: number; token: number }[]) {
  const outputs: Record<string, Float32Array> = {};
  halves.forEach((name, half) => {
    for (let layer = 0; layer < layers; layer++) {
      const values = rows.flatMap(({ rollout, token }) =>
        Array.from({ length: kv * width }, (_, at) =>
          mark(half, layer, Math.floor(at / width), rollout, token, at % width),
        ),
      );
      outputs[`${name.toLowerCase()}.${layer}`] = Float32Array.from(values);
    }
  });
  return outputs;
}

/** Two prompts of 2 and 3 tokens whose first is the same, and what prefill gives for them. */
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

const past = Past.none(config);
const X = Math.fround(maskedScore);
const floats = (feeds: ReturnType<BatchCache['feeds']>, name: string) => feeds[name] as Float32Array;

test('rollouts that come, grow and go each keep their own tokens, behind their own prompt', () => {
  const size = { rows: 12, places: 6, promptLength: 3, maxNewTokens: 70 };
  const cache = new BatchCache(config, size, new CacheRoom());
  const draw = stream(['cache test']);
  /** What must be in the rows: which rollout, of which of the prompts, with how many tokens. */
  let rows: { rollout: number; prompt: number; token: number }[] = [];
  let [next, longest] = [0, 0];
  for (let step = 0; step < 300; step++) {
    if (rows.length <= 6 && next < 18) {
      cache.admit(layout, past, readOutputs, 3);
      for (const prompt of [0, 1])
        for (let i = 0; i < 3; i++) rows.push({ rollout: next++, prompt, token: 0 });
    }
    const kept = closeGaps(rows.length, (row) => rows[row]!.token < 69 && draw() > 0.02);
    if (kept.length < rows.length) cache.keep(kept);
    rows = kept.map((row) => rows[row]!);
    if (rows.length === 0) continue;
    check(cache, rows);
    longest = Math.max(longest, ...rows.map(({ token }) => token));
    cache.append(stepOutputs(rows));
    for (const row of rows) row.token++;
  }
  assert.deepEqual([next, rows.length, cache.places], [18, 0, 0]);
  assert.ok(longest > 40, String(longest));
});

function check(cache: BatchCache, rows: readonly { rollout: number; prompt: number; token: number }[]) {
  const { R, N, G, P, L } = cache.symbols;
  const feeds = cache.feeds();
  assert.equal(R, rows.length);
  assert.deepEqual(
    [...cache.positions],
    rows.map(({ prompt, token }) => BigInt(layout.lengths[prompt]! + token)),
  );
  const [slots, inSlots] = ['slots', 'rows'].map((name) => [...(feeds[name] as BigInt64Array)].map(Number));
  assert.equal(inSlots!.length, N * G);
  assert.equal(new Set(slots).size, R);
  assert.deepEqual(
    slots!.map((slot) => inSlots![slot]),
    rows.map((_, row) => row),
  );
  rows.forEach(({ rollout, prompt, token }, row) => {
    const place = Math.floor(slots![row]! / G);
    const promptMask = floats(feeds, 'promptMask').subarray(place * P, (place + 1) * P);
    assert.deepEqual([...promptMask], [0, 0, prompt === 0 ? X : 0]);
    const mask = floats(feeds, 'generatedMask').subarray(row * L, (row + 1) * L);
    assert.ok(mask.every((score, l) => score === (l < token ? 0 : X)));
    halves.forEach((name, half) => {
      for (let layer = 0; layer < layers; layer++)
        for (let head = 0; head < kv; head++) {
          const own = readOutputs[`suffix${name}.${layer}`]![(head * 2 + prompt) * 2 * width];
          const fed = floats(feeds, `prompt${name}.${layer}`);
          assert.equal(fed[((place * kv + head) * P + 1) * width], own);
          const generated = floats(feeds, `generated${name}.${layer}`);
          assert.equal(generated.length, R * kv * L * width);
          for (let l = 0; l < token; l++)
            for (let i = 0; i < width; i++)
              if (
                generated[((row * kv + head) * L + l) * width + i] !== mark(half, layer, head, rollout, l, i)
              )
                assert.fail(`token ${l} of rollout ${rollout} is not in row ${row}`);
        }
    });
  });
}

test('a prompt is what was read once for all, then its own tokens; the rest is hidden', () => {
  const size = { rows: 2, places: 2, promptLength: 3, maxNewTokens: 4 };
  const cache = new BatchCache(config, size, new CacheRoom());
  cache.admit(layout, past, readOutputs, 1);
  const feeds = cache.feeds();
  const fed = floats(feeds, 'promptValue.1');
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
    assert.deepEqual([...row(0, head)].slice(0, 2 * width), [...common, ...own(0, head, 1)]);
    assert.deepEqual([...row(1, head)], [...common, ...own(1, head, 2)]);
  }
  assert.deepEqual([...floats(feeds, 'promptMask')], [0, 0, X, 0, 0, 0]);
});

test('a cache gets shorter when what is left needs no more than half', () => {
  const size = { rows: 4, places: 4, promptLength: 3, maxNewTokens: 64 };
  const cache = new BatchCache(config, size, new CacheRoom());
  cache.admit(layout, past, readOutputs, 1);
  const rows = [0, 1].map((rollout) => ({ rollout, token: 0 }));
  const step = () => {
    cache.append(stepOutputs(rows));
    for (const row of rows) row.token++;
  };
  for (let token = 0; token < 40; token++) step();
  cache.admit(layout, past, readOutputs, 1);
  rows.push(...[2, 3].map((rollout) => ({ rollout, token: 0 })));
  step();
  assert.equal(cache.symbols.L, 48);
  cache.keep([2, 3]);
  assert.equal(cache.symbols.L, 16);
});
