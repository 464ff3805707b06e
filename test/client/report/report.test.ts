import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { parseHTML } from 'linkedom';
import { keys } from '../../../activities/artifacts/keys.ts';
import { connectStore } from '../../../activities/artifacts/minioStore.ts';
import { buildReport } from '../../../client/report/report.ts';
import { testServices } from '../../services.ts';
import { type Synthetic, writeSyntheticRun } from './syntheticRun.ts';
import preset from '../../../presets/diverge-robust.json' with { type: 'json' };

const store = connectStore((await testServices()).store);

async function report(synthetic: Synthetic): Promise<string> {
  const runKey = `report ${randomUUID()}@1a2b3c4d`;
  await writeSyntheticRun(store, runKey, synthetic);
  return buildReport(store, runKey);
}

/** The page as a browser would have it: parsed, its script run, at the given place (`#generation=2`). */
function open(page: string, hash = '') {
  const { document } = parseHTML(page);
  const listeners: Record<string, (event?: unknown) => void> = {};
  const location = { hash };
  const script = document.querySelector('script:not([type])')?.textContent ?? '';
  // The script is the page's own text: the test is what a browser does with it.
  const run = new Function('document', 'location', 'addEventListener', script) as (
    ...globals: unknown[]
  ) => void;
  run(
    document,
    location,
    (event: string, listener: (event?: unknown) => void) => (listeners[event] = listener),
  );
  const cards = () =>
    [...document.querySelectorAll('#cards > article')].map(({ textContent }) => textContent);
  const goTo = (place: string) => {
    location.hash = place;
    // linkedom has no layout to scroll.
    document.getElementById('browse')!.scrollIntoView = () => {};
    listeners['hashchange']!();
  };
  /** Whether a click on a link to `place` shows it at once, without a change of place. */
  const clickOn = (place: string) => {
    let scrolled = false;
    document.getElementById('browse')!.scrollIntoView = () => void (scrolled = true);
    const link = document.querySelector(`figure a[href="${place}"]`)!;
    listeners['click']!({ target: link.firstElementChild });
    return scrolled;
  };
  return { document, cards, goTo, clickOn, count: () => document.getElementById('count')!.textContent };
}

const page = await report({ generations: 6, evaluations: 2 });

test('the page needs nothing but itself', () => {
  const { document } = parseHTML(page);
  for (const selector of ['link', 'img', 'iframe', 'script[src]', '[style*="url("]'])
    assert.equal(document.querySelector(selector), null, selector);
  const policy = document
    .querySelector('meta[http-equiv="Content-Security-Policy"]')
    ?.getAttribute('content');
  assert.match(policy ?? '', /^default-src 'none'; .*script-src 'sha256-[\w+/=]+'$/);
  assert.ok(page.length < 5_000_000);
});

test('header, key numbers, and a figure for everything measured', () => {
  const { document } = parseHTML(page);
  const header = document.querySelector('header')!.textContent;
  for (const fact of ['@1a2b3c4d', 'diverge', 'SmolLM2-135M-Instruct', 'AMD EPYC 7763'])
    assert.ok(header.includes(fact), fact);
  assert.match(header, /6 of 6/);
  const numbers = document.querySelector('.numbers')!.textContent.replace(/\s+/g, ' ');
  assert.match(numbers, /Held-out accuracy, first answer [\d.]+ % → [\d.]+ %/);
  const figures = [...document.querySelectorAll('figure')];
  assert.equal(figures.length, 2 + 4 + 3 + 4 + 9 + 2);
  for (const figure of figures)
    assert.ok(figure.querySelector('svg path, svg circle, svg rect, tbody td'), figure.textContent);
  assert.equal(document.querySelectorAll('table.chain tbody tr').length, 7);
  assert.match(
    document.querySelector('main')!.textContent,
    /Changed while it ran\s.*training\.learningRate/s,
  );
});

test('the point of a generation leads to its rollouts', () => {
  const browser = open(page);
  const links = [...browser.document.querySelectorAll('figure a')].map((a) => a.getAttribute('href'));
  assert.ok(links.includes('#generation=3'));
  assert.equal(browser.count(), '48 groups');
  browser.goTo('#generation=3');
  assert.equal(browser.count(), '8 groups');
  assert.equal(browser.cards().length, 8);
  for (const card of browser.cards()) assert.match(card, /^generation 3/);
});

for (const made of [
  // One more than a page holds.
  { generations: 61, evaluations: 3, strategy: 'diverge' },
  { generations: 3, evaluations: 1, strategy: 'exit' },
] as const)
  test(`from every point of every figure of ${made.strategy}, rollouts are two clicks away`, async () => {
    const browser = open(await report(made));
    const targets = new Set(
      [...browser.document.querySelectorAll('figure')].flatMap((figure) => {
        const marks = [...figure.querySelectorAll('svg a')].map((mark) => mark.getAttribute('href')!);
        assert.ok(marks.length > 0 || figure.querySelector('table'), figure.textContent);
        return marks;
      }),
    );
    for (let generation = 1; generation <= made.generations; generation++)
      assert.ok(targets.has(`#generation=${generation}`));
    assert.ok(targets.has('#from=heldOut'));
    const dots = [...targets].filter((target) => /^#rollout=g/.test(target));
    assert.equal(dots.length, made.strategy === 'exit' ? 3 * 64 : 0);
    let elsewhere = 0;
    for (const target of targets) {
      // One click, and answers are there to be read.
      browser.goTo(target);
      assert.ok(browser.document.querySelector('#cards .rollout .text')?.textContent, target);
      const asked = /generation=(\d+)$/.exec(target)?.[1];
      const shown = /^generation (\d+)/.exec(browser.cards()[0]!)?.[1];
      if (asked !== undefined && asked !== shown) {
        assert.ok(browser.count()!.includes(`generation ${asked} is not in this page’s sample`));
        elsewhere++;
      }
      if (target.startsWith('#rollout='))
        assert.ok(browser.cards()[0]!.includes(target.slice('#rollout='.length)));
    }
    assert.equal(elsewhere, made.generations > 60 ? 1 : 0);
  });

test('a point that was selected before is shown again', () => {
  const browser = open(page);
  browser.goTo('#generation=3');
  browser.goTo('#generation=4');
  assert.equal(browser.clickOn('#generation=4'), true);
  assert.equal(browser.clickOn('#generation=5'), false);
});

test('dynamics: what the curriculum did, and where answers lie when they were embedded', async () => {
  const titles = (made: string) =>
    [...parseHTML(made).document.querySelectorAll('h3')].map((h3) => h3.textContent);
  const exit = titles(await report({ generations: 3, evaluations: 0, strategy: 'exit' }));
  for (const title of [
    'Where the prompts came from',
    'Depth of the prompts',
    'Age of what was selected',
    'Distinct training instances so far',
    'Learnability by step',
    'Learnability in the task buffer',
    'Age of the scores',
    'Steps of the gold solutions',
    'Distance between answers',
    'Angle between answers',
    'Answers in the embedding space, by generation',
    'The same answers, by quality',
  ])
    assert.ok(exit.includes(title), title);
  assert.ok(!exit.includes('Starting turn'), 'arithmetic has one turn');
  const grpo = titles(await report({ generations: 2, evaluations: 0, strategy: 'grpo' }));
  assert.ok(grpo.includes('Distinct training instances so far'));
  for (const title of [
    'Age of what was selected',
    'Distance between answers',
    'The same answers, by quality',
  ])
    assert.ok(!grpo.includes(title), title);
});

test('the projection is the same each time', async () => {
  const made = { generations: 2, evaluations: 0, strategy: 'exit' } as const;
  const dots = (text: string) => text.match(/<circle[^>]*>/g)!.join('');
  assert.equal(dots(await report(made)), dots(await report(made)));
});

test('groups are filtered by step, family, outcome and words, and show answer after answer', () => {
  const browser = open(page, '#step=improve');
  assert.ok(browser.cards().length > 0);
  for (const card of browser.cards()) {
    assert.match(card, /improve/);
    assert.match(card, /What is .*answer at depth \d+, to improve.*new answers.*advantage/s);
    assert.match(card, /grew from g\d+\/\d+\/\d+/);
    assert.match(card, /policy [0-9a-f]{64}/);
    assert.match(card, /seed 0123456789abcdef/);
  }
  browser.goTo('#family=addOne');
  for (const card of browser.cards()) assert.match(card, /addOne/);
  browser.goTo('#outcome=all wrong');
  for (const card of browser.cards()) assert.doesNotMatch(card, /reward 1[^.\d]/);
  browser.goTo('#words=no model ever said this');
  assert.equal(browser.count(), '0 groups');
  browser.goTo('#from=heldOut');
  assert.equal(browser.count(), `${preset.evaluation.tasks} held-out problems`);
  assert.match(browser.cards()[0]!, /before training.*k = 0.*k = 4.*after generation 6.*k = 0.*k = 4/s);
});

test('cards are made a few at a time', () => {
  const browser = open(page);
  const before = browser.cards().length;
  assert.ok(before < 48);
  (browser.document.getElementById('more') as unknown as { onclick: () => void }).onclick();
  assert.ok(browser.cards().length > before);
});

test('what a model writes stays text', async () => {
  const evil = `</script><script>alert(1)</script><img src=x onerror=alert(2)><!--<script>&amp;'"\u2028{{`;
  const hostile = await report({ generations: 2, evaluations: 1, suffix: evil });
  assert.ok(!hostile.includes('<img') && !hostile.includes('<script>alert'));
  const browser = open(hostile);
  assert.equal(browser.document.querySelectorAll('script').length, 2);
  assert.equal(browser.document.querySelector('#cards img, #cards script'), null);
  assert.ok(browser.cards()[0]!.includes(evil));
});

test('a page of a large run shows a sample, and says so', async () => {
  const bulky = await report({ generations: 5, evaluations: 2, suffix: 'x'.repeat(25_000) });
  assert.ok(bulky.length < 5_000_000, `${bulky.length} characters`);
  assert.match(bulky, /Shown are \d+ of 40 groups, an even sample/);
  assert.match(bulky, new RegExp(`Shown are \\d+ of ${preset.evaluation.tasks} held-out problems`));
  const browser = open(bulky);
  for (const generation of [1, 5]) {
    browser.goTo(`#generation=${generation}`);
    assert.notEqual(browser.count(), '0 groups');
  }
});

test('a run that only has begun, one without evaluations, and one without a curriculum', async () => {
  const begun = await report({ generations: 0, evaluations: 0 });
  assert.match(begun, /No generation is committed yet/);
  assert.equal(open(begun).count(), 'There are no histories yet.');
  const measured = await report({ generations: 0, evaluations: 1 });
  assert.match(measured, /before training/);
  assert.equal(open(measured).count(), `${preset.evaluation.tasks} held-out problems`);
  const plain = await report({ generations: 1, evaluations: 0, strategy: 'grpo' });
  assert.doesNotMatch(plain, /Depth of the task buffer|Held-out accuracy/);
  assert.match(plain, /Training reward/);
});

test('a run that is not there, or is damaged, is a typed failure', async () => {
  await assert.rejects(buildReport(store, 'nobody@00000000'), {
    name: 'ArtifactMissing',
    message: /no run 'nobody@00000000'/,
  });
  const runKey = `report ${randomUUID()}@1a2b3c4d`;
  await writeSyntheticRun(store, runKey, { generations: 1, evaluations: 0 });
  await store.overwrite(keys.groups(runKey, 1), new Uint8Array(5), 'application/octet-stream');
  await assert.rejects(buildReport(store, runKey), { name: 'ArtifactCorrupt' });
});
