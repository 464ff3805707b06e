import type { TrainingConfig } from '../../../workflows/contract/config.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { BetweenSteps } from '../engine/protocol.ts';
import type { Symbols } from '../graph/dims.ts';
import type { Program } from '../graph/program.ts';
import type { TrainGroup, UpdateMetrics } from '../policy.ts';
import { adamWStep, copyOf, globalNorm, type AdamWState, type Arrays } from './adamw.ts';
import { packMicroBatches } from './batches.ts';
import type { TrainingPass } from './checkpointing.ts';
import { Sums } from './metrics.ts';
import { dealMinibatches } from './minibatches.ts';
import { prepare, type Prepared } from './prepare.ts';
import { sequencesOf } from './sequences.ts';
import { tokenWeights } from './tokenWeights.ts';

/** What an update needs of the engine. */
export interface Learning {
  /** Trains passes of these sizes. */
  training: (symbols: Symbols) => Promise<TrainingPass>;
  /** Log-probs under a policy with the same tensors, for whom training needs more than its own; made when first asked for. */
  logProbs: () => Promise<Program>;
  /** The reference policy; null when β = 0. */
  reference: Arrays | null;
}

export interface UpdateInput {
  /** The policy's own tensors: an adapter, or all weights. */
  parameters: Arrays;
  optimizer: AdamWState;
  groups: readonly TrainGroup[];
  training: TrainingConfig;
  temperature: number;
  maxNewTokens: number;
}

export interface UpdateOutput {
  parameters: Map<string, Float32Array>;
  optimizer: AdamWState;
  metrics: UpdateMetrics;
}

/** A micro-batch with the log-probs that the passes compare with. */
interface Batch extends Prepared {
  /** Of the policy that the update starts from; null until a pass has told them. */
  oldLogProbsR: Float32Array | null;
  referenceLogProbsR: Float32Array;
}

/**
 * One GRPO update (ExIt §2.2): `epochs` passes over the groups, which are dealt to `minibatches` AdamW steps, each
 * on the gradient of all micro-batches of its minibatch with its norm clipped; token weights are those of the
 * minibatch alone. The old policy of the ratio and of the importance weight is the one the update starts from. What
 * the first step reads it reads under that policy, so there the ratio is 1 and that pass's log-probs are the old
 * ones of later epochs; other minibatches are read once before the first step. Completions with `trained: false`
 * are not computed. Changes nothing it is given; throws `NonFiniteLoss` when the loss or a gradient is NaN or
 * infinite, and `RangeError` when no completion is trained.
 */
export async function update(
  { training: passOf, logProbs, reference }: Learning,
  { parameters, optimizer, groups, training, temperature, maxNewTokens }: UpdateInput,
  betweenSteps: BetweenSteps,
): Promise<UpdateOutput> {
  const minibatches = dealMinibatches(groups, training.minibatches).map((dealt) => {
    const { sequences, weights } = sequencesOf(
      dealt,
      tokenWeights(dealt, training.lossNormalisation, maxNewTokens),
    );
    return packMicroBatches(sequences, training.tokensPerMicroBatch).map((slices): Batch => {
      const prepared = prepare(slices, sequences, weights);
      // A reference that weighs nothing is not read; any log-probs near the policy's own do.
      return { ...prepared, oldLogProbsR: null, referenceLogProbsR: prepared.samplerLogProbsR };
    });
  });
  if (minibatches.length === 0) throw new RangeError('an update needs at least one trained completion');

  let tokens = 0;
  const common = { temperature: Float32Array.of(temperature) };
  /** Log-probs of batches under a policy, each given to `take`. */
  const read = async (
    phase: string,
    batches: readonly Batch[],
    policy: Arrays,
    take: (batch: Batch, logProbsR: Float32Array) => void,
  ) => {
    if (batches.length === 0) return;
    const reading = await logProbs();
    for (const [done, batch] of batches.entries()) {
      await betweenSteps({ phase, done, total: batches.length, tokens });
      const outputs = await reading.run(batch.symbols, {
        ...batch.layout,
        ...common,
        ...Object.fromEntries(policy),
      });
      take(batch, outputs['logProbs']!);
      tokens += batch.tokens;
    }
  };
  if (reference)
    await read('reference', minibatches.flat(), reference, (batch, logProbsR) => {
      batch.referenceLogProbsR = logProbsR;
    });
  await read('old log-probs', minibatches.slice(1).flat(), parameters, (batch, logProbsR) => {
    batch.oldLogProbsR = logProbsR;
  });

  const scalars = {
    ...common,
    clipLow: Float32Array.of(training.clipRatio.low),
    clipHigh: Float32Array.of(training.clipRatio.high),
    klCoefficient: Float32Array.of(training.klCoefficient),
    importance: Float32Array.of(training.importanceCap === null ? 0 : 1),
    importanceCap: Float32Array.of(training.importanceCap ?? 1),
  };
  const sums = new Sums();
  const total = training.epochs * minibatches.flat().length;
  let done = 0;
  const trained = copyOf(parameters);
  const state = { step: optimizer.step, first: copyOf(optimizer.first), second: copyOf(optimizer.second) };
  const policyFeeds = Object.fromEntries(trained);
  for (let epoch = 0; epoch < training.epochs; epoch++)
    for (const batches of minibatches) {
      const gradients = new Map<string, Float32Array>();
      for (const [index, batch] of batches.entries()) {
        await betweenSteps({ phase: 'update', done, total, tokens });
        const { oldLogProbsR, samplerLogProbsR } = batch;
        const { program, checkpointed } = await passOf(batch.symbols);
        const outputs = await program.run(batch.symbols, {
          ...batch.layout,
          ...policyFeeds,
          ...scalars,
          advantages: batch.advantagesR,
          tokenWeights: batch.tokenWeightsR,
          samplerLogProbs: samplerLogProbsR,
          // On policy they are not looked at.
          oldLogProbs: oldLogProbsR ?? samplerLogProbsR,
          onPolicy: Float32Array.of(oldLogProbsR ? 0 : 1),
          referenceLogProbs: batch.referenceLogProbsR,
        });
        if (!Number.isFinite(outputs['loss']![0])) throw notFinite('the loss', state.step + 1, index);
        for (const name of trained.keys()) accumulate(gradients, name, outputs[`gradient.${name}`]!);
        batch.oldLogProbsR ??= outputs['logProbs']!;
        sums.add(batch, outputs, batch.oldLogProbsR, epoch === 0);
        if (checkpointed) sums.checkpointedPasses++;
        tokens += batch.tokens;
        done++;
      }
      const norm = globalNorm(gradients);
      if (!Number.isFinite(norm))
        throw notFinite(`the gradient of ${firstNotFinite(gradients)}`, state.step + 1);
      const { gradientClip, learningRate, adamBetas, adamEpsilon, weightDecay } = training;
      adamWStep(trained, gradients, norm > gradientClip ? gradientClip / norm : 1, state, {
        learningRate,
        betas: adamBetas,
        epsilon: adamEpsilon,
        weightDecay,
      });
      sums.gradientNorm += norm;
    }
  await betweenSteps({ phase: 'update', done, total, tokens });
  return {
    parameters: trained,
    optimizer: state,
    metrics: sums.metrics(training.epochs * minibatches.length, reference !== null, tokens),
  };
}

/** Adds in the order of the micro-batches, so that equal updates give equal bits. */
function accumulate(gradients: Map<string, Float32Array>, name: string, gradient: Float32Array): void {
  const sum = gradients.get(name);
  if (!sum) gradients.set(name, gradient);
  else for (let i = 0; i < sum.length; i++) sum[i]! += gradient[i]!;
}

function firstNotFinite(arrays: Arrays): string {
  for (const [name, array] of arrays) if (!Number.isFinite(globalNorm(new Map([[name, array]])))) return name;
  return 'all tensors together';
}

function notFinite(what: string, step: number, microBatch?: number): TypedFailure {
  const where = microBatch === undefined ? '' : `, micro-batch ${microBatch}`;
  return new TypedFailure(
    'NonFiniteLoss',
    `${what} is NaN or infinite at optimizer step ${step}${where}; nothing was changed. ` +
      'Lower training.learningRate or training.gradientClip, or resume from an earlier generation',
  );
}
