import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openDevice } from '../../../activities/policy/engine/device.ts';

const modelPath = fileURLToPath(new URL('../../fixtures/policy/tiny.gguf', import.meta.url));
const open = (cpus?: string) => openDevice({ modelPath, threads: 2, cpus });

/** The CPUs that each thread of a process may use, as Linux lists them. */
const threadsOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/task`).map(
    (thread) =>
      /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8'))![1]!,
  );
const linux = { skip: process.platform !== 'linux' && 'engines are pinned on Linux only' };

test('every thread of an engine stays on its CPUs, and the bits do not change', linux, async () => {
  const own = threadsOf(process.pid)[0]!;
  const cpu = /\d+$/.exec(own)![0];
  const results = [];
  for (const [cpus, expected] of [
    [undefined, own],
    [own, own],
    [cpu, cpu],
  ] as const) {
    const engine = await open(cpus);
    results.push(await engine.logProbs(null, [[1, 2, 3, 4, 5, 6, 7]]));
    const threads = threadsOf(engine.processId()!);
    await engine.close();
    assert.ok(threads.length > 2);
    assert.deepEqual([...new Set(threads)], [expected], `asked for ${cpus}`);
  }
  assert.deepEqual(results[1], results[0]);
  assert.deepEqual(results[2], results[0]);
});

test('CPUs that cannot be are named', linux, async () => {
  for (const [list, pattern] of [
    ['', /expected numbers and ranges, such as '0-3,8'/],
    ['0-', /CPUs '0-': expected/],
    ['1-0', /expected/],
    ['0;1', /expected/],
    ['4095', /CPU 4095 is not among those of this process \(.+\)/],
  ] as const)
    await assert.rejects(open(list), { name: 'DeviceUnavailable', message: pattern });
});
