import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Program } from '../../../activities/policy/graph/program.ts';
import { embeddings } from '../../../activities/policy/embedders/reference.ts';
import { logProbs } from '../../../activities/policy/learner/logProbs.ts';
import {
  arrangeWeights,
  embeddingProgram,
  textLogProbProgram,
} from '../../../activities/policy/model/programs.ts';
import { stream } from '../../../activities/random.ts';
import { tinyCheckpoint, tinyConfig } from '../tinyCheckpoint.ts';

const quiet = async () => undefined;
const weights = arrangeWeights(tinyCheckpoint());
let embedding: Program;
let scoring: Program;
before(async () => {
  embedding = await embeddingProgram(weights, { threads: 1 });
  scoring = await textLogProbProgram(weights, null, { threads: 1 });
});

const draw = stream(['embeddings']);
const tokens = (count: number) =>
  Array.from({ length: count }, () => Math.floor(draw() * tinyConfig.vocabulary));
const close = (a: Float32Array, b: ArrayLike<number>) =>
  a.forEach((x, i) => assert.ok(Math.abs(x - b[i]!) < 1e-4, `${i}: ${x} and ${b[i]}`));

test('a completion of one token has the hidden state that predicts the next token', async () => {
  const [promptIds, [token]] = [tokens(9), tokens(1)];
  const [[found]] = (await embeddings(embedding, [{ promptIds, completions: [[token!]] }], quiet)) as [
    [Float32Array],
  ];
  assert.equal(found.length, tinyConfig.hidden);
  const table = weights.tensors['model.embed_tokens.weight']!.data;
  const logits = Array.from({ length: tinyConfig.vocabulary }, (_, id) =>
    found.reduce((sum, x, i) => sum + x * table[id * tinyConfig.hidden + i]!, 0),
  );
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
  const texts = logits.map((_, id) => [...promptIds, token!, id]);
  const read = await logProbs(scoring, texts, tinyConfig, quiet);
  logits.forEach((logit, id) =>
    assert.ok(Math.abs(logit - Math.log(total) - read[id]!.at(-1)!) < 1e-4, `token ${id}`),
  );
});

test('a longer one has the mean over its tokens, whatever stands beside it', async () => {
  const groups = [
    { promptIds: tokens(12), completions: [tokens(5), tokens(1), tokens(9)] },
    { promptIds: tokens(3), completions: [tokens(2)] },
    { promptIds: tokens(20), completions: [tokens(7), tokens(7)] },
  ];
  const together = await embeddings(embedding, groups, quiet);
  assert.deepEqual(
    together.map((group) => group.length),
    [3, 1, 2],
  );
  for (const [n, { promptIds, completions }] of groups.entries())
    for (const [g, ids] of completions.entries()) {
      const states = await Promise.all(
        ids.map(async (id, i) => {
          const alone = { promptIds: [...promptIds, ...ids.slice(0, i)], completions: [[id]] };
          return (await embeddings(embedding, [alone], quiet))[0]![0]!;
        }),
      );
      const mean = states[0]!.map((_, i) => states.reduce((sum, state) => sum + state[i]!, 0) / ids.length);
      close(together[n]![g]!, mean);
    }
});
