import type { DomainOf } from '../../../workflows/contract/domain.ts';
import type { History } from '../../curriculum/types.ts';
import { answerIn, gradeAnswer, parseNumber } from '../answer.ts';
import { madeBy, type Domain, type Grade } from '../domain.ts';
import { drawScripts, type Script } from './scripts.ts';

/**
 * A till with coins, the smallest multi-turn domain there is: each turn says what comes or goes and asks for the new
 * balance. A later turn follows from the balance before it, which only the policy's own answers name. Quality is the
 * share of the script's turns that were answered right.
 *
 * @throws `InvalidRunConfig` when there are not as many distinct scripts as the configuration asks for.
 */
export function openLedger(config: DomainOf<'ledger'>): Domain {
  const { train, heldOut } = drawScripts(config);
  const ids = { train: [...train.keys()], heldOut: [...heldOut.keys()] };
  const scriptOf = madeBy('ledger', new Map([...train, ...heldOut]));
  return {
    name: 'ledger',
    graderVersion: 'ledger-2',
    rewardMode: 'verification',
    stopStrings: [],
    maxTurns: config.turns.most,
    taskIds: (split) => ids[split],
    task(id) {
      const { start, steps } = scriptOf(id);
      return {
        id,
        family: `${steps.length} turns`,
        request: [ask(`A till holds ${start} coins. ${steps[0]!.news}`)],
        gold: steps.map(({ balance }) => balance).join(', '),
      };
    },
    observe(taskId, history) {
      const feedback = isRead(history.at(-1)?.response) ? null : 'There is no number in that.';
      const next = scriptOf(taskId).steps[history.length];
      if (!next) return { done: true, feedback };
      const said = feedback === null ? '' : `${feedback} `;
      return { done: false, feedback, request: [ask(`${said}Then ${next.news}`)] };
    },
    quote: (response) => response.trim(),
    grade: (taskId, history) => Promise.resolve(gradeBalances(scriptOf(taskId), history)),
  };
}

const ask = (news: string) => ({
  role: 'user' as const,
  content: `${news} How many coins does it hold now? Put your final answer in \\boxed{}.`,
});

function isRead(response: string | null | undefined): boolean {
  const answer = answerIn(response ?? '');
  return answer !== null && parseNumber(answer) !== null;
}

/** A turn that was never reached counts as one that was answered wrong. */
function gradeBalances({ steps }: Script, history: History): Grade {
  const grades = steps.map(({ balance }, turn) =>
    gradeAnswer(history[turn]?.response ?? '', String(balance)),
  );
  const right = grades.filter(({ quality }) => quality === 1).length;
  return {
    quality: right / steps.length,
    verdict: right === steps.length ? 'correct' : right > 0 ? 'partly' : 'wrong',
    answer: grades.map(({ answer }) => answer ?? '?').join(', '),
  };
}
