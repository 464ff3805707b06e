import type { Activities } from '../workflows/contract/activities.ts';
import { withHeartbeat } from './boundary.ts';
import { collect } from './collect.ts';
import { commit } from './commit.ts';
import type { Dependencies } from './dependencies.ts';
import { embed } from './embed.ts';
import { evaluate } from './evaluate.ts';
import { exportHistory } from './exportHistory.ts';
import { findRun } from './findRun.ts';
import { initialise } from './initialise.ts';
import { iterate } from './iterate.ts';
import { openEvaluation } from './openEvaluation.ts';
import { pose } from './pose.ts';
import { refine } from './refine.ts';
import { sample } from './sample.ts';
import { score } from './score.ts';
import { summarise } from './summarise.ts';
import { tabulate } from './tabulate.ts';
import { update } from './update.ts';

/** Every activity, with what it works with. */
export function createActivities(dependencies: Dependencies): Activities {
  return {
    initialise: initialise(dependencies),
    sample: beating(sample(dependencies)),
    iterate: iterate(dependencies),
    evaluate: evaluate(dependencies),
    refine: beating(refine(dependencies)),
    embed: embed(dependencies),
    score: beating(score(dependencies)),
    update: update(dependencies),
    commit: beating(commit(dependencies)),
    openEvaluation: beating(openEvaluation(dependencies)),
    pose: beating(pose(dependencies)),
    summarise: beating(summarise(dependencies)),
    collect: beating(collect(dependencies)),
    findRun: beating(findRun(dependencies)),
    tabulate: beating(tabulate(dependencies)),
    exportHistory: beating(exportHistory(dependencies)),
  };
}

/** A step that has no progress to tell, but is missed soon when its worker dies. */
function beating<Input, Result>(step: (input: Input) => Promise<Result>) {
  return (input: Input) => withHeartbeat(() => step(input));
}
