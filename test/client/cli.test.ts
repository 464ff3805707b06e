import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { exitCodes } from '../../client/exit.ts';

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Nothing listens on port 1 of the loopback address. */
const nowhere = {
  TEMPORAL_ADDRESS: '127.0.0.1:1',
  REITERATE_S3_ENDPOINT: 'http://127.0.0.1:1',
  REITERATE_S3_ACCESS_KEY: 'nobody',
  REITERATE_S3_SECRET_KEY: 'nothing-secret',
};
/** A command that hangs is killed, and its test fails. */
const deadlineMs = 120_000;

suite('the reiterate command', { concurrency: 2 }, () => {
  let home: string;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'reiterate-cli-'));
  });
  after(() => rm(home, { recursive: true, force: true }));

  function reiterate(args: string[], env: Record<string, string> = {}): Promise<Outcome> {
    const child = spawn(process.execPath, ['infra/launch.mjs', ...args], {
      env: { PATH: process.env['PATH'], HOME: home, REITERATE_HOME: home, NO_COLOR: '1', ...env },
      timeout: deadlineMs,
    });
    const outcome: Outcome = { code: null, stdout: '', stderr: '' };
    child.stdout.on('data', (text: Buffer) => (outcome.stdout += text.toString()));
    child.stderr.on('data', (text: Buffer) => (outcome.stderr += text.toString()));
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ ...outcome, code }));
    });
  }

  /** One sentence on stderr, nothing on stdout, no stack. */
  function assertRefused(outcome: Outcome, code: number, sentence: RegExp): void {
    assert.equal(outcome.stdout, '');
    assert.match(outcome.stderr, sentence);
    assert.equal(outcome.stderr.trim().split('\n').length, 1, outcome.stderr);
    assert.doesNotMatch(outcome.stderr, /\n +at /);
    assert.equal(outcome.code, code);
  }

  test('explain prints a page, or JSON, without any service', async () => {
    const [page, json] = await Promise.all([
      reiterate(['explain', 'presets/exit-faithful.json']),
      reiterate(['explain', 'presets/exit-faithful.json', '--json', '--set', 'seed=4']),
    ]);
    assert.deepEqual([page.code, page.stderr, json.code], [exitCodes.ok, '', exitCodes.ok]);
    assert.match(page.stdout, /^exit: the whole of ExIt/);
    assert.match(page.stdout, /\n {2}d_i = min\(10, .*\n/);
    assert.match(page.stdout, /\n {2}learning rate +1e-6 +1e-6 +1e-6 \(grpo, exit\), 5e-7 \(others\)/);
    assert.equal((JSON.parse(json.stdout) as { strategy: string }).strategy, 'exit');
  });

  test('help lists the exit codes', async () => {
    const help = await reiterate(['--help']);
    assert.equal(help.code, exitCodes.ok);
    for (const [name, code] of Object.entries(exitCodes))
      if (name !== 'interrupted') assert.match(help.stdout, new RegExp(`^  ${code}  `, 'm'));
  });

  test('an unknown command, option or argument is a usage error', async () => {
    for (const args of [
      ['strat'],
      ['runs', '--jsn'],
      ['watch'],
      ['stop', 'x', '--after', '-1'],
      ['worker', '--roles', 'boss'],
      ['worker', '--cpus', '1-0'],
      ['policy', 'generate', '--device', 'gpu', '--prompt', 'Hello'],
    ]) {
      const { code, stdout, stderr } = await reiterate(args);
      assert.equal(code, exitCodes.usage, args.join(' '));
      assert.equal(stdout, '');
      assert.match(stderr, /^error: /);
    }
  });

  test('a configuration file that is not there', async () => {
    assertRefused(
      await reiterate(['start', 'nowhere.json']),
      exitCodes.notFound,
      /There is no file nowhere\.json/,
    );
  });

  test('a configuration file that is no JSON', async () => {
    const file = join(home, 'broken.json');
    await writeFile(file, '{ "seed": ');
    assertRefused(await reiterate(['start', file]), exitCodes.usage, /broken\.json is not JSON/);
  });

  test('a wrong configuration names each problem, before any service is asked', async () => {
    const { code, stdout, stderr } = await reiterate([
      'start',
      'presets/demo.json',
      '--set',
      'seeed=1',
      '--set',
      'threads=0',
    ]);
    assert.equal(code, exitCodes.usage);
    assert.equal(stdout, '');
    assert.match(stderr, /^ {2}seeed: unknown key; the nearest valid one is 'seed'$/m);
    assert.match(stderr, /^ {2}threads: /m);
  });

  test('services that are not started say how to start them', async () => {
    assertRefused(
      await reiterate(['watch', 'x']),
      exitCodes.unreachable,
      /Temporal is not running.*reiterate up/,
    );
    assertRefused(await reiterate(['runs']), exitCodes.unreachable, /MinIO is not running.*reiterate up/);
    const status = await reiterate(['status', '--json']);
    assert.equal(status.code, exitCodes.unreachable);
    const { services } = JSON.parse(status.stdout) as { services: { state: string }[] };
    assert.deepEqual(
      services.map(({ state }) => state),
      ['stopped', 'stopped'],
    );
  });

  test('a Temporal server that does not answer', async () => {
    for (const args of [
      ['start', 'presets/demo.json'],
      ['watch', 'x'],
      ['pause', 'x'],
      ['stop', 'x', '--now'],
    ])
      assertRefused(
        await reiterate(args, nowhere),
        exitCodes.unreachable,
        /Temporal does not answer at 127\.0\.0\.1:1/,
      );
  });

  test('an object store that does not answer', async () => {
    for (const args of [
      ['runs'],
      ['show', 'x', '--json'],
      ['report', 'x'],
      ['policy', 'export', 'x', '--out', 'out/x'],
    ])
      assertRefused(
        await reiterate(args, nowhere),
        exitCodes.unreachable,
        /StoreUnavailable: .*127\.0\.0\.1:1/,
      );
  });

  test('a model file that is not there', async () => {
    const args = ['policy', 'generate', '--model', 'nowhere.gguf', '--prompt', 'Hello'];
    assertRefused(await reiterate(args), exitCodes.notFound, /ModelUnavailable: .*nowhere\.gguf/);
  });
});
