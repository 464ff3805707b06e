import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createGraderPool, type GradeAnswer } from '../../../activities/domains/grader/pool.ts';
import { openDomain } from '../../../activities/domains/open.ts';
import type { DomainOf } from '../../../workflows/contract/domain.ts';
import { isAlive } from '../../processes.ts';

const config: DomainOf<'arithmetic'> = {
  name: 'arithmetic',
  families: { addOne: 1 },
  trainTasks: 40,
  heldOutTasks: 1,
  taskSeed: 1,
};
const tryingDomain = new URL('./tryingDomain.ts', import.meta.url);
const pool = createGraderPool({ domainModule: tryingDomain });
after(() => pool.close());

const items = (...responses: string[]) =>
  responses.map((response) => ({ taskId: 't', history: [{ request: [], response, feedback: null }] }));
/** The quality, or the error. */
const brief = (answers: GradeAnswer[]) =>
  answers.map((answer) => ('grade' in answer ? answer.grade.quality : answer.error));
const long = { timeoutMs: 600_000 };

test('the project’s own domain is graded in order, with progress', async () => {
  const own = createGraderPool();
  const domain = openDomain(config);
  const histories = domain.taskIds('train').map((taskId, index) => {
    const { request, gold } = domain.task(taskId);
    const response = index % 3 === 0 ? `\\boxed{${gold}}` : 'no idea';
    return { taskId, history: [{ request, response, feedback: null }] };
  });
  const seen: number[] = [];
  const answers = await own.grade(config, histories, {
    ...long,
    onProgress: (done, total) => {
      assert.equal(total, 40);
      seen.push(done);
    },
  });
  await own.close();
  assert.deepEqual(
    brief(answers),
    histories.map((_, index) => (index % 3 === 0 ? 1 : 0)),
  );
  assert.deepEqual(
    seen,
    histories.map((_, index) => index + 1),
  );
});

test('only the item that hangs fails', async () => {
  const answers = await pool.grade(config, items('0.5', 'hang', '0.25', 'sleep', '1', '0.75'), {
    timeoutMs: 2000,
  });
  const late = 'grading took longer than 2000 ms';
  assert.deepEqual(brief(answers), [0.5, late, 0.25, late, 1, 0.75]);
});

test('an answer that came in time counts, also when nobody had the time to read it', async () => {
  const busy = createGraderPool({ domainModule: tryingDomain, processes: 1 });
  await busy.grade(config, items('1'), long);
  const block = () => {
    const end = Date.now() + 3000;
    while (Date.now() < end);
  };
  const answers = await busy.grade(config, items('0.5', 'soon', '1'), {
    timeoutMs: 1500,
    onProgress: (done) => done === 1 && setImmediate(block),
  });
  await busy.close();
  assert.deepEqual(brief(answers), [0.5, 0, 1]);
});

test('only the item that kills its grader fails, on the second death', async () => {
  const answers = await pool.grade(config, items('0.5', 'die', '0.25', '1'), long);
  assert.deepEqual(brief(answers), [0.5, 'the grader process died twice on it (exit code 3)', 0.25, 1]);
});

test('what a grader throws, and a quality outside [0, 1], is that item’s error', async () => {
  const answers = await pool.grade(config, items('throw', '1', '7'), long);
  assert.deepEqual(brief(answers), [
    'this grader is broken',
    1,
    'the grader gave quality 7, which is not in [0, 1]',
  ]);
});

test('graders are kept from call to call, calls can overlap, and no items are no work', async () => {
  const pids = async () => {
    const answers = await pool.grade(config, items('pid', 'pid', 'pid'), long);
    return answers.map((answer) => ('grade' in answer ? answer.grade.answer : answer.error));
  };
  const used = new Set((await Promise.all([pids(), pids(), pids()])).flat());
  assert.ok(used.size <= 2, String([...used]));
  assert.deepEqual(await pool.grade(config, [], long), []);
});

test('a grader killed while idle is replaced', async () => {
  const [answer] = await pool.grade(config, items('pid'), long);
  assert.ok(answer && 'grade' in answer);
  process.kill(Number(answer.grade.answer), 'SIGKILL');
  assert.deepEqual(brief(await pool.grade(config, items('1', '0.5', '1'), long)), [1, 0.5, 1]);
});

test('graders do not see our credentials', async () => {
  process.env.REITERATE_TEST_SECRET = 'hidden';
  const fresh = createGraderPool({ domainModule: tryingDomain });
  const [answer] = await fresh.grade(config, items('env'), long);
  await fresh.close();
  assert.ok(answer && 'grade' in answer);
  assert.ok(!answer.grade.answer!.includes('hidden'));
});

test('aborting rejects with the signal’s reason and leaves the pool usable', async () => {
  const controller = new AbortController();
  const grading = pool.grade(config, items('1', 'hang', 'hang'), {
    ...long,
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('stop now')),
  });
  await assert.rejects(grading, { message: 'stop now' });
  assert.deepEqual(brief(await pool.grade(config, items('1'), long)), [1]);
  await assert.rejects(
    pool.grade(config, items('1'), { ...long, signal: AbortSignal.abort(new Error('before')) }),
    {
      message: 'before',
    },
  );
});

test('a configuration that the domain refuses is that failure', async () => {
  await assert.rejects(pool.grade({ ...config, taskSeed: 404 }, items('1'), long), {
    name: 'InvalidRunConfig',
    message: 'domain.taskSeed: 404 is refused',
  });
});

test('graders that cannot be started are unavailable, with the reason', async () => {
  const broken = createGraderPool({ domainModule: new URL('./missing.ts', import.meta.url) });
  await assert.rejects(broken.grade(config, items('1'), long), {
    name: 'GraderUnavailable',
    message: /could not be started \(exit code 1\).*missing\.ts/s,
  });
  await broken.close();
});

test('a closed pool says so', async () => {
  const closed = createGraderPool({ domainModule: tryingDomain });
  await closed.close();
  await assert.rejects(closed.grade(config, items('1'), long), {
    name: 'GraderUnavailable',
    message: /closed/,
  });
});

test('a grader that loops for ever ends when its parent is killed', async () => {
  const parent = fork(fileURLToPath(new URL('./parent.ts', import.meta.url)), [JSON.stringify(config)], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const [line] = (await once(parent.stdout!, 'data')) as [Buffer];
  const grader = Number(String(line));
  assert.ok(isAlive(grader));
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  // The runner's own limit ends this test if the grader never goes.
  while (isAlive(grader)) await wait(50);
});
