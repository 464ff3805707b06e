import assert from 'node:assert/strict';
import test from 'node:test';
import type { Tensor } from '../../../activities/policy/weights/checkpoint.ts';
import { decodeSafetensors, encodeSafetensors } from '../../../activities/policy/weights/safetensors.ts';

const b: Tensor = { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, NaN, Infinity, -0) };
const a: Tensor = { shape: [], data: Float32Array.of(7) };
const empty: Tensor = { shape: [0, 4], data: new Float32Array(0) };
const tensors = new Map([
  ['b', b],
  ['a', a],
  ['c', empty],
]);
const bytes = encodeSafetensors({ tensors, metadata: { z: '1', format: 'pt' } });

test('what is encoded is decoded', () => {
  const decoded = decodeSafetensors(bytes);
  assert.deepEqual(decoded.metadata, { format: 'pt', z: '1' });
  assert.deepEqual([...decoded.tensors.keys()].sort(), ['a', 'b', 'c']);
  for (const [name, tensor] of tensors) assert.deepEqual(decoded.tensors.get(name), tensor);
});

test('the same content gives the same bytes, whatever the order; data is aligned to eight bytes', () => {
  const other = new Map([...tensors].reverse());
  assert.deepEqual(encodeSafetensors({ tensors: other, metadata: { format: 'pt', z: '1' } }), bytes);
  assert.equal(new DataView(bytes.buffer).getUint32(0, true) % 8, 0);
});

test('bytes may lie anywhere in a buffer', () => {
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  assert.deepEqual(decodeSafetensors(shifted.subarray(3)).tensors.get('b'), b);
});

test('malformed bytes are ArtifactCorrupt, and say why', () => {
  const corrupt = (input: Uint8Array, pattern: RegExp) =>
    assert.throws(
      () => decodeSafetensors(input),
      (error: Error) => error.name === 'ArtifactCorrupt' && pattern.test(error.message),
      String(pattern),
    );
  const withHeader = (header: unknown, data = 0) => {
    const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
    const out = Buffer.alloc(8 + json.length + data);
    out.writeBigUInt64LE(BigInt(json.length));
    json.copy(out, 8);
    return out;
  };
  corrupt(new Uint8Array(5), /too few/);
  corrupt(new Uint8Array(16).fill(255), /the header says/);
  corrupt(withHeader('{"a":'), /not JSON/);
  corrupt(withHeader('[]'), /header is wrong/);
  corrupt(withHeader({ a: { dtype: 'F64', shape: [1], data_offsets: [0, 8] } }, 8), /dtype/);
  corrupt(withHeader({ a: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } }, 4), /header is wrong/);
  corrupt(
    withHeader({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } }, 4),
    /needs 8 bytes, 4 are given/,
  );
  corrupt(withHeader({ a: { dtype: 'F32', shape: [2], data_offsets: [8, 0] } }, 8), /needs 8 bytes, -8/);
  corrupt(withHeader({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }, 7), /ends at byte/);
  for (let length = 0; length < bytes.length; length += 7)
    assert.throws(() => decodeSafetensors(bytes.subarray(0, length)), { name: 'ArtifactCorrupt' });
});
