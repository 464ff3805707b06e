import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHTML } from 'linkedom';
import { ratioChart } from '../../bench/chart.ts';
import { compare, type Contender } from '../../bench/compare.ts';

/** A contender that gives these values one after the other, then fails. */
function scripted(name: string, values: number[], bound = false): Contender {
  const left = [...values];
  const measure = async () => {
    const value = left.shift();
    if (value === undefined) throw new Error('no memory');
    return value;
  };
  return { name, bound, measure };
}
const quiet = () => undefined;

test('medians without the warm-up; bounds apart from peers; a peer that fails is left out', async () => {
  const others = [
    scripted('steady', [1, 200, 100, 400]),
    scripted('dying', [1, 2]),
    scripted('roof', [1, 50, 50, 50], true),
  ];
  const said: string[] = [];
  const result = await compare('work', 's', scripted('ours', [9, 30, 10, 20]), others, 3, (line) =>
    said.push(line),
  );
  assert.deepEqual([result.ours, result.peers, result.bounds], [20, { steady: 200 }, { roof: 50 }]);
  assert.ok(said.some((line) => line.includes('dying is left out') && line.includes('no memory')));
  await assert.rejects(compare('work', 's', scripted('ours', [1]), [], 1, quiet), /no memory/);
});

test('the chart says of every peer how many times better ours is, for rates and for times', () => {
  const svg = ratioChart([
    { name: 'decode', unit: 'tok/s', ours: 30, peers: { slow: 10, fast: 40 }, bounds: { roof: 50 } },
    { name: 'train', unit: 's', ours: 2, peers: { torch: 9 }, bounds: {} },
    { name: 'load', unit: 'tok/s', ours: 9, peers: {}, bounds: { full: 10 } },
  ]);
  const { document } = parseHTML(svg);
  assert.equal(document.documentElement.getAttribute('xmlns'), 'http://www.w3.org/2000/svg');
  const texts = [...document.querySelectorAll('text')].map((text) => text.textContent);
  for (const expected of ['decode', 'slow', '3.00 ×', 'fast', '0.75 ×', 'train', 'torch', '4.50 ×'])
    assert.ok(texts.includes(expected), `${expected} is not in ${texts.join('; ')}`);
  assert.ok(!texts.includes('load') && !texts.includes('roof'));
});
