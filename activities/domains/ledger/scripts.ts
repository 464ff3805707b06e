import type { DomainOf } from '../../../workflows/contract/domain.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { stream } from '../../random.ts';
import type { Split } from '../domain.ts';

/** What happens to a till, turn by turn. */
export interface Script {
  /** Coins at the start. */
  start: number;
  /** One a turn: what the policy is told, and the balance that follows, never below 0. */
  steps: { news: string; balance: number }[];
}

/**
 * The scripts of a configuration by task id. Number n is drawn from the stream of (taskSeed, n); one that was drawn
 * before is passed over, so all are distinct. Held-out ones come first, so that a larger training set leaves them as
 * they are.
 *
 * @throws `InvalidRunConfig` when so many distinct ones are not found.
 */
export function drawScripts(config: DomainOf<'ledger'>): Record<Split, Map<string, Script>> {
  const { trainTasks, heldOutTasks } = config;
  const wanted = trainTasks + heldOutTasks;
  const scripts = new Map<string, Script>();
  const known = new Set<string>();
  for (let number = 0; scripts.size < wanted; number++) {
    if (number >= 100 * wanted)
      throw new TypedFailure(
        'InvalidRunConfig',
        `domain: ${trainTasks} training and ${heldOutTasks} held-out tasks asked for, but only ${scripts.size} distinct ones found; raise domain.largest or domain.turns.most, or lower domain.trainTasks or domain.heldOutTasks`,
      );
    const script = drawScript(config, number);
    const content = JSON.stringify(script);
    if (known.has(content)) continue;
    known.add(content);
    scripts.set(`ledger-${number}`, script);
  }
  const all = [...scripts];
  return { heldOut: new Map(all.slice(0, heldOutTasks)), train: new Map(all.slice(heldOutTasks)) };
}

function drawScript({ turns, largest, taskSeed }: DomainOf<'ledger'>, number: number): Script {
  const random = stream(['ledger', taskSeed, number]);
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const count = between(turns.least, turns.most);
  const start = between(0, largest);
  let balance = start;
  const steps = Array.from({ length: count }, () => {
    const coins = between(1, largest);
    const goes = random() < 0.5 && coins <= balance;
    balance += goes ? -coins : coins;
    return { news: `${coins} ${goes ? 'are taken out' : 'more come in'}.`, balance };
  });
  return { start, steps };
}
