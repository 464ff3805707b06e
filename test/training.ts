import type { TrainingConfig } from '../workflows/contract/config.ts';

/** A complete training configuration, of which tests change what they are about. */
export const plainTraining: TrainingConfig = {
  learningRate: 3e-4,
  adamBetas: [0.9, 0.999],
  adamEpsilon: 1e-8,
  weightDecay: 0,
  gradientClip: 1,
  clipRatio: { low: 0.2, high: 0.2 },
  importanceCap: null,
  klCoefficient: 0,
  reference: { interval: 100, alpha: 1 },
  epochs: 1,
  minibatches: 1,
  overlong: 'train',
  advantage: 'standard',
  lossNormalisation: 'token',
  lora: { rank: 4, alpha: 8, targets: ['q', 'v'] },
  tokensPerMicroBatch: 512,
  memoryBudgetMiB: 4096,
};
