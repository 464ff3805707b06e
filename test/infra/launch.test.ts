import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const launch = fileURLToPath(new URL('../../infra/launch.mjs', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'reiterate-launch-'));
after(() => rm(folder, { recursive: true, force: true }));

async function start(script: string, ...args: string[]) {
  const file = join(folder, 'script.mts');
  await writeFile(file, script);
  const child = spawn(process.execPath, [launch, '--script', file, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    stdout,
  }));
  return { child, ended, ready: once(child.stdout, 'data') };
}

test('a script gets its arguments, owns stdout, and its exit code is passed on', async () => {
  const { ended } = await start(
    `const args: string[] = process.argv.slice(2); console.log(JSON.stringify(args)); process.exit(7);`,
    '--json',
    'a b',
    '--script',
  );
  assert.deepEqual(await ended, { code: 7, signal: null, stdout: '["--json","a b","--script"]\n' });
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  test(`${signal} reaches a script, once, also when it is busy`, async () => {
    const { child, ended, ready } = await start(`
      let heard = 0;
      process.on('${signal}', () => { if (heard++ === 0) setTimeout(() => { console.log(heard); process.exit(heard); }, 1000); });
      console.log('ready');
      setTimeout(() => { const end = Date.now() + 500; while (Date.now() < end); }, 50);
      setTimeout(() => process.exit(9), 60_000);
    `);
    await ready;
    child.kill(signal);
    assert.deepEqual(await ended, { code: 1, signal: null, stdout: 'ready\n1\n' });
  });

test('a script that a signal ends looks so from outside', async () => {
  const { child, ended, ready } = await start(`console.log('ready'); setInterval(() => {}, 1000);`);
  await ready;
  child.kill('SIGTERM');
  assert.deepEqual(await ended, { code: null, signal: 'SIGTERM', stdout: 'ready\n' });
});
