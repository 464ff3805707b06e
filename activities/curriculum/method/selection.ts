import type { RunConfig } from '../../../workflows/contract/config.ts';
import {
  keepsBuffer,
  type SelectionConfig,
  type SelectionOf,
} from '../../../workflows/contract/selection.ts';
import type { Rule } from './rule.ts';

const strategyFile = (name: string) => `activities/curriculum/strategies/${name}.ts`;

const levelReplay = 'prioritised level replay, arXiv:2010.03934';

interface Choice {
  /** How instances of the buffer are chosen … */
  formula: readonly string[];
  source: string;
  files: readonly string[];
  /** … and by what they are kept. */
  keptBy: string;
}

/** A draw by weight: mixed with age where there is a staleness ρ, of scores that fade where there is a `maxScoreAge`. */
function byWeight(
  weight: string,
  { staleness, maxScoreAge }: SelectionOf<'softmax' | 'plr-rank'>,
  source: string,
  file: string,
): Choice {
  const mixed = staleness > 0;
  const fades = maxScoreAge !== undefined;
  return {
    formula: [
      mixed ? 'P(m) = (1 − ρ) w_m / Σ w + ρ age_m / Σ age, ρ = staleness' : 'P(m) = w_m / Σ w',
      weight,
      ...(fades
        ? [
            'S of an age > A = maxScoreAge counts as (A / age) S + (1 − A / age) mean of newer S of its base task',
          ]
        : []),
    ],
    source: mixed && source !== levelReplay ? `${source}; ρ: ${levelReplay}` : source,
    files: [
      strategyFile(file),
      ...(mixed ? [strategyFile('weights')] : []),
      ...(fades ? ['activities/curriculum/scoreAge.ts'] : []),
    ],
    keptBy: 'S',
  };
}

type WithBuffer = Exclude<SelectionConfig, { name: 'uniform' | 'igrpo' }>;

/** By what the buffer keeps its entries. */
export const keptBy = (selection: WithBuffer): string => choiceOf(selection).keptBy;

/** How a strategy that has a buffer uses it. */
function choiceOf(selection: WithBuffer): Choice {
  switch (selection.name) {
    case 'softmax': {
      const share = selection.perEpisode ? ' / n_m, n_m: entries that share the episode of m' : '';
      return byWeight(`w_m = exp(κ S_m)${share}; κ = inverseTemperature`, selection, 'ExIt §4.1', 'softmax');
    }
    case 'plr-rank':
      return byWeight('w_m = rank(S_m)^(−1/τ), τ = temperature', selection, levelReplay, 'plrRank');
    case 'prompt-replay':
      return {
        formula: ['low ≤ pass rate ≤ high, rested, not too often visited; nearest to ½ first'],
        source: 'prompt replay for GRPO',
        files: [strategyFile('promptReplay')],
        keptBy: 'newest visit',
      };
    case 'pr-grpo':
      return {
        formula: [
          'highest p̂ (1 − p̂) first; before them, what has not been visited for retestAfter generations',
          'p̂ ← (1 − a) p̂ + a pass rate',
        ],
        source: 'PR-GRPO, arXiv:2601.02648',
        files: [strategyFile('prGrpo')],
        keptBy: 'p̂ (1 − p̂)',
      };
    case 'difficulty-pool':
      return {
        formula: [
          'a share of the draws from the easy ones, a share from the hard ones, the rest from the others',
        ],
        source: 'prime-rl',
        files: [strategyFile('difficultyPool')],
        keptBy: 'newest visit',
      };
  }
}

export const selectionFile = 'activities/curriculum/selection.ts';

/** How a generation's prompts are drawn. */
export function selection({ curriculum }: RunConfig): Rule {
  const { selection } = curriculum;
  if (!keepsBuffer(selection))
    return {
      name: 'select',
      formula: ['every prompt: the next base task of a seeded permutation, a new one each epoch'],
      source: 'ExIt §4.1; the permutation: decision 18',
      files: [selectionFile],
      constants: ['sampling.promptsPerGeneration'],
    };
  const { formula, source, files } = choiceOf(selection);
  const parameters = Object.keys(selection)
    .filter((key) => key !== 'name')
    .map((key) => `curriculum.selection.${key}`);
  return {
    name: 'select',
    formula: [
      'slot i: |B| ≥ B_min and u_i < p → an instance of B, else the next base task',
      ...formula,
      'then a turn t′ uniform in 1…t',
    ],
    source,
    files: [selectionFile, ...files],
    constants: [
      'sampling.promptsPerGeneration',
      'curriculum.selectProbability',
      'curriculum.minimumSize',
      ...parameters,
    ],
  };
}
