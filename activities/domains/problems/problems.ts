import type { DomainOf } from '../../../workflows/contract/domain.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { gradeAnswer } from '../answer.ts';
import { madeBy, type BaseTask, type Domain, type Split } from '../domain.ts';

/**
 * Problems of one's own: a question, and the right answer where it is known. A number is compared as a number, anything
 * else as text.
 *
 * @throws `InvalidRunConfig` when a training and a held-out problem have one id.
 */
export function openProblems({ train, heldOut, instruction }: DomainOf<'problems'>): Domain {
  const problems = new Map([...train, ...heldOut].map((problem) => [problem.id, problem]));
  if (problems.size < train.length + heldOut.length) {
    const trained = new Set(train.map(({ id }) => id));
    const { id } = heldOut.find((problem) => trained.has(problem.id))!;
    throw new TypedFailure(
      'InvalidRunConfig',
      `domain.heldOut: '${id}' is the id of a training problem too; held-out problems are never trained on`,
    );
  }
  const ids: Record<Split, string[]> = {
    train: train.map(({ id }) => id),
    heldOut: heldOut.map(({ id }) => id),
  };
  const problemOf = madeBy('problems', problems);
  return {
    name: 'problems',
    graderVersion: 'problems-2',
    rewardMode: 'verification',
    stopStrings: [],
    maxTurns: 1,
    taskIds: (split) => ids[split],
    task: (id): BaseTask => {
      const { question, answer } = problemOf(id);
      const content = instruction === null ? question : `${question} ${instruction}`;
      return { id, family: 'problems', request: [{ role: 'user', content }], gold: answer ?? '' };
    },
    observe: () => ({ done: true, feedback: null }),
    quote: (response) => response.trim(),
    grade: (id, history) => {
      const { answer } = problemOf(id);
      if (answer === null)
        return Promise.reject(new Error(`problem '${id}' has no answer to be graded against`));
      return Promise.resolve(gradeAnswer(history.at(-1)?.response ?? '', answer));
    },
  };
}
