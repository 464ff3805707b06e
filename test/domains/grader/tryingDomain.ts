import { setTimeout as wait } from 'node:timers/promises';
import type { Domain, OpenDomain } from '../../../activities/domains/domain.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';

/** A domain whose grader does what the answer says: hangs, takes its time, dies, throws, or gives a quality. */
export const openDomain: OpenDomain = (config): Domain => {
  if (config.name === 'arithmetic' && config.taskSeed === 404)
    throw new TypedFailure('InvalidRunConfig', 'domain.taskSeed: 404 is refused');
  return {
    name: 'trying',
    graderVersion: '1',
    rewardMode: 'verification',
    stopStrings: [],
    maxTurns: 1,
    taskIds: () => [],
    task: (id) => ({ id, family: 'trying', request: [], gold: '' }),
    observe: () => ({ done: true, feedback: null }),
    quote: (response) => response,
    grade: async (_, history) => {
      const response = history[0]!.response!;
      if (response === 'hang') for (;;);
      if (response === 'sleep') return new Promise(() => {});
      if (response === 'soon') await wait(100);
      if (response === 'die') process.exit(3);
      if (response === 'throw') throw new Error('this grader is broken');
      const answer =
        response === 'pid'
          ? String(process.pid)
          : response === 'env'
            ? JSON.stringify(process.env)
            : response;
      return { quality: Number(response) || 0, verdict: 'ok', answer };
    },
  };
};
