import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adamWStep, freshAdamW, globalNorm } from '../../../activities/policy/learner/adamw.ts';

const settings = { learningRate: 0.1, betas: [0.9, 0.99], epsilon: 1e-8, weightDecay: 0.05 } as const;
const close = (actual: Iterable<number>, expected: number[], tolerance = 1e-6) =>
  [...actual].forEach((value, i) =>
    assert.ok(Math.abs(value - expected[i]!) <= tolerance, `${value} instead of ${expected[i]}`),
  );

test('three steps equal torch.optim.AdamW in double precision', () => {
  const parameters = new Map([['p', Float32Array.of(0.5, -1.25, 2)]]);
  const state = freshAdamW(parameters);
  const gradients = [
    [0.1, -0.2, 0.3],
    [1, 0, -2],
    [-0.5, 0.25, 0.75],
  ];
  const expected = [
    [0.397500009999999, -1.1437500049999996, 1.8900000033333333],
    [0.31498203823972243, -1.0708732450068292, 1.9440692255386107],
    [0.2860455664081429, -1.0830669697343032, 1.9582493207027325],
  ];
  gradients.forEach((gradient, i) => {
    adamWStep(parameters, new Map([['p', Float32Array.from(gradient)]]), 1, state, settings);
    close(parameters.get('p')!, expected[i]!);
  });
  assert.equal(state.step, 3);
  close(state.first.get('p')!, [0.0481, 0.0088, -0.0807]);
  close(state.second.get('p')!, [0.01249801, 0.00101704, 0.04610709]);
});

test('the gradient scale multiplies gradients', () => {
  const after = (gradient: number[], scale: number) => {
    const parameters = new Map([['p', Float32Array.of(1, 2)]]);
    const state = freshAdamW(parameters);
    const gradients = new Map([['p', Float32Array.from(gradient)]]);
    adamWStep(parameters, gradients, scale, state, settings);
    assert.deepEqual([...gradients.get('p')!], gradient);
    return { parameters, state };
  };
  assert.deepEqual(after([4, -8], 0.25), after([1, -2], 1));
});

test('the norm is over all arrays', () => {
  const norm = globalNorm(
    new Map([
      ['a', Float32Array.of(3, 0)],
      ['b', Float32Array.of(4)],
    ]),
  );
  assert.equal(norm, 5);
});
