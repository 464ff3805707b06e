import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import {
  canonicalBytes,
  canonicalJson,
  hashOf,
  legibleBytes,
  parseJson,
} from '../../activities/artifacts/canonical.ts';

test('the RFC 8785 example', () => {
  const value = {
    numbers: [333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
    literals: [null, true, false],
  };
  assert.equal(
    canonicalJson(value),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

test('the order in which members were written does not matter', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const reversed = Object.fromEntries(Object.entries(value).reverse());
      assert.equal(hashOf(value), hashOf(reversed));
      assert.deepEqual(legibleBytes(value), legibleBytes(reversed));
    }),
  );
});

test('both texts of a value read back as the value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const plain: unknown = JSON.parse(JSON.stringify(value));
      for (const bytes of [canonicalBytes(value), legibleBytes(value)])
        assert.deepEqual(parseJson(bytes, z.unknown(), 'key'), plain);
    }),
  );
});

test('what JSON would change is refused, with the path', () => {
  const cases: [unknown, RegExp][] = [
    [{ metrics: { losses: [1, NaN] } }, /^\$\.metrics\.losses\[1\] is NaN/],
    [{ kl: -Infinity }, /^\$\.kl is -Infinity/],
    [[undefined], /^\$\[0\] is undefined/],
    [undefined, /^\$ is undefined/],
    [{ ids: new Int32Array(2) }, /^\$\.ids is a Int32Array/],
    [{ when: new Date(0) }, /^\$\.when is a Date/],
    [{ counts: new Map() }, /^\$\.counts is a Map/],
    [{ big: 1n }, /^\$\.big is bigint/],
  ];
  for (const [value, message] of cases)
    assert.throws(() => canonicalJson(value), { name: 'ArtifactInvalid', message });
  assert.equal(canonicalJson({ absent: undefined, here: 1 }), '{"here":1}');
});

test('bytes that are not what they should be are corrupt', () => {
  const schema = z.strictObject({ generation: z.int() });
  const read = (text: string) => parseJson(new TextEncoder().encode(text), schema, 'runs/a/x.json');
  assert.deepEqual(read('{"generation":3}'), { generation: 3 });
  for (const text of ['', '{"generation":3', '{"generation":3.5}', '{"generation":3,"more":1}', 'null'])
    assert.throws(() => read(text), { name: 'ArtifactCorrupt', message: /^runs\/a\/x\.json / });
  assert.throws(() => parseJson(new Uint8Array([0x22, 0xff, 0x22]), z.string(), 'k'), {
    name: 'ArtifactCorrupt',
  });
});
