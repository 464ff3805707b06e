import type { Program } from '../graph/program.ts';
import {
  arrangeWeights,
  decodeProgram,
  logProbProgram,
  prefillProgram,
  textLogProbProgram,
  trainingProgram,
  type ModelWeights,
  type Yield,
} from '../model/programs.ts';
import type { LoraShape } from '../weights/adapter.ts';
import type { Checkpoint } from '../weights/checkpoint.ts';
import type { Precision } from '../policy.ts';
import { loadingPhase, type BetweenSteps } from './protocol.ts';

/** What a program computes, one line each. */
export type ProgramKind =
  | 'prefill' // reads prompts
  | 'decode' // the next token of every rollout
  | 'logProb' // log-probs of completions, each prompt once
  | 'textLogProb' // log-probs of plain sequences
  | 'training'; // loss and gradients

export interface Programs {
  /**
   * The program of this kind for adapters of this shape, made when it is first asked for. `yields`: of sampling ones;
   * `precision`: of decoding, float32 when left out.
   */
  get(kind: 'training', lora: LoraShape, betweenSteps: BetweenSteps): Promise<Program>;
  get(
    kind: ProgramKind,
    lora: LoraShape | null,
    betweenSteps: BetweenSteps,
    yields?: Yield,
    precision?: Precision,
  ): Promise<Program>;
}

/**
 * The programs of one model. They share the base weights; of each kind there is only the one for the adapter shape,
 * yield and precision asked for last, since each holds memory of its own (a decode program a second, prepacked copy of the weights).
 */
export function openPrograms(checkpoint: Checkpoint, threads: number): Programs {
  let weights: ModelWeights | null = null;
  const held = new Map<ProgramKind, { shape: string; program: Program }>();
  const make = (
    kind: ProgramKind,
    lora: LoraShape | null,
    shared: ModelWeights,
    yields: Yield,
    precision: Precision,
  ): Promise<Program> => {
    switch (kind) {
      case 'prefill':
        return prefillProgram(shared, lora, { threads }, yields);
      case 'decode':
        return decodeProgram(shared, lora, { threads }, yields, precision);
      case 'logProb':
        return logProbProgram(shared, lora, { threads });
      case 'textLogProb':
        return textLogProbProgram(shared, lora, { threads });
      case 'training':
        if (!lora) throw new RangeError('there is nothing to train without an adapter');
        return trainingProgram(shared, lora, { threads });
    }
  };
  return {
    async get(
      kind: ProgramKind,
      lora: LoraShape | null,
      betweenSteps: BetweenSteps,
      yields: Yield = 'tokens',
      precision: Precision = 'float32',
    ): Promise<Program> {
      const shape = JSON.stringify([lora, yields, precision]);
      const current = held.get(kind);
      if (current?.shape === shape) return current.program;
      await current?.program.release();
      held.delete(kind);
      await betweenSteps({ phase: loadingPhase, done: 0, total: 1, tokens: 0 });
      weights ??= arrangeWeights(checkpoint);
      const program = await make(kind, lora, weights, yields, precision);
      held.set(kind, { shape, program });
      return program;
    },
  };
}
