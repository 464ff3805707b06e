import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { dequantise, formats } from '../../../activities/policy/weights/dequantise.ts';

interface Case {
  type: number;
  name: string;
  bytes: string;
  weights: string;
}
const fixture = new URL('../../fixtures/policy/dequantise.json', import.meta.url);
const cases = JSON.parse(await readFile(fixture, 'utf8')) as Case[];

for (const { type, name, bytes, weights } of cases)
  test(`${name} gives the very bits that ggml gives`, () => {
    const format = formats.get(type);
    assert.equal(format?.name, name);
    const out = dequantise(format, Buffer.from(bytes, 'base64'));
    assert.equal(Buffer.from(out.buffer).toString('base64'), weights);
  });

test('every format has a case', () => {
  assert.deepEqual([...formats.keys()].sort(), cases.map(({ type }) => type).sort());
});
