import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { InfraProblem } from '../../infra/problem.ts';
import { obtain, type Source, type Wanted } from '../../infra/setup/obtain.ts';

const root = await mkdtemp(join(tmpdir(), 'reiterate-obtain-'));
after(() => rm(root, { recursive: true, force: true }));

let folders = 0;
async function wanted(sources: Source[], more: Partial<Wanted> = {}): Promise<Wanted & { folder: string }> {
  const folder = join(root, String(folders++));
  await mkdir(folder);
  const target = join(folder, 'tool');
  return { name: 'Tool', target, sources, executable: true, remedy: 'Install the tool.', folder, ...more };
}

/** A source that writes `text`; `fetched` counts. */
function writing(text: string): Source & { fetched: number } {
  return {
    name: `writing ${text}`,
    fetched: 0,
    async fetch(workspace) {
      this.fetched++;
      await writeFile(join(workspace, 'file'), text);
      return join(workspace, 'file');
    },
  };
}

const failing: Source = {
  name: 'the shop',
  async fetch(workspace) {
    await writeFile(join(workspace, 'half'), 'hal');
    throw new InfraProblem('it is closed');
  },
};

test('the first source that works is used once; the second time nothing is fetched', async () => {
  const source = writing('works');
  const lines: string[] = [];
  const want = await wanted([failing, source]);
  assert.equal(await obtain(want, (line) => lines.push(line)), want.target);
  await obtain(want, () => assert.fail('the second time is silent'));
  assert.equal(await readFile(want.target, 'utf8'), 'works');
  assert.equal((await stat(want.target)).mode & 0o111, 0o111);
  assert.equal(source.fetched, 1);
  assert.deepEqual(await readdir(want.folder), ['tool']);
  assert.ok(lines.some((line) => line === 'Tool: not from the shop: it is closed'));
});

test('when no source works the message says what to install and why each failed; nothing is left', async () => {
  const want = await wanted([failing, { ...failing, name: 'the other shop' }]);
  await assert.rejects(
    obtain(want, () => {}),
    {
      name: 'InfraProblem',
      message:
        'Tool could not be set up. Install the tool. (the shop: it is closed; the other shop: it is closed)',
    },
  );
  assert.deepEqual(await readdir(want.folder), []);
});

test('bytes with another hash are not accepted', async () => {
  const sha256 = createHash('sha256').update('right').digest('hex');
  const want = await wanted([writing('wrong'), writing('right')], { sha256 });
  await obtain(want, () => {});
  assert.equal(await readFile(want.target, 'utf8'), 'right');
});

test('several at once fetch it once, and what a killed set-up left is removed', async () => {
  const source = writing('once');
  const want = await wanted([source]);
  await mkdir(`${want.target}.partial-from-a-killed-process`);
  await Promise.all([obtain(want, () => {}), obtain(want, () => {}), obtain(want, () => {})]);
  assert.equal(source.fetched, 1);
  assert.deepEqual(await readdir(want.folder), ['tool']);
});

test('a mistake of ours is not taken for a source that does not work', async () => {
  const broken: Source = { name: 'broken', fetch: () => Promise.reject(new TypeError('x is undefined')) };
  await assert.rejects(
    obtain(await wanted([broken, writing('never')]), () => {}),
    TypeError,
  );
});
