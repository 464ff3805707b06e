import assert from 'node:assert/strict';
import test from 'node:test';
import { initialAdapter, type LoraShape } from '../../../activities/policy/weights/adapter.ts';
import type { ModelConfig } from '../../../activities/policy/weights/checkpoint.ts';
import {
  blendParameters,
  decodeParameters,
  encodeParameters,
  initialParameters,
  type PolicyParameters,
} from '../../../activities/policy/weights/parameters.ts';
import { decodeSafetensors } from '../../../activities/policy/weights/safetensors.ts';
import { tensorShapes } from '../../../activities/policy/weights/tensors.ts';
import { fixtureAdapter } from '../fixtureAdapter.ts';
import { randomArray, tinyCheckpoint } from '../tinyCheckpoint.ts';

const checkpoint = tinyCheckpoint({ tiedHead: false });
const { config } = checkpoint;
const lora: LoraShape = { rank: 8, alpha: 16, targets: ['q', 'v', 'down'] };
const adapter = initialParameters(checkpoint, lora, '00000000000000ff');
const full = initialParameters(checkpoint, null, '00000000000000ff');

const sorted = ({ trainable, tensors }: PolicyParameters): PolicyParameters => ({
  trainable,
  tensors: new Map([...tensors].sort(([x], [y]) => (x < y ? -1 : 1))),
});

test('a run begins with a fresh adapter, or with the weights of the model', () => {
  assert.deepEqual(adapter.tensors, initialAdapter(config, lora, '00000000000000ff'));
  assert.deepEqual([...full.tensors.keys()], [...tensorShapes(config).keys()]);
  for (const [name, tensor] of full.tensors) assert.deepEqual(tensor, checkpoint.tensor(name));
  assert.throws(
    () => initialParameters({ ...checkpoint, parameters: 5e8 }, null, '00'),
    (error: Error) => error.name === 'InvalidRunConfig' && /all 500000000 weights/.test(error.message),
  );
});

test('bytes and back, checked against the model', () => {
  for (const parameters of [adapter, full])
    assert.deepEqual(decodeParameters(encodeParameters(parameters), config), sorted(parameters));
  const wrong = (parameters: PolicyParameters, changed: Partial<ModelConfig>, pattern: RegExp) =>
    assert.throws(
      () => decodeParameters(encodeParameters(parameters), { ...config, ...changed }),
      (error: Error) => error.name === 'ArtifactCorrupt' && pattern.test(error.message),
    );
  wrong(
    adapter,
    { hidden: 32 },
    /does not fit the model: \S+q_proj\.lora_A\.weight is \[8,40\], the model takes \[8,32\]/,
  );
  wrong(adapter, { layers: 3 }, /layers\.2\.\S+ is missing/);
  wrong(adapter, { layers: 1 }, /it has 12 tensors, the model takes 6/);
  wrong(full, { vocabulary: 98 }, /embed_tokens\.weight is \[97,40\], the model takes \[98,40\]/);
  wrong(full, { tiedHead: true }, /it has 21 tensors, the model takes 20/);
});

test('bytes that do not say what they are are refused', () => {
  const { tensors } = full;
  const encoded = encodeParameters({ trainable: { ...lora, rank: 0 }, tensors });
  assert.throws(() => decodeParameters(encoded), { name: 'ArtifactCorrupt' });
});

test('an adapter is what PEFT reads, all weights what transformers reads', () => {
  const metadata = (parameters: PolicyParameters) => decodeSafetensors(encodeParameters(parameters)).metadata;
  assert.deepEqual(metadata(adapter), { format: 'pt', lora: JSON.stringify(lora) });
  assert.deepEqual(metadata(full), { format: 'pt', weights: 'full' });
});

test('blend is elementwise, exact at both ends', () => {
  const { lora: shape, tensors } = fixtureAdapter(config, 8, 16);
  const theta: PolicyParameters = { trainable: shape, tensors };
  const moved: PolicyParameters = {
    trainable: 'full',
    tensors: new Map(
      [...full.tensors].map(([name, tensor]) => [
        name,
        { shape: tensor.shape, data: randomArray(`moved ${name}`, tensor.data.length, 1) },
      ]),
    ),
  };
  const cases = [
    [initialParameters(checkpoint, shape, '0000000000000001'), theta],
    [full, moved],
  ] as const;
  for (const [reference, to] of cases) {
    assert.deepEqual(blendParameters(reference, to, 1), to);
    assert.deepEqual(blendParameters(reference, to, 0).tensors, new Map(reference.tensors));
    const [name, from] = [...reference.tensors][0]!;
    const half = blendParameters(reference, to, 0.25).tensors.get(name)!;
    assert.equal(half.data[5], Math.fround(0.75 * from.data[5]! + 0.25 * to.tensors.get(name)!.data[5]!));
  }
  assert.throws(() => blendParameters(adapter, theta, 0.5), { name: 'ArtifactCorrupt' });
  assert.throws(() => blendParameters(full, theta, 0.5), { name: 'ArtifactCorrupt' });
});
