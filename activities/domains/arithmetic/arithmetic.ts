import type { DomainOf } from '../../../workflows/contract/domain.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { gradeAnswer } from '../answer.ts';
import type { Domain } from '../domain.ts';
import { makeTasks } from './tasks.ts';

/**
 * Generated arithmetic: single-turn problems with one exact number as the answer, verified as in competition math.
 *
 * @throws `InvalidRunConfig` when the problem sets cannot be made as the configuration asks.
 */
export function openArithmetic(config: DomainOf<'arithmetic'>): Domain {
  const tasks = makeTasks(config);
  const ids = { train: tasks.train.map(({ id }) => id), heldOut: tasks.heldOut.map(({ id }) => id) };
  const byId = new Map([...tasks.train, ...tasks.heldOut].map((task) => [task.id, task]));
  const taskOf = (id: string) => {
    const task = byId.get(id);
    if (!task)
      throw new TypedFailure(
        'ArtifactCorrupt',
        `the arithmetic domain of this configuration has no task '${id}'`,
      );
    return task;
  };
  return {
    name: 'arithmetic',
    graderVersion: 'arithmetic-1',
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
