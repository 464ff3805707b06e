import type { Program, ProgramOptions } from '../graph/program.ts';
import {
  arrangeWeights,
  decodeProgram,
  embeddingProgram,
  logProbProgram,
  prefillProgram,
  textLogProbProgram,
  trainingProgram,
  type ModelWeights,
  type Yield,
} from '../model/programs.ts';
import type { Checkpoint } from '../weights/checkpoint.ts';
import type { Precision } from '../policy.ts';
import type { PolicyParameters } from '../weights/parameters.ts';
import { loadingPhase, type BetweenSteps } from './protocol.ts';

/** What a program computes, one line each. */
export type ProgramKind =
  | 'prefill' // reads prompts
  | 'decode' // the next token of every rollout
  | 'logProb' // log-probs of completions, each prompt once
  | 'textLogProb' // log-probs of plain sequences
  | 'embedding' // means of hidden states over completions, by the model as it is
  | 'training' // loss and gradients
  | 'checkpointedTraining'; // the same, in less memory and more time

/** What of a policy is its own, by the hash of its bytes. */
export interface Policy extends PolicyParameters {
  sha256: string;
}

export interface Programs {
  /** Threads of one run. */
  readonly threads: number;
  /**
   * The program of this kind for policies like this one, made when it is first asked for; their own tensors are its
   * inputs, but for weights that are packed. null: the model as it is. `yields`: of sampling programs; `precision`: of
   * decoding, float32 when left out.
   */
  get(
    kind: 'training' | 'checkpointedTraining',
    policy: Policy,
    betweenSteps: BetweenSteps,
  ): Promise<Program>;
  get(
    kind: ProgramKind,
    policy: Policy | null,
    betweenSteps: BetweenSteps,
    yields?: Yield,
    precision?: Precision,
  ): Promise<Program>;
}

/**
 * The programs of one model. They share the base weights; of each kind there is only the one that was asked for last,
 * since each holds memory of its own (a decode program a second, prepacked copy of the weights).
 */
export function openPrograms(checkpoint: Checkpoint, options: ProgramOptions): Programs {
  let base: ModelWeights | null = null;
  const held = new Map<ProgramKind, { key: string; program: Program }>();
  /** The weights that a policy's programs begin with: its own, or the base model's, which are read when first needed. */
  const weightsOf = (policy: Policy | null): ModelWeights => {
    if (policy?.trainable !== 'full') return (base ??= arrangeWeights(checkpoint));
    const { tensors } = policy;
    return arrangeWeights({ config: checkpoint.config, tensor: (name) => tensors.get(name)! });
  };
  const make = (
    kind: ProgramKind,
    policy: Policy | null,
    yields: Yield,
    precision: Precision,
  ): Promise<Program> => {
    const weights = weightsOf(policy);
    const trainable = policy?.trainable ?? null;
    switch (kind) {
      case 'prefill':
        return prefillProgram(weights, trainable, options, yields);
      case 'decode':
        return decodeProgram(weights, trainable === 'full' ? null : trainable, options, yields, precision);
      case 'logProb':
        return logProbProgram(weights, trainable, options);
      case 'textLogProb':
        return textLogProbProgram(weights, trainable, options);
      case 'embedding':
        return embeddingProgram(weights, options);
      case 'training':
      case 'checkpointedTraining':
        if (!trainable) throw new RangeError('there is nothing to train without a policy');
        return trainingProgram(weights, trainable, options, kind === 'checkpointedTraining');
    }
  };
  return {
    threads: options.threads,
    async get(
      kind: ProgramKind,
      policy: Policy | null,
      betweenSteps: BetweenSteps,
      yields: Yield = 'tokens',
      precision: Precision = 'float32',
    ): Promise<Program> {
      const trainable = policy?.trainable ?? null;
      // Packed weights belong to the session, so a decode program of all weights is that of one policy.
      const packed = kind === 'decode' && trainable === 'full' ? policy?.sha256 : null;
      const key = JSON.stringify([trainable, packed, yields, precision]);
      const current = held.get(kind);
      if (current?.key === key) return current.program;
      await current?.program.release();
      held.delete(kind);
      await betweenSteps({ phase: loadingPhase, done: 0, total: 1, tokens: 0 });
      const program = await make(kind, policy, yields, precision);
      held.set(kind, { key, program });
      return program;
    },
  };
}
