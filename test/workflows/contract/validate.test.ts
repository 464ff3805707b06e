import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRunConfig } from '../../../workflows/contract/validate.ts';
import { aConfig } from '../../client/config.ts';

function problemsOf(input: unknown): string[] {
  const parsed = parseRunConfig(input);
  assert.ok(!parsed.ok, 'the configuration should be refused');
  return parsed.problems;
}

test('a complete configuration is accepted as it is', () => {
  const parsed = parseRunConfig(aConfig());
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.config, aConfig());
});

test('no input says which file to pass', () => {
  assert.deepEqual(problemsOf(undefined), ['no input: pass --input-file presets/demo.json']);
});

test('something that is no object is one problem of the whole', () => {
  assert.deepEqual(problemsOf([]), ['config: expected an object, got []']);
  assert.deepEqual(problemsOf('demo'), ['config: expected an object, got "demo"']);
});

test('an unknown key is named by path with the nearest valid one', () => {
  const config = aConfig();
  assert.deepEqual(problemsOf({ ...config, training: { ...config.training, learningrate: 1 } }), [
    "training.learningrate: unknown key; the nearest valid one is 'learningRate'",
  ]);
  assert.deepEqual(problemsOf({ ...config, domain: { ...config.domain, taskseed: 1 } }), [
    "domain.taskseed: unknown key; the nearest valid one is 'taskSeed'",
  ]);
});

test('so is one in a list', () => {
  const problem = { id: 'a', question: '2 + 2?', answer: '4' };
  const domain = {
    name: 'problems',
    train: [{ ...problem, anwser: '4' }],
    heldOut: [problem],
    instruction: null,
  };
  const [said] = problemsOf({ ...aConfig(), domain });
  assert.equal(said, "domain.train[0].anwser: unknown key; the nearest valid one is 'answer'");
});

test('a moving average that never moves is refused', () => {
  const { training, ...config } = aConfig();
  const [said] = problemsOf({ ...config, training: { ...training, adamBetas: [0.9, 1] } });
  assert.match(said ?? '', /^training\.adamBetas\[1\]: expected a number < 1/);
});

test('the adapter may be null, for all weights, and its keys are checked all the same', () => {
  const { training, ...config } = aConfig();
  assert.ok(parseRunConfig({ ...config, training: { ...training, lora: null } }).ok);
  assert.deepEqual(problemsOf({ ...config, training: { ...training, lora: { ...training.lora, rnk: 8 } } }), [
    "training.lora.rnk: unknown key; the nearest valid one is 'rank'",
  ]);
  assert.deepEqual(problemsOf({ ...config, targets: ['q'], training }), [
    "targets: unknown key; the nearest valid one is 'training.lora.targets'",
  ]);
});

test('a key in the wrong place is told where it belongs', () => {
  assert.deepEqual(problemsOf({ ...aConfig(), learningRate: 1e-4 }), [
    "learningRate: unknown key; the nearest valid one is 'training.learningRate'",
  ]);
});

test('a key like no other still gets the nearest valid one of its place', () => {
  assert.deepEqual(problemsOf({ ...aConfig(), strawberry: 1 }), [
    "strawberry: unknown key; the nearest valid one is 'strategy'",
  ]);
});

test('missing, wrong type, out of range, not whole, not finite, not in the list: each by path with the value', () => {
  const { threads: _threads, ...config } = aConfig();
  const problems = problemsOf({
    ...config,
    strategy: 'ppo',
    seed: -1,
    generations: 1.5,
    model: '',
    domain: { ...config.domain, families: { add: 'much' } },
    sampling: null,
    training: { ...config.training, learningRate: NaN, lora: { ...config.training.lora, targets: ['z'] } },
    evaluation: { ...config.evaluation, depth: 65 },
  });
  assert.deepEqual(
    new Set(problems),
    new Set([
      'strategy: expected one of grpo, curriculum, improve, diverge, exit, igrpo, got "ppo"',
      'seed: expected a number ≥ 0, got -1',
      'generations: expected a whole number, got 1.5',
      'model: expected text that is not empty, got ""',
      'domain.families.add: expected a number, got "much"',
      'sampling: expected an object, got null',
      'training.learningRate: expected a number, got NaN',
      'training.lora.targets[0]: expected one of q, k, v, o, gate, up, down, got "z"',
      'evaluation.depth: expected a number ≤ 64, got 65',
      'threads: missing; expected a number',
    ]),
  );
});

test('an unknown domain names the known ones', () => {
  assert.match(
    problemsOf({ ...aConfig(), domain: { name: 'chess' } }).join(),
    /domain\.name: expected one of arithmetic.*, got "chess"/,
  );
});

test('replayed answers have no importance weight', () => {
  const config = aConfig();
  const training = { ...config.training, trainPrefix: true };
  assert.ok(parseRunConfig({ ...config, training }).ok);
  assert.deepEqual(problemsOf({ ...config, training: { ...training, importanceCap: 2 } }), [
    'training.importanceCap: training.trainPrefix needs it null: with what probability an older policy said a replayed answer is not kept',
  ]);
});

test('fields that contradict each other are found also beside an unknown key', () => {
  const config = aConfig();
  const problems = problemsOf({
    ...config,
    strategy: 'grpo',
    extra: 1,
    evaluation: { ...config.evaluation, tasks: 1_000_000 },
  });
  for (const path of [
    'extra',
    'curriculum.selectProbability',
    'curriculum.selfIteration',
    'evaluation.tasks',
  ])
    assert.ok(
      problems.some((problem) => problem.startsWith(`${path}: `)),
      `${path} is not in ${problems.join('\n')}`,
    );
});

test('sampling in 8 bits needs importance weights and the device cpu', () => {
  const config = aConfig();
  const sampling = { ...config.sampling, precision: 'w8a8' };
  assert.deepEqual(problemsOf({ ...config, sampling, device: 'webgpu' }), [
    "training.importanceCap: sampling.precision 'w8a8' samples from a rounded policy and needs a number ≥ 1 here to make up for it",
    "sampling.precision: 'w8a8' is for device 'cpu'; 'webgpu' samples in float32",
  ]);
  const training = { ...config.training, importanceCap: 2 };
  assert.ok(parseRunConfig({ ...config, sampling, training }).ok);
});
