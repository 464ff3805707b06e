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
      inverseTemperature: 8,
      expand: 'one',
    },
    sampling: {
      promptsPerGeneration: 4,
      rolloutsPerPrompt: 2,
      maxNewTokens: 16,
      temperature: 1,
      topK: null,
      topP: null,
      promptsPerShard: 4,
    },
    training: {
      learningRate: 3e-4,
      adamBetas: [0.9, 0.95],
      adamEpsilon: 1e-8,
      weightDecay: 0,
      gradientClip: 1,
      clipRatio: { low: 0.2, high: 0.2 },
      importanceCap: null,
      klCoefficient: 0,
      reference: { interval: 1, alpha: 1 },
      epochs: 1,
      minibatches: 1,
      overlong: 'train',
      advantage: 'centered',
      lossNormalisation: 'token',
      lora: { rank: 4, alpha: 8, targets: ['q', 'v'] },
      tokensPerMicroBatch: 2048,
    },
    evaluation: { tasks: 4, depth: 2, samplesPerTask: 1, temperature: 1, topK: null, topP: null, every: 0 },
    threads: 2,
    graderTimeoutMs: 1000,
  };
}
