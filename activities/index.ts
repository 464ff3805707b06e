import type { Activities } from '../workflows/contract/steps.ts';
import { commit } from './commit.ts';
import type { Dependencies } from './dependencies.ts';
import { evaluate } from './evaluate.ts';
import { exportHistory } from './exportHistory.ts';
import { initialise } from './initialise.ts';
import { iterate } from './iterate.ts';
import { pose } from './pose.ts';
import { sample } from './sample.ts';
import { score } from './score.ts';
import { summarise } from './summarise.ts';
import { update } from './update.ts';

/** Every activity, with what it works with. */
export function createActivities(dependencies: Dependencies): Activities {
  return {
    initialise: initialise(dependencies),
    sample: sample(dependencies),
    iterate: iterate(dependencies),
    evaluate: evaluate(dependencies),
    score: score(dependencies),
    update: update(dependencies),
    commit: commit(dependencies),
    pose: pose(dependencies),
    summarise: summarise(dependencies),
    exportHistory: exportHistory(dependencies),
  };
}
