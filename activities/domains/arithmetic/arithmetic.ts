import type { DomainOf } from '../../../workflows/contract/domain.ts';
import { gradeAnswer } from '../answer.ts';
import { madeBy, type Domain } from '../domain.ts';
import { makeTasks } from './tasks.ts';

/**
 * Generated arithmetic: single-turn problems with one exact number as the answer, verified as in competition math.
 *
 * @throws `InvalidRunConfig` when the problem sets cannot be made as the configuration asks.
 */
export function openArithmetic(config: DomainOf<'arithmetic'>): Domain {
  const tasks = makeTasks(config);
  const ids = { train: tasks.train.map(({ id }) => id), heldOut: tasks.heldOut.map(({ id }) => id) };
  const all = [...tasks.train, ...tasks.heldOut];
  const taskOf = madeBy('arithmetic', new Map(all.map((task) => [task.id, task])));
  return {
    name: 'arithmetic',
    graderVersion: 'arithmetic-2',
    rewardMode: 'verification',
    stopStrings: [],
    maxTurns: 1,
    taskIds: (split) => ids[split],
    task: taskOf,
    observe: () => ({ done: true, feedback: null }),
    quote: (response) => response.trim(),
    grade: (taskId, history) =>
      Promise.resolve(gradeAnswer(history.at(-1)?.response ?? '', taskOf(taskId).gold)),
  };
}
