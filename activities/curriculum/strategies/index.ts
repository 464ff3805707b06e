import type { SelectionConfig } from '../../../workflows/contract/selection.ts';
import { difficultyPool } from './difficultyPool.ts';
import { plrRank } from './plrRank.ts';
import { prGrpo } from './prGrpo.ts';
import { promptReplay } from './promptReplay.ts';
import { softmax } from './softmax.ts';
import type { Strategy } from './strategy.ts';
import { uniform } from './uniform.ts';

export type { Strategy } from './strategy.ts';

/** The strategy that a configuration names. */
export function strategyOf(config: SelectionConfig): Strategy {
  switch (config.name) {
    case 'uniform':
    case 'igrpo':
      return uniform();
    case 'softmax':
      return softmax(config);
    case 'plr-rank':
      return plrRank(config);
    case 'prompt-replay':
      return promptReplay(config);
    case 'pr-grpo':
      return prGrpo(config);
    case 'difficulty-pool':
      return difficultyPool(config);
  }
}
