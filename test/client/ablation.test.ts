import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { AblationTable } from '../../activities/artifacts/ablation.ts';
import { compareArms } from '../../activities/curriculum/comparison.ts';
import { openDomain } from '../../activities/domains/open.ts';
import { ablationView, comparedDepths } from '../../client/ablation.ts';
import { ablationPage } from '../../client/report/ablation.ts';
import { parseAblation } from '../../workflows/contract/ablation.ts';

const arm = (last: number) => [
  [
    [0, 1, 0, 1],
    [0, 1, 0, last],
  ],
  [
    [0, 1, 0, 0],
    [0, 1, 1, last],
  ],
];
const sets = await compareArms({ grpo: arm(0), 'a<b': arm(1), untrained: arm(0) }, 1, () =>
  Promise.resolve(),
);
const grpo = sets['grpo']!;
Object.assign(grpo, {
  depths: grpo.depths.map((depth) => ({
    ...depth,
    ...(depth.k > 0 && { unchanged: 0.875 }),
    reached: depth.k === 0 ? 0.5 : 0.625,
  })),
});
const table: AblationTable = AblationTable.parse({
  schema: 1,
  key: 'mine@12345678',
  seeds: [1, 2],
  arms: ['grpo', 'a<b', 'failed'],
  sets: { own: sets, sums: sets },
  rewards: { grpo: [[0.1, 0.2], [0.3]], 'a<b': [[0.5, 0.7]] },
  training: {
    grpo: {
      withSignal: 0.5,
      entropy: 0.25,
      bufferSize: 10,
      bufferMeanDepth: 0.5,
      bufferMaxDepth: 2,
      bufferMeanScore: 0.1,
      effectiveSampleSize: null,
    },
  },
  cost: { grpo: { promptTokens: 1234, completionTokens: 4321, seconds: 90 } },
  runs: { grpo: ['a@1', null], 'a<b': ['b@1', 'b@2'], failed: [null, null] },
});

test('the table as text: untrained first, then the arms as they were given', () => {
  const lines = ablationView(table);
  assert.deepEqual(
    lines.slice(2, 5).map((line) => line.split(' ')[0]),
    ['untrained', 'grpo', 'a<b'],
  );
  const steps = lines.indexOf('') + 1;
  assert.match(lines[steps]!, /^arm +same answer again +right at some k$/);
  assert.match(lines[steps + 2]!, /^grpo +87\.5 % +62\.5 %$/);
  assert.match(lines[4]!, /37\.5 ± 17\.7 .*\+25\.0 \(.*\) +2 +0$/);
  assert.ok(lines.every((line) => line.length <= 120));
  assert.deepEqual(comparedDepths(8), [0, 1, 2, 4, 8]);
  assert.deepEqual(comparedDepths(0), [0]);
});

test('the page needs nothing else, and takes names as text', () => {
  const page = ablationPage(table);
  assert.ok(!/<script|https?:\/\/(?!www\.w3\.org)/.test(page));
  assert.ok(page.includes('a&#60;b') && !page.includes('a<b'));
  for (const title of [
    'Accuracy by self-iteration depth',
    'Mean reward by generation',
    'How training went',
    'What a run cost',
    'What steps still change',
  ])
    assert.ok(page.includes(title), title);
});

test('every preset of an ablation is a valid one', async () => {
  const folder = new URL('../../presets/ablations/', import.meta.url);
  for (const name of await readdir(folder)) {
    const parsed = parseAblation(JSON.parse(await readFile(new URL(name, folder), 'utf8')), 'any');
    assert.ok(parsed.ok, JSON.stringify(parsed));
  }
});

test('presets/ablations/ladder.json: five strategies, three seeds, problems that training never sees', async () => {
  const file = new URL('../../presets/ablations/ladder.json', import.meta.url);
  const parsed = parseAblation(JSON.parse(await readFile(file, 'utf8')), 'ladder');
  assert.ok(parsed.ok);
  const { runs, ablation } = parsed.value;
  assert.equal(runs.length, 15);
  const budgets = new Set(
    runs.map(({ config: { sampling, generations } }) =>
      [sampling.promptsPerGeneration, sampling.rolloutsPerPrompt, generations].join(),
    ),
  );
  assert.equal(budgets.size, 1);
  const trained = new Set(
    openDomain(runs[0]!.config.domain)
      .taskIds('train')
      .map((id) => id.split('-')[0]),
  );
  const unseen = openDomain(ablation.evaluation.sets['unseen']!).taskIds('heldOut');
  assert.ok(
    unseen.length >= ablation.evaluation.tasks! && unseen.every((id) => !trained.has(id.split('-')[0])),
  );
});
