import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { connectStore } from '../../activities/artifacts/minioStore.ts';
import { decodeDynamics, decodePoints } from '../../activities/artifacts/parquet.ts';
import type { DynamicsRow } from '../../activities/artifacts/records.ts';
import { exitCodes } from '../../client/exit.ts';
import type { BufferLine } from '../../client/inspect/buffer.ts';
import type { GroupLine } from '../../client/inspect/groups.ts';
import type { InspectedInstance } from '../../client/inspect/instance.ts';
import type { InspectedRollout } from '../../client/inspect/rollout.ts';
import { createProgram } from '../../client/program.ts';
import { environmentOf } from '../../infra/services/connection.ts';
import { testServices } from '../services.ts';
import { writeSyntheticRun } from './report/syntheticRun.ts';

const services = await testServices();
Object.assign(process.env, environmentOf(services));

const name = `inspect-${randomUUID().slice(0, 8)}`;
const runKey = `${name}@1a2b3c4d`;

/** What the command prints on stdout: text. The test runner's own reports pass there as bytes. */
async function inspect(...args: string[]): Promise<string> {
  let printed = '';
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = ((chunk: string | Uint8Array) => {
    if (typeof chunk !== 'string') return write(chunk);
    printed += chunk;
    return true;
  }) as typeof process.stdout.write;
  try {
    await createProgram().parseAsync(['node', 'reiterate', 'inspect', ...args]);
  } finally {
    process.stdout.write = write;
  }
  return printed;
}
const json = async <T>(...args: string[]) => JSON.parse(await inspect(...args, '--json')) as T;

suite('inspect', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'reiterate-inspect-'));
    await writeSyntheticRun(connectStore(services.store), runKey, {
      generations: 12,
      evaluations: 0,
      strategy: 'exit',
    });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** A group whose prompt improves an answer that was itself an improvement. */
  async function deepGroup(): Promise<GroupLine> {
    for (let generation = 12; generation > 0; generation--) {
      const { groups } = await json<{ groups: GroupLine[] }>(
        'groups',
        name,
        '--generation',
        String(generation),
      );
      const deep = groups.find(({ depth }) => depth >= 2);
      if (deep) return deep;
    }
    throw new Error('the synthetic run never improved twice');
  }

  test('buffer: the highest learnability first, with how likely each is to be selected', async () => {
    const { size, entries } = await json<{ size: number; entries: BufferLine[] }>(
      'buffer',
      name,
      '--limit',
      '5',
    );
    assert.equal(entries.length, 5);
    assert.ok(size > 5);
    const all = (await json<{ entries: BufferLine[] }>('buffer', name, '--limit', '1000')).entries;
    assert.equal(all.length, size);
    all.forEach(({ score }, i) => assert.ok(score <= (all[i - 1]?.score ?? 0.25)));
    assert.ok(all[0]!.chance > all.at(-1)!.chance);
    const table = await inspect('buffer', name, '--limit', '5');
    assert.match(table, /^instance +task +k +S +of +age +visits +grew from +chance\n/);
    assert.ok(table.includes(entries[0]!.instanceId.slice(0, 10)));
    assert.equal(table.trim().split('\n').length, 6);
    const early = await json<{ generation: number; size: number }>('buffer', name, '--generation', '0');
    assert.deepEqual([early.generation, early.size], [0, 0]);
  });

  test('groups: one a line, with the rewards that S is the variance of', async () => {
    const { groups } = await json<{ groups: GroupLine[] }>('groups', name, '--generation', '3');
    assert.deepEqual(
      groups.map(({ group }) => group),
      Array.from({ length: 8 }, (_, ordinal) => `g3/${ordinal}`),
    );
    for (const { rewards, learnability, dropped } of groups) {
      const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
      const variance = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0) / rewards.length;
      assert.ok(Math.abs(variance - learnability) < 1e-9);
      assert.equal(dropped, variance === 0 ? 'noSignal' : null);
    }
    assert.equal((await inspect('groups', name)).trim().split('\n').length, 9);
  });

  test('one history can be followed from its base task to the update it caused', async () => {
    const group = await deepGroup();
    const rollout = await json<InspectedRollout>('rollout', name, `${group.group}/0`);
    const { lineage } = rollout;
    assert.equal(lineage.length, group.depth + 1);
    assert.deepEqual(
      lineage.map(({ depth }) => depth),
      lineage.map((_, k) => k),
    );
    assert.equal(lineage[0]!.step, 'base');
    assert.equal(lineage.at(-1)!.rolloutId, rollout.rolloutId);
    lineage.slice(1).forEach((step, i) => {
      assert.ok(step.generation > lineage[i]!.generation);
      assert.notEqual(step.step, 'base');
    });
    assert.ok(rollout.prompt.includes(lineage.at(-2)!.completion), 'the prompt shows the answer before it');
    assert.equal(rollout.update.trained, group.dropped === null);
    assert.ok(rollout.update.metrics!.trainedTokens > 0);
    assert.match(rollout.update.manifest, /^[0-9a-f]{64}$/);
    const page = await inspect('rollout', name, rollout.rolloutId);
    for (const { rolloutId } of lineage) assert.ok(page.includes(rolloutId));
    assert.match(page, /\nupdate +of generation \d+: (not )?trained on/);

    // Each link, from the other side: the instance that it started from, and what grew from its parent.
    const instance = await json<InspectedInstance>('instance', name, group.instanceId.slice(0, 16));
    assert.equal(instance.instanceId, group.instanceId);
    assert.deepEqual(instance.lineage, lineage.slice(0, -1));
    assert.ok(instance.visits.some((visit) => visit.group === group.group));
    assert.equal(instance.history.at(-1)!.response, lineage.at(-2)!.completion);
    const parent = await json<InspectedInstance>('instance', name, lineage.at(-2)!.instanceId);
    const child = parent.grown.find(({ instanceId }) => instanceId === group.instanceId);
    assert.equal(child?.rolloutId, group.parentRolloutId);
    assert.ok(child!.visits >= 1);
    assert.match(
      await inspect('instance', name, parent.instanceId),
      new RegExp(group.instanceId.slice(0, 10)),
    );
  });

  test('dynamics: a line a generation, and as Parquet with the points of the projection', async () => {
    const [out, points] = [join(folder, 'dynamics.parquet'), join(folder, 'points.parquet')];
    const { generations, files } = await json<{ generations: DynamicsRow[]; files: string[] }>(
      'dynamics',
      name,
      '--out',
      out,
      '--points',
      points,
    );
    assert.deepEqual(files, [out, points]);
    assert.deepEqual(await decodeDynamics(await readFile(out), out), generations);
    assert.deepEqual(
      generations.map(({ generation }) => generation),
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
    generations.forEach((row, i) => {
      assert.ok(row.instancesSoFar >= row.baseTasksSoFar && row.baseTasksSoFar <= row.baseTasks);
      assert.ok(row.instancesSoFar >= (generations[i - 1]?.instancesSoFar ?? 0));
      assert.equal(
        row.promptsByDepth.reduce((sum, prompts) => sum + prompts, 0),
        row.prompts,
      );
      assert.equal(row.meanRecency === null, row.fromBuffer === 0);
      assert.equal(row.learnabilityImprove === null, row.improve === 0);
      assert.ok(row.qualityVariance! >= 0 && row.qualityVariance! <= 0.25);
      assert.ok(row.pairwiseL2! > 0 && row.pairwiseCosine! > 0 && row.meanGoldSteps! >= 1);
    });
    assert.ok(generations.some(({ fromBuffer, meanRecency }) => fromBuffer > 0 && meanRecency! >= 1));
    const rows = await decodePoints(await readFile(points), points);
    assert.equal(rows.length, 12 * 8 * 8);
    assert.equal(new Set(rows.map(({ rolloutId }) => rolloutId)).size, rows.length);
    assert.equal((await inspect('dynamics', name)).trim().split('\n').length, 13);
  });

  test('what is not there, or not one thing, is said in a sentence', async () => {
    const refused = (args: string[], code: number, message: RegExp) =>
      assert.rejects(inspect(...args), { name: 'CommandFailure', code, message });
    await refused(['rollout', name, 'g3'], exitCodes.usage, /'g3' is no rollout: g7\/3\/5 is/);
    await refused(['rollout', name, 'g3/99/0'], exitCodes.notFound, /no rollout g3\/99\/0/);
    await refused(['rollout', name, 'g99/0/0'], exitCodes.notFound, /no rollout g99\/0\/0/);
    await refused(['instance', name, 'xyz'], exitCodes.notFound, /No instance of this run begins with 'xyz'/);
    await refused(['instance', name, ''], exitCodes.usage, /instances begin with ''.*give more/);
    await refused(['groups', name, '--generation', '99'], exitCodes.notFound, /no generation 99.*is 12/);
    await refused(['buffer', 'nobody'], exitCodes.notFound, /No run 'nobody'/);
  });
});
