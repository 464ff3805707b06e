import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import { InfraProblem } from '../../../infra/problem.ts';
import { openDevice } from '../../../activities/policy/engine/device.ts';
import type {
  Blob,
  Completion,
  Device,
  SamplePrompt,
  TrainGroup,
} from '../../../activities/policy/policy.ts';
import { encodeParameters } from '../../../activities/policy/weights/parameters.ts';
import { openCheckpoint } from '../../../activities/policy/weights/checkpoint.ts';
import { decodeSafetensors } from '../../../activities/policy/weights/safetensors.ts';
import { keyOf, keyToHex } from '../../../activities/random.ts';
import type { DeviceKind, TrainingConfig } from '../../../workflows/contract/config.ts';
import { plainTraining } from '../../training.ts';
import { fixtureAdapter } from '../fixtureAdapter.ts';
import { softwareVulkan } from './softwareVulkan.ts';

/** The engine on WebGPU beside the engine on the processor, through and through: a process each. */

const modelPath = fileURLToPath(new URL('../../fixtures/policy/tiny.gguf', import.meta.url));
const tolerance = 1e-3;

let skip: string | false = false;
try {
  Object.assign(process.env, await softwareVulkan((line) => console.error(`# ${line}`)));
} catch (error) {
  if (!(error instanceof InfraProblem)) throw error;
  skip = error.message;
}

// Compiling for a GPU that the processor plays takes its time, most of all on a busy machine.
const silenceTimeoutMs = 600_000;
const devices = await Promise.all(
  (['cpu', 'webgpu'] satisfies DeviceKind[]).map((device) =>
    openDevice({ modelPath, device, threads: 1, silenceTimeoutMs }),
  ),
);
after(() => Promise.all(devices.map((device) => device.close())));

/** The same work on both. */
const both = async <T>(work: (device: Device) => Promise<T>): Promise<[T, T]> => {
  const results: T[] = [];
  for (const device of devices) results.push(await work(device));
  return results as [T, T];
};

const adapter = fixtureAdapter((await openCheckpoint(modelPath)).config, 4, 8);
const bytes = encodeParameters({ trainable: adapter.lora, tensors: adapter.tensors });
const policy: Blob = {
  sha256: createHash('sha256').update(bytes).digest('hex'),
  load: () => Promise.resolve(bytes),
};
const training: TrainingConfig = {
  ...plainTraining,
  lora: { ...adapter.lora, targets: [...adapter.lora.targets] },
  gradientClip: 1e6,
};

/** `count` prompts, of which all but every third begin alike, for so many rollouts each. */
const promptsOf = (count: number, rollouts: number): SamplePrompt[] =>
  Array.from({ length: count }, (_, i) => ({
    tokenIds: [...(i % 3 === 2 ? [90, 91] : [5, 6, 7, 8]), ...[40, 41, 42, 43].slice(i % 4), 60 + i],
    keys: Array.from({ length: rollouts }, (_, rollout) => keyToHex(keyOf(['webgpu test', i, rollout]))),
  }));
const few = promptsOf(3, 2);
/** More tokens than the caches hold at first; stopped often, so that prompts leave the batch one after the other. */
const sampling = { maxNewTokens: 20, topK: null, topP: null, stopStrings: [...'aeioulnrst01'] };

const close = (a: ArrayLike<number>, b: ArrayLike<number>, what: string) => {
  assert.equal(a.length, b.length, what);
  for (let i = 0; i < a.length; i++)
    assert.ok(Math.abs(a[i]! - b[i]!) < tolerance, `${what} ${i}: ${a[i]} and ${b[i]}`);
};
test('WebGPU computes what the processor computes', { skip }, async (t) => {
  await t.test('log-probs of texts', async () => {
    const texts = [few[0]!.tokenIds, [1, 2, 3], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]];
    const [cpu, gpu] = await both((device) => device.logProbs(policy, texts));
    cpu.forEach((text, i) => close(gpu[i]!.slice(1) as number[], text.slice(1) as number[], `text ${i}`));
  });

  await t.test('the likeliest tokens', async () => {
    const [cpu, gpu] = await both((device) => device.generate(policy, few, { ...sampling, temperature: 0 }));
    cpu.flat().forEach(({ tokenIds, policyLogProbs }, i) => {
      const other = gpu.flat()[i]!;
      assert.deepEqual(other.tokenIds, tokenIds);
      close(other.policyLogProbs, policyLogProbs, `completion ${i}`);
    });
  });

  let completions: Completion[][] = [];
  await t.test(
    'tokens drawn in the graph, with prompts that wait for places and rollouts that leave',
    async () => {
      const prompts = promptsOf(20, 8);
      const [cpu, gpu] = await both((device) =>
        device.generate(policy, prompts, { ...sampling, temperature: 1 }),
      );
      // Where a number in single precision falls on the border of two tokens, either may be drawn; log-probs tell then.
      const same = cpu
        .flat()
        .filter(({ tokenIds }, i) => isDeepStrictEqual(tokenIds, gpu.flat()[i]!.tokenIds));
      assert.ok(
        same.length >= 0.95 * cpu.flat().length,
        `${same.length} of ${cpu.flat().length} are the same`,
      );
      const texts = prompts.flatMap(({ tokenIds }, i) =>
        gpu[i]!.map((drawn) => [...tokenIds, ...drawn.tokenIds]),
      );
      const read = await devices[0]!.logProbs(policy, texts);
      gpu
        .flat()
        .forEach(({ logProbs }, i) =>
          close(logProbs, read[i]!.slice(-logProbs.length) as number[], `completion ${i}`),
        );
      assert.ok(new Set(gpu.flat().map(({ tokenIds }) => tokenIds.length)).size > 1, 'lengths differ');
      completions = cpu;
    },
  );

  await t.test('a training step: loss and every gradient', async () => {
    const groups = promptsOf(2, 8).map(({ tokenIds }, i): TrainGroup => ({
      promptIds: tokenIds,
      completions: completions[i]!.slice(0, 4).map((completion, g) => ({
        ...completion,
        advantage: g === 0 ? 1 : -1,
        trained: true,
      })),
    }));
    const request = {
      policy,
      optimizer: null,
      reference: null,
      groups,
      training,
      temperature: 1,
      maxNewTokens: sampling.maxNewTokens,
    };
    const [cpu, gpu] = await both((device) => device.update(request));
    close(
      [gpu.metrics.loss, gpu.metrics.gradientNorm, gpu.metrics.entropy],
      [cpu.metrics.loss, cpu.metrics.gradientNorm, cpu.metrics.entropy],
      'loss, gradient norm, entropy',
    );
    const firstMoments = ({ optimizer }: typeof cpu) =>
      [...decodeSafetensors(optimizer).tensors].filter(([name]) => name.startsWith('first.'));
    const moments = new Map(firstMoments(gpu));
    // After one step the first moment is (1 − β₁) times the gradient.
    const scale = 1 - training.adamBetas[0];
    for (const [name, { data }] of firstMoments(cpu)) {
      const gradient = data.map((moment) => moment / scale);
      assert.ok(
        gradient.some((slope) => slope !== 0),
        `${name} has a gradient`,
      );
      close(
        moments.get(name)!.data.map((moment) => moment / scale),
        gradient,
        name,
      );
    }
  });
});

test('weights go to the GPU once, keys and values stay there', { skip }, async () => {
  const script = fileURLToPath(new URL('./crossings.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, modelPath]);
  const { totals, parameters } = JSON.parse(stdout) as { totals: [number, number]; parameters: number };
  const weights = 4 * parameters;
  assert.ok(totals[0] - totals[1] >= weights, `${totals.join(' and ')} bytes, weights ${weights}`);
  assert.ok(totals[0] - totals[1] < 2 * weights, `${totals.join(' and ')} bytes, weights ${weights}`);
  // Twenty steps; the keys and values of a single one are 38 kB at least, those of all twenty five times the weights.
  assert.ok(totals[1] < weights, `${totals[1]} bytes in a call, weights ${weights}`);
});
