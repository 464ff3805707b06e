import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PlannedPrompt, RolloutRow } from '../activities/artifacts/records.ts';
import { answered, baseInstance, instanceOf } from '../activities/curriculum/identity.ts';
import { expand } from '../activities/curriculum/insertion.ts';
import type { Draw, Instance } from '../activities/curriculum/types.ts';
import type { Domain } from '../activities/domains/domain.ts';
import { openDomain } from '../activities/domains/open.ts';
import { episodesOf, historyOf } from '../activities/episode.ts';
import { playEpisodes, type Playing } from '../activities/play.ts';
import type { FinishReason, Progress, SamplePrompt, Tokenizer } from '../activities/policy/policy.ts';
import { keyFromHex, uniform } from '../activities/random.ts';
import { createPlanner } from '../activities/sample.ts';
import { aConfig } from './client/config.ts';

const { sampling, ...others } = aConfig();
/** Room for a whole answer to be quoted. */
const config = { ...others, sampling: { ...sampling, maxNewTokens: 64 } };
const ledger = openDomain({
  name: 'ledger',
  turns: { least: 2, most: 4 },
  largest: 9,
  trainTasks: 12,
  heldOutTasks: 1,
  taskSeed: 3,
});
/** Says nothing of its own and never ends. */
const endless: Domain = {
  ...ledger,
  observe: () => ({ done: false, feedback: 'ok', request: [] }),
  maxTurns: 3,
};

/** Letters are tokens, and a prompt is the JSON of its chat. */
const tokenizer: Tokenizer = {
  renderPrompt: (messages) => JSON.stringify(messages),
  encode: (text) => [...text].map((letter) => letter.codePointAt(0)!),
  decode: (tokenIds) => String.fromCodePoint(...tokenIds),
  stopTokenIds: [],
  contextLength: null,
};

/** A policy whose answer is a function of the random stream alone, cut off at times. */
function answerOf(key: string, cutOff: number): { text: string; finishReason: FinishReason } {
  const random = (counter: number) => uniform(keyFromHex(key), counter);
  const text = random(0) < 0.2 ? `I, ${key}, do not know` : `\\boxed{${Math.floor(20 * random(1))}} (${key})`;
  return { text, finishReason: random(2) < cutOff ? 'length' : 'stop' };
}

interface Played {
  rows: RolloutRow[];
  /** Prompts of each call of the engine. */
  batches: SamplePrompt[][];
  progress: Progress[];
}

async function play(
  prompts: PlannedPrompt[],
  {
    domain = ledger,
    improvements = 0,
    cutOff = 0,
    room = Infinity,
  }: { domain?: Domain; improvements?: number; cutOff?: number; room?: number },
): Promise<Played> {
  const batches: SamplePrompt[][] = [];
  const progress: Progress[] = [];
  const playing: Playing = {
    domain,
    improvements,
    plan: createPlanner(domain, tokenizer, config),
    room,
    decode: tokenizer.decode,
    generate: (batch, call) => {
      batches.push(batch);
      call.onProgress?.({ phase: 'sample', done: 0, total: 1, tokens: 1 });
      return Promise.resolve(
        batch.map(({ keys }) =>
          keys.map((key) => {
            const { text, finishReason } = answerOf(key, cutOff);
            const tokenIds = tokenizer.encode(text);
            const logProbs = tokenIds.map(() => -1);
            return { tokenIds, logProbs, policyLogProbs: logProbs, finishReason };
          }),
        ),
      );
    },
  };
  const common = { prefix: 'g1', generation: 1, policy: 'p' };
  const rows = await playEpisodes(prompts, playing, common, { onProgress: (each) => progress.push(each) });
  return { rows, batches, progress };
}

const drawn = (instance: Instance, ordinal: number): Draw => ({
  ordinal,
  instance,
  step: instance.kind === 'base' ? 'base' : 'improve',
  source: 'buffer',
});
const planned = (instances: Instance[], domain = ledger, rollouts = 3) =>
  instances.map((instance, ordinal) =>
    createPlanner(domain, tokenizer, config)(drawn(instance, ordinal), rollouts, ['test', instance.id]),
  );
const starts = ledger.taskIds('train').map((id) => baseInstance(id, ledger.task(id).request));
const turnsOf = (id: string) => Number(ledger.task(id).family[0]);

test('every rollout is played to the end of its episode, a round at a time', async () => {
  const { rows, batches, progress } = await play(planned(starts), {});
  const episodes = episodesOf(rows);
  assert.equal(episodes.length, 36);
  for (const answers of episodes)
    assert.deepEqual(
      answers.map(({ turn }) => turn),
      Array.from({ length: turnsOf(answers[0].baseTaskId) }, (_, turn) => turn),
    );
  assert.deepEqual(
    batches.slice(1).map((batch) => batch.length),
    [1, 2, 3].map((turn) => episodes.filter((answers) => answers.length > turn).length),
  );
  assert.deepEqual(
    progress.map(({ phase }) => phase),
    ['sample', 'sample, round 2', 'sample, round 3', 'sample, round 4'],
  );
  const tokensAfter = (turns: number) =>
    rows.filter(({ turn }) => turn < turns).reduce((sum, { completionIds }) => sum + completionIds.length, 0);
  assert.deepEqual(
    progress.map(({ tokens }) => tokens),
    [1, 2, 3, 4].map((turn) => tokensAfter(turn - 1) + 1),
  );
  assert.equal(new Set(rows.map(({ seed }) => seed)).size, rows.length);
});

/** The instances that a first generation leaves behind, at every turn. */
async function grown(): Promise<Instance[]> {
  const { rows } = await play(planned(starts), {});
  return episodesOf(rows).flatMap((answers) => {
    const [{ ordinal, rolloutId, completion: response }] = answers;
    const history = historyOf(ledger, starts[ordinal]!, answers);
    const [{ feedback }, ...laterTurns] = history as [(typeof history)[number]];
    return [true, false].flatMap((selfIteration) =>
      expand(
        drawn(starts[ordinal]!, ordinal),
        { rolloutId, quality: 0.5, response, feedback, laterTurns, truncated: false, failure: null },
        selfIteration,
      ),
    );
  });
}

test('a later turn is asked as the same instance out of the task buffer would be', async () => {
  const { rows } = await play(planned(starts), {});
  const instances = new Map((await grown()).map((instance) => [instance.id, instance]));
  const later = rows.filter(({ turn }) => turn > 0);
  assert.ok(later.length > 30);
  for (const row of later) {
    const instance = instances.get(row.instanceId);
    assert.ok(instance, 'an unanswered prefix of the history');
    assert.deepEqual([instance.turn, instance.kind], [row.turn, 'base']);
    const [prompt] = planned([instance]);
    assert.equal(row.prompt, prompt!.promptText);
    assert.deepEqual(row.promptIds, prompt!.promptIds);
    assert.equal(row.parentRolloutId, row.rolloutId);
  }
});

test('after a step on a selected turn the others follow from its new answer, without the wrapper', async () => {
  const selected = (await grown()).filter(({ kind, turn }) => kind === 'selfIteration' && turn === 0);
  const { rows } = await play(planned(selected), {});
  for (const [first, ...later] of episodesOf(rows)) {
    assert.match(first.prompt, /Current response:/);
    const before = selected[first.ordinal]!.history[0]!.response!;
    assert.equal(later.length, turnsOf(first.baseTaskId) - 1);
    for (const { prompt } of later) {
      assert.doesNotMatch(prompt, /Current response:/);
      assert.ok(prompt.includes(JSON.stringify(first.completion)));
      assert.ok(!prompt.includes(JSON.stringify(before)));
    }
  }
});

test('rows do not depend on how prompts are cut into shards', async () => {
  const prompts = planned([...starts, ...(await grown())]);
  const { rows } = await play(prompts, { cutOff: 0.2 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: prompts.length - 1 }), async (cut) => {
      const parts = [prompts.slice(0, cut), prompts.slice(cut)];
      const played = await Promise.all(parts.map((part) => play(part, { cutOff: 0.2 })));
      assert.deepEqual(
        played.flatMap((part) => part.rows),
        rows,
      );
    }),
    { numRuns: 5 },
  );
});

test('an answer that is cut off ends its episode, and so does the most turns a domain allows', async () => {
  const { rows } = await play(planned(starts), { cutOff: 0.4 });
  const episodes = episodesOf(rows);
  assert.ok(episodes.some((answers) => answers.length === 1));
  for (const answers of episodes) {
    const cut = answers.findIndex(({ finishReason }) => finishReason === 'length');
    assert.equal(answers.length, cut < 0 ? turnsOf(answers[0].baseTaskId) : cut + 1);
  }
  const capped = await play(planned(starts, endless), { domain: endless });
  assert.ok(episodesOf(capped.rows).every((answers) => answers.length === 3));
});

test('an evaluation takes k improve steps at each later turn, the last of which counts', async () => {
  const { rows } = await play(planned(starts, ledger, 1), { improvements: 2 });
  for (const answers of episodesOf(rows)) {
    const [first, ...later] = answers;
    const turns = turnsOf(first.baseTaskId);
    assert.deepEqual(
      later.map(({ turn, depth, step }) => [turn, depth, step]),
      Array.from({ length: 3 * (turns - 1) }, (_, index) => [
        1 + Math.floor(index / 3),
        index % 3,
        index % 3 === 0 ? 'base' : 'improve',
      ]),
    );
    const history = historyOf(ledger, starts[first.ordinal]!, answers);
    assert.deepEqual(
      history.map(({ response }) => response),
      history.map((_, turn) => answers.findLast((answer) => answer.turn === turn)!.completion),
    );
    const improved = later[1]!;
    assert.ok(improved.prompt.includes('Current response:'));
    assert.ok(improved.prompt.includes(JSON.stringify(later[0]!.completion).slice(1, -1)));
  }
});

test('answers that do not fit to the domain are refused', async () => {
  const { rows } = await play(planned(starts.slice(0, 1)), {});
  const [answers] = episodesOf(rows);
  const single: Domain = { ...ledger, observe: () => ({ done: true, feedback: null }) };
  assert.throws(() => historyOf(single, starts[0]!, answers!), {
    name: 'ArtifactCorrupt',
    message: /rollout g1\/0\/0 has an answer to turn 2 of 'ledger-\d+'/,
  });
});

test('an episode whose next prompt would leave no room for an answer is over', async () => {
  const whole = await play(planned(starts), {});
  const longest = Math.max(...whole.rows.map(({ promptIds }) => promptIds.length));
  const { rows } = await play(planned(starts), { room: longest - 1 });
  assert.deepEqual(
    rows,
    whole.rows.filter(({ promptIds }) => promptIds.length < longest),
  );
  assert.ok(rows.length < whole.rows.length);
});

test('a response is quoted shorter where the prompt would leave no room for an answer', () => {
  const [start] = starts as [Instance];
  const instance = instanceOf({
    ...start,
    depth: 1,
    history: answered(start.history, 'long '.repeat(60)),
    quality: 0,
    parent: { instanceId: start.id, rolloutId: 'g1/0/0' },
  });
  const { maxNewTokens } = config.sampling;
  const lengthIn = (contextLength: number | null) =>
    createPlanner(ledger, { ...tokenizer, contextLength }, config)(drawn(instance, 0), 1, ['test']).promptIds
      .length;
  const free = lengthIn(null);
  assert.equal(lengthIn(free + maxNewTokens), free, 'as long as it fits nothing changes');
  const short = lengthIn(free + maxNewTokens - 10);
  assert.ok(short <= free - 10 && short > free - 60, `${short} of ${free}`);
});
