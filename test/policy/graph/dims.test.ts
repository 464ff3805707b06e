import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  broadcast,
  evaluate,
  product,
  sameDim,
  showDim,
  showShape,
  sum,
  symbol,
} from '../../../activities/policy/graph/dims.ts';

const [N, P, G, C] = [symbol('N'), symbol('P'), symbol('G'), symbol('C')];

test('sizes are polynomials with one canonical form', () => {
  const tokens = sum(product(N, P), product(N, G, C));
  assert.ok(sameDim(tokens, product(sum(product(C, G), P), N)));
  assert.equal(showDim(tokens), 'C*G*N + N*P');
  assert.ok(!sameDim(tokens, product(N, P)));
  assert.equal(showDim(product(2, N, 3)), '6*N');
});

test('a polynomial without symbols is a number again', () => {
  assert.equal(sum(N, product(-1, N), 4), 4);
  assert.equal(product(N, 0), 0);
  assert.equal(sum(N, product(-1, N)), 0);
});

test('sizes are evaluated with the values of their symbols', () => {
  assert.equal(evaluate(sum(product(N, P), product(N, G, C), 1), { N: 2, P: 5, G: 3, C: 4 }), 35);
  assert.throws(
    () => evaluate(product(N, P), { N: 2 }),
    /symbol P must be a positive integer, got undefined/,
  );
  assert.throws(() => evaluate(N, { N: 0 }), /symbol N must be a positive integer, got 0/);
  assert.throws(() => evaluate(N, { N: 1.5 }), /got 1.5/);
});

test('elementwise shapes broadcast from the right, and unequal symbols do not', () => {
  assert.equal(showShape(broadcast([N, 1, 4], [P, 1])), '[N, P, 4]');
  assert.equal(showShape(broadcast([], [N])), '[N]');
  assert.throws(() => broadcast([N], [P]), /shapes \[N\] and \[P\] do not fit/);
  assert.throws(() => broadcast([2], [3]), /do not fit/);
});
