import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeOptimizer, encodeOptimizer } from '../../../activities/policy/learner/optimizerState.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';

const tensors = new Map([
  ['x', { shape: [2, 1], data: Float32Array.of(1, 2) }],
  ['a', { shape: [1], data: Float32Array.of(3) }],
]);
const state = {
  step: 12,
  first: new Map([
    ['a', Float32Array.of(0.5)],
    ['x', Float32Array.of(1e-20, -3)],
  ]),
  second: new Map([
    ['x', Float32Array.of(7, 8)],
    ['a', Float32Array.of(9)],
  ]),
};

test('an optimizer state survives its bytes, and equal states give equal bytes', () => {
  const bytes = encodeOptimizer(state, tensors);
  const read = decodeOptimizer(bytes, tensors);
  assert.equal(read.step, 12);
  assert.deepEqual(read.first.get('x'), state.first.get('x'));
  assert.deepEqual(read.second.get('a'), state.second.get('a'));
  assert.deepEqual(encodeOptimizer(read, new Map([...tensors].reverse())), bytes);
});

test('a state of another adapter is refused by name', () => {
  const bytes = encodeOptimizer(state, tensors);
  const other = new Map(tensors).set('a', { shape: [2], data: new Float32Array(2) });
  assert.throws(
    () => decodeOptimizer(bytes, other),
    (error) =>
      error instanceof TypedFailure && error.type === 'ArtifactCorrupt' && /first\.a/.test(error.message),
  );
});
