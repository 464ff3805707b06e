import type { RunConfig } from '../../workflows/contract/config.ts';
import type { SelectionConfig } from '../../workflows/contract/selection.ts';

/** One rule of the method as a configuration has it. */
export interface Rule {
  name: string;
  /** One line each. */
  formula: readonly string[];
  /** Where it comes from. */
  source: string;
  /** Where it is in the code. */
  file: string;
  /** Paths of the constants in it. */
  constants: readonly string[];
}

const strategies: Record<RunConfig['strategy'], string> = {
  grpo: 'plain GRPO: every prompt is a base task',
  curriculum: 'GRPO that comes back to the base tasks it is unsure of',
  improve: 'a curriculum that also takes up answers of its own, to improve them',
  diverge: 'takes up answers of its own, to improve them or, now and then, to try a different approach',
  exit: 'the whole of ExIt: improves answers of its own or diverges from them, and favours those that differ within their group',
  igrpo: 'iGRPO: improves the best of several drafts of each base task, drawn in the same generation',
};

/** What a strategy is, in a sentence. */
export const strategyInWords = ({ strategy }: Pick<RunConfig, 'strategy'>): string => strategies[strategy];

/** The rules by which a run with this configuration chooses, scores and learns, in the order of a generation. */
export function rulesOf(config: RunConfig): Rule[] {
  return [
    selection(config),
    step(config),
    reward(config),
    learnability(config),
    buffer(config),
    advantage(config),
    diversityBonus(config),
    objective(config),
    optimizer(),
  ].filter((rule) => rule !== null);
}

interface Choice {
  /** How instances of the buffer are chosen … */
  formula: readonly string[];
  source: string;
  /** In `activities/curriculum/strategies`. */
  file: string;
  /** … and by what they are kept. */
  keptBy: string;
}

/** Of the strategies that have a buffer. */
const choices: Record<Exclude<SelectionConfig['name'], 'uniform' | 'igrpo'>, Choice> = {
  softmax: {
    formula: ['P(m) = (1 − ρ) exp(κ S_m) / Σ exp(κ S) + ρ age_m / Σ age'],
    source: 'ExIt §4.1; ρ: prioritised level replay, arXiv:2010.03934',
    file: 'softmax.ts',
    keptBy: 'S',
  },
  'plr-rank': {
    formula: ['P(m) = (1 − ρ) rank_m^(−1/τ) / Σ rank^(−1/τ) + ρ age_m / Σ age'],
    source: 'prioritised level replay, arXiv:2010.03934',
    file: 'plrRank.ts',
    keptBy: 'S',
  },
  'prompt-replay': {
    formula: ['low ≤ pass rate ≤ high, rested, not too often visited; nearest to ½ first'],
    source: 'prompt replay for GRPO',
    file: 'promptReplay.ts',
    keptBy: 'newest visit',
  },
  'pr-grpo': {
    formula: [
      'highest p̂ (1 − p̂) first, but what was not seen for long before all',
      'p̂ ← (1 − a) p̂ + a pass rate',
    ],
    source: 'PR-GRPO, arXiv:2601.02648',
    file: 'prGrpo.ts',
    keptBy: 'p̂ (1 − p̂)',
  },
  'difficulty-pool': {
    formula: [
      'a share of the draws from the easy ones, a share from the hard ones, the rest from the others',
    ],
    source: 'prime-rl',
    file: 'difficultyPool.ts',
    keptBy: 'newest visit',
  },
};

function selection({ curriculum }: RunConfig): Rule {
  const { selection } = curriculum;
  if (selection.name === 'uniform' || selection.name === 'igrpo')
    return {
      name: 'select',
      formula: ['every prompt: the next base task of a seeded permutation, a new one each epoch'],
      source: 'ExIt §4.1, Algorithm 1',
      file: 'activities/curriculum/selection.ts',
      constants: ['sampling.promptsPerGeneration'],
    };
  const { formula, source, file } = choices[selection.name];
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
    file: `activities/curriculum/strategies/${file}`,
    constants: [
      'sampling.promptsPerGeneration',
      'curriculum.selectProbability',
      'curriculum.minimumSize',
      ...parameters,
    ],
  };
}

function step({ curriculum }: RunConfig): Rule | null {
  if (!curriculum.selfIteration) return null;
  if (curriculum.selection.name === 'igrpo')
    return {
      name: 'step',
      formula: [
        'd_1 … d_N ~ π_old(· | q), not trained on; improve d̂ = argmax q(d_i), ties by a seeded draw',
        'truncated drafts are passed over; without any other: the first answer, as in GRPO',
      ],
      source: 'iGRPO, arXiv:2602.09000',
      file: 'activities/curriculum/drafts.ts',
      constants: ['curriculum.selection.drafts'],
    };
  return {
    name: 'step',
    formula: [
      'from an answer: diverge with probability p_div, else improve; from a base task: its first answer',
    ],
    source: 'ExIt §4.1-4.2, Appendix B',
    file: 'activities/curriculum/prompts.ts',
    constants: ['curriculum.divergeProbability'],
  };
}

function reward({ reward: { mode } }: RunConfig): Rule {
  const improvement = 'improve: r = max(0, (q_k − q_{k−1}) / max(1 − q_{k−1}, δ)); else r = q_k';
  const formulas = {
    verification: ['r = q_k'],
    improvement: [improvement],
    domain: ['a domain of right and wrong: r = q_k', `a domain made for improvement: ${improvement}`],
  };
  return {
    name: 'reward',
    formula: formulas[mode],
    source: 'ExIt §4.1, A.2-A.4',
    file: 'activities/curriculum/rewards.ts',
    constants: ['reward.mode', ...(mode === 'verification' ? [] : ['reward.minHeadroom'])],
  };
}

function learnability({ curriculum: { scoreOn, selection } }: RunConfig): Rule {
  const x = scoreOn === 'reward' ? 'r' : 'q';
  const fades = 'maxScoreAge' in selection;
  return {
    name: 'learnability',
    formula: [
      `S = (1/G) Σ (${x}_i − mean ${x})², in [0, 0.25]`,
      ...(fades
        ? ['age > A = maxScoreAge: counts as (A / age) S + (1 − A / age) mean of newer S of its base task']
        : []),
    ],
    source: 'ExIt §4.1',
    file: 'activities/curriculum/learnability.ts',
    constants: ['sampling.rolloutsPerPrompt', 'curriculum.scoreOn'],
  };
}

function buffer({ curriculum: { selection } }: RunConfig): Rule | null {
  if (selection.name === 'uniform' || selection.name === 'igrpo') return null;
  return {
    name: 'buffer',
    formula: [
      `B′ = top_N (B ∪ {m′, m+}) by ${choices[selection.name].keptBy}; m′: measured S, m+: its parent's`,
    ],
    source: 'ExIt §4.1, Algorithm 1',
    file: 'activities/curriculum/insertion.ts',
    constants: ['curriculum.capacity', 'curriculum.expand', 'curriculum.maxPerBaseTask'],
  };
}

function advantage({ training }: RunConfig): Rule {
  const formulas = {
    standard: 'A_i = (r_i − mean r) / (std r + 1e-8)',
    centered: 'A_i = r_i − mean r',
    'max-rl': 'A_i = (r_i − mean r) / (mean r + 1e-8)',
  };
  const sources = {
    standard: 'ExIt §2.2, eq. 3',
    centered: 'Dr. GRPO, Liu et al. 2025',
    'max-rl': 'maximum-likelihood RL, arXiv:2602.02710',
  };
  return {
    name: 'advantage',
    formula: [formulas[training.advantage]],
    source: sources[training.advantage],
    file: 'activities/curriculum/advantages.ts',
    constants: ['training.advantage'],
  };
}

function diversityBonus({ curriculum: { diversityBonus: bonus } }: RunConfig): Rule | null {
  if (!bonus) return null;
  const formulas = {
    paper: 'd_i = min(10, ‖e_i − ē‖ / (max ‖e − ē‖ − min ‖e − ē‖))',
    'mean-one': 'd_i = ‖e_i − ē‖ / mean ‖e − ē‖',
    'min-max': 'd_i = (‖e_i − ē‖ − min ‖e − ē‖) / (max ‖e − ē‖ − min ‖e − ē‖)',
  };
  const embeddings = {
    reference: 'e_i: mean of the base model’s last hidden states over the answer, given its prompt',
    sentence: 'e_i: the answer’s text alone, by a sentence model (all-MiniLM-L6-v2), ‖e_i‖ = 1',
  };
  return {
    name: 'diversity',
    formula: [
      `A_i ← d_i A_i${bonus.positiveOnly ? ' where A_i > 0' : ''}`,
      formulas[bonus.scale],
      embeddings[bonus.embedder],
    ],
    source: 'ExIt §4.2, eq. 6',
    file: 'activities/curriculum/diversity.ts',
    constants: ['embedder', 'scale', 'positiveOnly'].map((key) => `curriculum.diversityBonus.${key}`),
  };
}

function objective({ training }: RunConfig): Rule {
  const divisors = {
    sequence: 'mean over answers of the mean over their tokens',
    token: 'mean over all tokens',
    constant: 'sum over tokens / (answers · maxNewTokens)',
  };
  const kl = training.klCoefficient > 0 ? ' − β k3(π ‖ π_ref)' : '';
  const weight = training.importanceCap === null ? '' : 'min(π_old / μ, cap) · ';
  return {
    name: 'objective',
    formula: [
      `J = ${divisors[training.lossNormalisation]} of ${weight}min(ρ A, clip(ρ, 1 − ε_low, 1 + ε_high) A)${kl}`,
      ...(training.trainPrefix ? ['over the answers of earlier turns in the prompt, too'] : []),
      ...(kl ? ['every M generations π_ref ← (1 − α) π_ref + α π'] : []),
    ],
    source: 'ExIt §2.2, eq. 4',
    file: 'activities/policy/model/objective.ts',
    constants: [
      'training.clipRatio.low',
      'training.clipRatio.high',
      ...(kl ? ['training.klCoefficient', 'training.reference.interval', 'training.reference.alpha'] : []),
      'training.lossNormalisation',
      'training.importanceCap',
      'training.overlong',
      ...(training.trainPrefix ? ['training.trainPrefix'] : []),
    ],
  };
}

function optimizer(): Rule {
  return {
    name: 'optimizer',
    formula: ['AdamW with a constant learning rate, on the gradient scaled down to the largest norm'],
    source: 'Loshchilov & Hutter 2019',
    file: 'activities/policy/learner/adamw.ts',
    constants: [
      'training.learningRate',
      'training.adamBetas',
      'training.adamEpsilon',
      'training.weightDecay',
      'training.gradientClip',
      'training.epochs',
      'training.minibatches',
      'training.lora',
    ],
  };
}
