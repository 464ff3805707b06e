import { isDeepStrictEqual } from 'node:util';
import type { DeviceKind } from '../../../workflows/contract/config.ts';
import { decodeOptimizer, encodeOptimizer } from '../learner/optimizerState.ts';
import { freshAdamW } from '../learner/adamw.ts';
import { Accelerator } from '../graph/accelerator.ts';
import { openEmbedders } from '../embedders/index.ts';
import { passesWithin } from '../learner/checkpointing.ts';
import { logProbs } from '../learner/logProbs.ts';
import { update } from '../learner/update.ts';
import type { Tokenizer } from '../policy.ts';
import { generate, type Sampling } from '../rollout/generate.ts';
import { HeldCache } from '../rollout/heldCache.ts';
import { RowMover } from '../rollout/rowMover.ts';
import { tokenSource } from '../rollout/tokenSource.ts';
import { openTokenizer } from '../tokenizer/tokenizer.ts';
import { openCheckpoint, type Checkpoint, type ModelConfig } from '../weights/checkpoint.ts';
import {
  blendParameters,
  decodeParameters,
  encodeParameters,
  initialParameters,
  type PolicyParameters,
  type Trainable,
} from '../weights/parameters.ts';
import { openPrograms, type Policy, type Programs } from './programs.ts';
import type { BetweenSteps, Operation, OperationCall, Operations } from './protocol.ts';

/** What an operation may ask of the process it runs in. */
export interface Surroundings {
  /** The bytes of a policy or optimizer state. */
  blob: (sha256: string) => Promise<Uint8Array>;
  /** Holds on to bytes that the next call is likely to name. */
  keep: (bytes: Uint8Array) => void;
  betweenSteps: BetweenSteps;
}

/** A model with everything that can be done with it. Programs are made when first needed. */
export class Engine {
  readonly #embedders: ReturnType<typeof openEmbedders>;

  constructor(
    readonly checkpoint: Checkpoint,
    readonly tokenizer: Tokenizer,
    readonly programs: Programs,
    /** On an accelerator that can hold what sampling works with. */
    readonly mover: RowMover | null,
  ) {
    this.#embedders = openEmbedders({
      tokenizer,
      meanStates: (betweenSteps) => programs.get('embedding', null, betweenSteps),
      threads: programs.threads,
    });
  }

  async perform(call: OperationCall, around: Surroundings): Promise<Operations[Operation]['output']> {
    const { config } = this.checkpoint;
    const policyOf = async (sha256: string): Promise<Policy> => ({
      sha256,
      ...decodeParameters(await around.blob(sha256), config),
    });
    switch (call.operation) {
      case 'model': {
        const { sha256, name, parameters } = this.checkpoint;
        return {
          sha256,
          name,
          parameters,
          vocabulary: config.vocabulary,
          contextLength: config.contextLength,
        };
      }
      case 'initialPolicy':
        return encodeParameters(initialParameters(this.checkpoint, call.input.lora, call.input.seed));
      case 'blend': {
        const { reference, policy, alpha } = call.input;
        return encodeParameters(blendParameters(await policyOf(reference), await policyOf(policy), alpha));
      }
      case 'generate': {
        const { policy: sha256, prompts, options } = call.input;
        const policy = sha256 === null ? null : await policyOf(sha256);
        const { yields } = tokenSource(options, config.vocabulary);
        const programOf = async (kind: 'prefill' | 'decode') => {
          const precision = kind === 'decode' ? options.precision : 'float32';
          const program = await this.programs.get(kind, policy, around.betweenSteps, yields, precision);
          return program.bind(feedsOf(policy));
        };
        const sampling = {
          config,
          prefill: await programOf('prefill'),
          decode: await programOf('decode'),
          tokenizer: this.tokenizer,
          ...(this.mover && { openCache: cacheIn(this.mover, config) }),
        };
        return generate(sampling, prompts, options, around.betweenSteps);
      }
      case 'logProbs': {
        const { policy: sha256, sequences } = call.input;
        const policy = sha256 === null ? null : await policyOf(sha256);
        const program = await this.programs.get('textLogProb', policy, around.betweenSteps);
        return logProbs(program.bind(feedsOf(policy)), sequences, config, around.betweenSteps);
      }
      case 'embedder':
        return (await this.#embedders(call.input)).sha256;
      case 'embed': {
        const embedder = await this.#embedders(call.input.embedder);
        return embedder.embed(call.input.groups, around.betweenSteps);
      }
      case 'update':
        return this.#update(await policyOf(call.input.policy), call.input, around);
    }
  }

  async #update(
    policy: Policy,
    { optimizer, reference, groups, training, temperature, maxNewTokens }: Operations['update']['input'],
    { blob, keep, betweenSteps }: Surroundings,
  ): Promise<Operations['update']['output']> {
    const parameters = arraysOf(policy);
    const state =
      optimizer === null ? freshAdamW(parameters) : decodeOptimizer(await blob(optimizer), policy.tensors);
    const result = await update(
      {
        training: passesWithin(
          training.memoryBudgetMiB,
          await this.programs.get('training', policy, betweenSteps),
          () => this.programs.get('checkpointedTraining', policy, betweenSteps),
        ),
        logProbs: () => this.programs.get('logProb', policy, betweenSteps),
        reference:
          training.klCoefficient > 0 ? await this.#reference(reference, policy.trainable, blob) : null,
      },
      { parameters, optimizer: state, groups, training, temperature, maxNewTokens },
      betweenSteps,
    );
    const tensors = new Map(
      [...policy.tensors].map(([name, { shape }]) => [name, { shape, data: result.parameters.get(name)! }]),
    );
    const policyBytes = encodeParameters({ trainable: policy.trainable, tensors });
    const optimizerBytes = encodeOptimizer(result.optimizer, tensors);
    keep(policyBytes);
    keep(optimizerBytes);
    return {
      policy: policyBytes,
      optimizer: optimizerBytes,
      metrics: result.metrics,
      peakResidentBytes: process.resourceUsage().maxRSS * 1024,
    };
  }

  async #reference(
    sha256: string | null,
    trainable: Trainable,
    blob: Surroundings['blob'],
  ): Promise<Map<string, Float32Array>> {
    if (sha256 === null) throw new RangeError('an update with klCoefficient > 0 needs a reference');
    const reference = decodeParameters(await blob(sha256), this.checkpoint.config);
    if (!isDeepStrictEqual(reference.trainable, trainable))
      throw new RangeError('the reference must have the same parameters as the policy');
    return arraysOf(reference);
  }
}

/** Opens a model, a GGUF file or a Hugging Face folder, on a device. Throws `DeviceUnavailable`, `ModelUnavailable`. */
export async function openEngine(
  modelPath: string,
  device: DeviceKind,
  threads: number,
  betweenSteps: BetweenSteps,
): Promise<Engine> {
  await betweenSteps({ phase: 'load', done: 0, total: 1, tokens: 0 });
  const accelerator = device === 'cpu' ? undefined : await Accelerator.open(device);
  const checkpoint = await openCheckpoint(modelPath);
  const tokenizer = await openTokenizer(modelPath);
  const { layers, headDim } = checkpoint.config;
  const mover = accelerator?.holds ? new RowMover(accelerator, 2 * layers, headDim) : null;
  return new Engine(checkpoint, tokenizer, openPrograms(checkpoint, { threads, accelerator }), mover);
}

/** Keys and values in an accelerator's memory. */
function cacheIn(mover: RowMover, config: ModelConfig): NonNullable<Sampling['openCache']> {
  return (size) => HeldCache.open(config, size, mover);
}

function arraysOf({ tensors }: PolicyParameters): Map<string, Float32Array> {
  return new Map([...tensors].map(([name, { data }]) => [name, data]));
}

function feedsOf(policy: Policy | null): Record<string, Float32Array> {
  return policy ? Object.fromEntries(arraysOf(policy)) : {};
}
