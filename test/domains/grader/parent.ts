import { createGraderPool } from '../../../activities/domains/grader/pool.ts';

/** Starts a grader that hangs, tells its process id, and waits to be killed. */
const [, , config] = process.argv;
const pool = createGraderPool({ processes: 1, domainModule: new URL('./tryingDomain.ts', import.meta.url) });
const item = (response: string) => ({
  taskId: 't',
  history: [{ request: [], response, feedback: null }],
});
const [first] = await pool.grade(JSON.parse(config!), [item('pid')], { timeoutMs: 600_000 });
if (!first || !('grade' in first)) throw new Error(JSON.stringify(first));
const hanging = pool.grade(JSON.parse(config!), [item('hang')], { timeoutMs: 600_000 });
console.log(first.grade.answer);
await hanging;
