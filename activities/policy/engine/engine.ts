import { isDeepStrictEqual } from 'node:util';
import { decodeOptimizer, encodeOptimizer } from '../learner/optimizerState.ts';
import { freshAdamW } from '../learner/adamw.ts';
import { logProbs } from '../learner/logProbs.ts';
import { update } from '../learner/update.ts';
import type { Tokenizer } from '../policy.ts';
import { generate } from '../rollout/generate.ts';
import { tokenSource } from '../rollout/tokenSource.ts';
import { openTokenizer } from '../tokenizer/tokenizer.ts';
import { blendAdapters, decodeAdapter, encodeAdapter, initialAdapter } from '../weights/adapter.ts';
import type { Adapter, LoraShape } from '../weights/adapter.ts';
import { openCheckpoint, type Checkpoint } from '../weights/checkpoint.ts';
import { openPrograms, type Programs } from './programs.ts';
import type { BetweenSteps, Operation, OperationCall, Operations } from './protocol.ts';

/** What an operation may ask of the process it runs in. */
export interface Surroundings {
  /** The bytes of an adapter or optimizer state. */
  blob: (sha256: string) => Promise<Uint8Array>;
  /** Holds on to bytes that the next call is likely to name. */
  keep: (bytes: Uint8Array) => void;
  betweenSteps: BetweenSteps;
}

/** A model with everything that can be done with it. Programs are made when first needed. */
export class Engine {
  constructor(
    readonly checkpoint: Checkpoint,
    readonly tokenizer: Tokenizer,
    readonly programs: Programs,
  ) {}

  async perform(call: OperationCall, around: Surroundings): Promise<Operations[Operation]['output']> {
    const { config } = this.checkpoint;
    const adapterOf = async (sha256: string) => decodeAdapter(await around.blob(sha256), config);
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
      case 'initialAdapter':
        return encodeAdapter(initialAdapter(config, call.input.lora, call.input.seed));
      case 'blend': {
        const { reference, adapter, alpha } = call.input;
        return encodeAdapter(blendAdapters(await adapterOf(reference), await adapterOf(adapter), alpha));
      }
      case 'generate': {
        const { adapter: sha256, prompts, options } = call.input;
        const adapter = sha256 === null ? null : await adapterOf(sha256);
        const lora = adapter?.lora ?? null;
        const { yields } = tokenSource(options, config.vocabulary);
        const sampling = {
          config,
          prefill: await this.programs.get('prefill', lora, around.betweenSteps, yields),
          decode: await this.programs.get('decode', lora, around.betweenSteps, yields, options.precision),
          adapter: feedsOf(adapter),
          tokenizer: this.tokenizer,
        };
        return generate(sampling, prompts, options, around.betweenSteps);
      }
      case 'logProbs': {
        const { adapter: sha256, sequences } = call.input;
        const adapter = sha256 === null ? null : await adapterOf(sha256);
        const program = await this.programs.get('textLogProb', adapter?.lora ?? null, around.betweenSteps);
        return logProbs(program, feedsOf(adapter), sequences, config.contextLength, around.betweenSteps);
      }
      case 'update':
        return this.#update(call.input, around);
    }
  }

  async #update(
    {
      adapter: sha256,
      optimizer,
      reference,
      groups,
      training,
      temperature,
      maxNewTokens,
    }: Operations['update']['input'],
    { blob, keep, betweenSteps }: Surroundings,
  ): Promise<Operations['update']['output']> {
    const { config } = this.checkpoint;
    const adapter = decodeAdapter(await blob(sha256), config);
    const parameters = arraysOf(adapter);
    const state =
      optimizer === null ? freshAdamW(parameters) : decodeOptimizer(await blob(optimizer), adapter.tensors);
    const result = await update(
      {
        training: await this.programs.get('training', adapter.lora, betweenSteps),
        logProbs: () => this.programs.get('logProb', adapter.lora, betweenSteps),
        reference: training.klCoefficient > 0 ? await this.#reference(reference, adapter.lora, blob) : null,
      },
      { adapter: parameters, optimizer: state, groups, training, temperature, maxNewTokens },
      betweenSteps,
    );
    const tensors = new Map(
      [...adapter.tensors].map(([name, { shape }]) => [name, { shape, data: result.adapter.get(name)! }]),
    );
    const adapterBytes = encodeAdapter({ lora: adapter.lora, tensors });
    const optimizerBytes = encodeOptimizer(result.optimizer, tensors);
    keep(adapterBytes);
    keep(optimizerBytes);
    return {
      adapter: adapterBytes,
      optimizer: optimizerBytes,
      metrics: result.metrics,
      peakResidentBytes: process.resourceUsage().maxRSS * 1024,
    };
  }

  async #reference(
    sha256: string | null,
    lora: LoraShape,
    blob: Surroundings['blob'],
  ): Promise<Map<string, Float32Array>> {
    if (sha256 === null) throw new RangeError('an update with klCoefficient > 0 needs a reference');
    const reference = decodeAdapter(await blob(sha256), this.checkpoint.config);
    if (!isDeepStrictEqual(reference.lora, lora))
      throw new RangeError('the reference must be an adapter of the same shape as the policy');
    return arraysOf(reference);
  }
}

/** Opens a model, a GGUF file or a Hugging Face folder. Throws `ModelUnavailable`. */
export async function openEngine(
  modelPath: string,
  threads: number,
  betweenSteps: BetweenSteps,
): Promise<Engine> {
  await betweenSteps({ phase: 'load', done: 0, total: 1, tokens: 0 });
  const checkpoint = await openCheckpoint(modelPath);
  const tokenizer = await openTokenizer(modelPath);
  return new Engine(checkpoint, tokenizer, openPrograms(checkpoint, threads));
}

function arraysOf({ tensors }: Adapter): Map<string, Float32Array> {
  return new Map([...tensors].map(([name, { data }]) => [name, data]));
}

function feedsOf(adapter: Adapter | null): Record<string, Float32Array> {
  return adapter ? Object.fromEntries(arraysOf(adapter)) : {};
}
