import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Past } from '../../../activities/policy/model/past.ts';
import { decodeProgram, prefillProgram } from '../../../activities/policy/model/programs.ts';
import { layoutPrompts } from '../../../activities/policy/model/layout.ts';
import { generate } from '../../../activities/policy/rollout/generate.ts';
import { openCheckpoint } from '../../../activities/policy/weights/checkpoint.ts';
import { tensorShapes } from '../../../activities/policy/weights/tensors.ts';
import { keyOf, keyToHex } from '../../../activities/random.ts';
import { bytes, completionsOf, fixture, golden, groupsOf, plainObjective, policyOf } from './golden.ts';
import type { GoldenGroup } from './golden.ts';
import { byReading, bySampling, byScoring, byTraining, cosine, largestDifference } from './paths.ts';

interface GoldenFamily {
  prompt: number[];
  positions: number[];
  logits: string;
  greedy: number[];
  rank: number;
  alpha: number;
  groups: GoldenGroup[];
  gradients: Record<string, string>;
}
const pathOf = (name: string) => fixture(`families/${name}`).pathname;

for (const name of ['qwen2-tied', 'qwen2-untied', 'llama3']) {
  test(`${name}: folder and GGUF file hold the same model`, async () => {
    const [folder, file] = [await openCheckpoint(pathOf(name)), await openCheckpoint(pathOf(`${name}.gguf`))];
    const rounded = ({ config }: typeof folder) => ({
      ...config,
      normEpsilon: Math.fround(config.normEpsilon),
      ropeDivisors: config.ropeDivisors?.map((divisor) => divisor.toFixed(5)) ?? null,
    });
    assert.deepEqual(rounded(folder), rounded(file));
    assert.equal(folder.parameters, file.parameters);
    for (const tensor of tensorShapes(folder.config).keys())
      assert.deepEqual(folder.tensor(tensor), file.tensor(tensor), tensor);
  });

  for (const form of [name, `${name}.gguf`]) {
    test(`${form}: logits, and greedy tokens to the end of the context, equal those of transformers`, async () => {
      const expected = await golden<GoldenFamily>(`families/${name}.json`);
      const { weights } = await policyOf(pathOf(form), expected);
      const { config } = weights;

      const prefill = await prefillProgram(weights, null, { threads: 1 }, 'distribution');
      const layout = layoutPrompts(expected.positions.map((at) => expected.prompt.slice(0, at + 1)));
      const temperature = new Float32Array(expected.positions.length).fill(1);
      const { logits } = await prefill.run(layout.symbols, {
        ...layout.feeds,
        ...Past.none(config).feeds,
        temperature,
      });
      await prefill.release();
      const reference = new Float32Array(bytes(expected.logits));
      assert.ok(largestDifference(logits!, reference) <= 1e-4, `${largestDifference(logits!, reference)}`);

      const sampling = {
        config,
        prefill: await prefillProgram(weights, null, { threads: 1 }, 'distribution'),
        decode: await decodeProgram(weights, null, { threads: 1 }, 'distribution'),
        tokenizer: { decode: () => '', stopTokenIds: [] },
      };
      const prompts = [{ tokenIds: expected.prompt, keys: [keyToHex(keyOf(['greedy']))] }];
      const options = {
        maxNewTokens: expected.greedy.length,
        temperature: 0,
        topK: null,
        topP: null,
        stopStrings: [],
      };
      const [[continuation] = []] = await generate(sampling, prompts, options, async () => undefined);
      await sampling.prefill.release();
      await sampling.decode.release();
      assert.equal(expected.prompt.length + expected.greedy.length, config.contextLength);
      assert.deepEqual(continuation?.tokenIds, expected.greedy);
    });

    test(`${form}: adapter gradients, checkpointed or not, equal those of PyTorch and PEFT in double precision`, async () => {
      const expected = await golden<GoldenFamily>(`families/${name}.json`);
      const policy = await policyOf(pathOf(form), expected);
      const { groups } = expected;
      const results = await byTraining(policy, groupsOf(groups), plainObjective(groups));
      assert.deepEqual(await byTraining(policy, groupsOf(groups), plainObjective(groups), true), results);
      const logProbs = completionsOf(groups).flatMap((completion) => completion.logProbs);
      assert.ok(largestDifference(results['logProbs']!, logProbs) <= 1e-4);
      assert.deepEqual(Object.keys(expected.gradients).sort(), Object.keys(policy.tensors).sort());
      for (const [tensor, packed] of Object.entries(expected.gradients)) {
        const [gradient, reference] = [results[`gradient.${tensor}`]!, new Float32Array(bytes(packed))];
        const ratio = Math.hypot(...gradient) / Math.hypot(...reference);
        assert.ok(cosine(gradient, reference) >= 0.99999, `${tensor}: ${cosine(gradient, reference)}`);
        assert.ok(Math.abs(ratio - 1) <= 1e-3, `${tensor}: norm is ${ratio} of the expected`);
      }
    });
  }

  test(`${name}: sampling, scoring, reading and training are one model`, async () => {
    const expected = await golden<GoldenFamily>(`families/${name}.json`);
    const policy = await policyOf(pathOf(name), expected);
    const groups = groupsOf(expected.groups);
    const scored = await byScoring(policy, groups);
    const trained = await byTraining(policy, groups, plainObjective(expected.groups));
    assert.ok(largestDifference(await bySampling(policy, groups), scored) <= 1e-4);
    assert.ok(largestDifference(await byReading(policy, groups), scored) <= 1e-4);
    assert.ok(largestDifference(trained['logProbs']!, scored) <= 1e-4);
  });

  test(`${name}: decoding in 8 bits is near it, and not it`, async () => {
    const expected = await golden<GoldenFamily>(`families/${name}.json`);
    const policy = await policyOf(pathOf(name), expected);
    const groups = groupsOf(expected.groups);
    const scored = await byScoring(policy, groups);
    const sampled = await bySampling({ ...policy, precision: 'w8a8' }, groups);
    const mean = sampled.reduce((sum, logProb, i) => sum + Math.abs(logProb - scored[i]!), 0) / scored.length;
    assert.ok(mean > 3e-3 && mean < 0.1, `mean |Δ log-prob| ${mean}`);
  });
}
