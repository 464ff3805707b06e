import type { Part } from './assumptions/index.ts';

/** A row of ExIt's Tables 4-6, and where its value is in a configuration. */
export interface PaperValue {
  row: string;
  path: string;
  /** The part of the method it belongs to; absent: every run has it. */
  part?: Part;
  /** As printed for each domain; where strategies differ, that is said. */
  math: string;
  tools: string;
  mlengineering: string;
}

/** Every hyperparameter that the paper prints (arXiv:2509.04575, Tables 4-6 and §2.2), and its key here. */
export const paperValues: readonly PaperValue[] = [
  {
    row: 'learning rate',
    path: 'training.learningRate',
    math: '1e-6',
    tools: '1e-6 (grpo, exit), 5e-7 (others)',
    mlengineering: '1e-6',
  },
  {
    row: 'prompts per batch',
    path: 'sampling.promptsPerGeneration',
    math: '128',
    tools: '16',
    mlengineering: '4',
  },
  {
    row: 'rollouts per prompt',
    path: 'sampling.rolloutsPerPrompt',
    math: '8',
    tools: '8',
    mlengineering: '8',
  },
  { row: 'epochs per batch', path: 'training.epochs', math: '1', tools: '2', mlengineering: '1' },
  { row: 'KL β', path: 'training.klCoefficient', math: '0.001', tools: '0', mlengineering: '0' },
  {
    row: 'reference interval M',
    part: 'kl',
    path: 'training.reference.interval',
    math: '100',
    tools: '100',
    mlengineering: '100',
  },
  {
    row: 'reference α',
    part: 'kl',
    path: 'training.reference.alpha',
    math: '1',
    tools: '1',
    mlengineering: '0.5',
  },
  {
    row: 'buffer size N',
    part: 'buffer',
    path: 'curriculum.capacity',
    math: '512',
    tools: '320 (curriculum), 640',
    mlengineering: '3 (curriculum), 24 (improve, exit), 32 (diverge)',
  },
  {
    row: 'minimum buffer size',
    part: 'buffer',
    path: 'curriculum.minimumSize',
    math: '128',
    tools: '320',
    mlengineering: '3 (curriculum, exit), 8 (improve, diverge)',
  },
  {
    row: 'self-iteration p',
    part: 'buffer',
    path: 'curriculum.selectProbability',
    math: '0.5',
    tools: '0.2 (curriculum), 0.5',
    mlengineering: '0.5',
  },
  {
    row: 'divergence p_div',
    part: 'selfIteration',
    path: 'curriculum.divergeProbability',
    math: '0.2',
    tools: '0.2 (diverge), 0.5 (exit)',
    mlengineering: '0.2 (diverge), 0.5 (exit)',
  },
  {
    row: 'clipping ε, below',
    path: 'training.clipRatio.low',
    math: '0.2',
    tools: '0.2',
    mlengineering: '0.2',
  },
  {
    row: 'clipping ε, above',
    path: 'training.clipRatio.high',
    math: '0.2',
    tools: '0.2',
    mlengineering: '0.2',
  },
];
