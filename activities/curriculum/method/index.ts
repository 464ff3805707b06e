import type { RunConfig } from '../../../workflows/contract/config.ts';
import { keepsBuffer } from '../../../workflows/contract/selection.ts';
import type { Domain } from '../../domains/domain.ts';
import { rewardModeOf } from '../rewards.ts';
import type { Rule } from './rule.ts';
import { keptBy, selection, selectionFile } from './selection.ts';

export type { Rule } from './rule.ts';

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

/**
 * The rules by which a run with this configuration chooses, scores and learns, in the order of a generation.
 *
 * @param rewardMode the domain's
 */
export function rulesOf(config: RunConfig, rewardMode: Domain['rewardMode']): Rule[] {
  return [
    selection(config),
    step(config),
    reward(config, rewardMode),
    learnability(config),
    buffer(config),
    advantage(config),
    diversityBonus(config),
    objective(config),
    optimizer(),
  ].filter((rule) => rule !== null);
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
      files: ['activities/curriculum/drafts.ts'],
      constants: ['curriculum.selection.drafts'],
    };
  return {
    name: 'step',
    formula: [
      'from an answer: diverge with probability p_div, else improve; from a base task: its first answer',
    ],
    source: 'ExIt §4.1-4.2, Appendix B',
    files: [selectionFile, 'activities/curriculum/prompts.ts'],
    constants: ['curriculum.divergeProbability'],
  };
}

function reward({ reward: config }: RunConfig, ofDomain: Domain['rewardMode']): Rule {
  const improvement = rewardModeOf(config, ofDomain) === 'improvement';
  return {
    name: 'reward',
    formula: improvement
      ? ['improve: r = max(0, (q_k − q_{k−1}) / max(1 − q_{k−1}, δ)), δ = minHeadroom', 'else r = q_k']
      : ['r = q_k, the quality'],
    source: 'ExIt §3, A.2-A.4',
    files: ['activities/curriculum/rewards.ts'],
    constants: ['reward.mode', ...(improvement ? ['reward.minHeadroom'] : [])],
  };
}

function learnability({ curriculum: { scoreOn } }: RunConfig): Rule {
  const x = scoreOn === 'reward' ? 'r' : 'q';
  return {
    name: 'learnability',
    formula: [`S = (1/G) Σ (${x}_i − mean ${x})², in [0, 0.25]`],
    source: 'ExIt §4.1',
    files: ['activities/curriculum/learnability.ts'],
    constants: ['sampling.rolloutsPerPrompt', 'curriculum.scoreOn'],
  };
}

function buffer({ curriculum: { selection } }: RunConfig): Rule | null {
  if (!keepsBuffer(selection)) return null;
  return {
    name: 'buffer',
    formula: [`B′ = top_N (B ∪ {m′, m+}) by ${keptBy(selection)}; m′: measured S, m+: its parent's`],
    source: 'ExIt §4.1, Algorithm 1',
    files: ['activities/curriculum/insertion.ts'],
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
    files: ['activities/curriculum/advantages.ts'],
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
    files: ['activities/curriculum/diversity.ts'],
    constants: ['embedder', 'scale', 'positiveOnly'].map((key) => `curriculum.diversityBonus.${key}`),
  };
}

function objective({ training }: RunConfig): Rule {
  const divisors = {
    sequence: 'mean over answers of the mean over their tokens',
    token: 'mean over all tokens',
    constant: 'sum over tokens / (answers · maxNewTokens)',
  };
  const sources = {
    sequence: 'ExIt §2.2, eq. 4',
    token: 'ExIt §2.2, eq. 4; divided by all tokens: decision 4',
    constant: 'ExIt §2.2; divided by a constant: Dr. GRPO, Liu et al. 2025',
  };
  const withKl = training.klCoefficient > 0;
  const kl = withKl ? ' − β k3(π ‖ π_ref)' : '';
  const weight = training.importanceCap === null ? '' : 'min(π_old / μ, cap) · ';
  return {
    name: 'objective',
    formula: [
      `J = ${divisors[training.lossNormalisation]} of ${weight}min(ρ A, clip(ρ, 1 − ε_low, 1 + ε_high) A)${kl}`,
      ...(training.trainPrefix ? ['over the answers of earlier turns in the prompt, too'] : []),
      ...(withKl ? ['every M generations π_ref ← (1 − α) π_ref + α π'] : []),
    ],
    source: sources[training.lossNormalisation],
    files: [
      'activities/policy/model/objective.ts',
      'activities/policy/learner/tokenWeights.ts',
      ...(training.trainPrefix ? ['activities/replayed.ts'] : []),
      ...(withKl ? ['activities/update.ts'] : []),
    ],
    constants: [
      'training.clipRatio.low',
      'training.clipRatio.high',
      ...(withKl
        ? ['training.klCoefficient', 'training.reference.interval', 'training.reference.alpha']
        : []),
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
    files: ['activities/policy/learner/adamw.ts'],
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
