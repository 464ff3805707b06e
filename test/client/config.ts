import { plainTraining } from '../training.ts';
import type { RunConfig } from '../../workflows/contract/config.ts';

/** A small valid configuration that a test may bend. */
export function aConfig(): RunConfig {
  return {
    strategy: 'improve',
    seed: 1,
    generations: 3,
    model: 'SmolLM2-135M-Instruct',
    domain: { name: 'arithmetic', families: { add: 1 }, trainTasks: 8, heldOutTasks: 8, taskSeed: 0 },
    curriculum: {
      capacity: 16,
      minimumSize: 4,
      selectProbability: 0.5,
      selfIteration: true,
      divergeProbability: 0,
      selection: {
        name: 'softmax',
        inverseTemperature: 8,
        staleness: 0,
        perEpisode: false,
      },
      scoreOn: 'reward',
      expand: 'one',
      maxPerBaseTask: null,
      diversityBonus: null,
    },
    reward: { mode: 'domain', minHeadroom: 0.05 },
    sampling: {
      promptsPerGeneration: 4,
      rolloutsPerPrompt: 2,
      maxNewTokens: 16,
      temperature: 1,
      topK: null,
      topP: null,
      promptsPerShard: 4,
      precision: 'float32',
    },
    training: { ...plainTraining, adamBetas: [0.9, 0.95], advantage: 'centered', tokensPerMicroBatch: 2048 },
    evaluation: { tasks: 4, depth: 2, samplesPerTask: 1, temperature: 1, topK: null, topP: null, every: 0 },
    guards: { zeroRewardGenerations: null, truncatedShare: null, graderErrorShare: null, meanMismatch: null },
    device: 'cpu',
    threads: 2,
    graderTimeoutMs: 1000,
  };
}
