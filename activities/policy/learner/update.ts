import type { TrainingConfig } from '../../../workflows/contract/config.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { BetweenSteps } from '../engine/protocol.ts';
import type { Program } from '../graph/program.ts';
import type { TrainGroup, UpdateMetrics } from '../policy.ts';
import { adamWStep, globalNorm, type AdamWState, type Arrays } from './adamw.ts';
import { packMicroBatches } from './batches.ts';
import { prepare, type Prepared } from './prepare.ts';
import { tokenWeights } from './tokenWeights.ts';

/** What an update needs of the engine. */
export interface Learning {
  training: Program;
  /** The reference policy; null when β = 0. */
  reference: { logProbs: Program; adapter: Arrays } | null;
}

export interface UpdateInput {
  adapter: Arrays;
  optimizer: AdamWState;
  groups: readonly TrainGroup[];
  training: TrainingConfig;
  maxNewTokens: number;
}

export interface UpdateOutput {
  adapter: Map<string, Float32Array>;
  optimizer: AdamWState;
  metrics: UpdateMetrics;
}

/** A micro-batch with the log-probs that the passes compare with. */
interface Batch extends Prepared {
  oldLogProbsR: Float32Array;
  referenceLogProbsR: Float32Array;
}

/**
 * One GRPO update (ExIt §2.2): `epochs` passes over the groups, each one AdamW step on the gradient of all
 * micro-batches with its norm clipped. The old policy of the ratio is the one the update starts from, so in the
 * first pass the ratio is 1 and that pass's log-probs are the old ones of the later passes. Completions with
 * `trained: false` are not computed. Metrics are means over trained tokens and passes; negativeLogProb and
 * samplerMismatch are of the first pass, loss and gradientNorm means over steps. Changes nothing it is given; throws
 * `NonFiniteLoss` when the loss or a gradient is NaN or infinite.
 */
export async function update(
  { training: program, reference }: Learning,
  { adapter, optimizer, groups, training, maxNewTokens }: UpdateInput,
  betweenSteps: BetweenSteps,
): Promise<UpdateOutput> {
  const weights = tokenWeights(groups, training.lossNormalisation, maxNewTokens);
  const batches = packMicroBatches(groups, training.tokensPerMicroBatch).map((slices): Batch => {
    const prepared = prepare(slices, groups, weights);
    // Until they are known; any log-probs near the policy's own would do.
    const { samplerLogProbsR } = prepared;
    return { ...prepared, oldLogProbsR: samplerLogProbsR, referenceLogProbsR: samplerLogProbsR };
  });
  if (batches.length === 0) throw new RangeError('an update needs at least one trained completion');

  let tokens = 0;
  const report = (phase: string, done: number, total: number) => betweenSteps({ phase, done, total, tokens });

  if (reference) {
    const adapterFeeds = Object.fromEntries(reference.adapter);
    for (const [index, batch] of batches.entries()) {
      await report('reference', index, batches.length);
      const { logProbs } = await reference.logProbs.run(batch.symbols, { ...batch.layout, ...adapterFeeds });
      batch.referenceLogProbsR = logProbs!;
      tokens += batch.tokens;
    }
  }

  const sums = new Sums();
  let parameters = new Map(adapter);
  let state = optimizer;
  for (let epoch = 0; epoch < training.epochs; epoch++) {
    const adapterFeeds = Object.fromEntries(parameters);
    const gradients = new Map<string, Float32Array>();
    for (const [index, batch] of batches.entries()) {
      await report('update', epoch * batches.length + index, training.epochs * batches.length);
      const outputs = await program.run(batch.symbols, {
        ...batch.layout,
        ...adapterFeeds,
        advantages: batch.advantagesR,
        tokenWeights: batch.tokenWeightsR,
        oldLogProbs: batch.oldLogProbsR,
        referenceLogProbs: batch.referenceLogProbsR,
        clipRange: Float32Array.of(training.clipRatio),
        klCoefficient: Float32Array.of(training.klCoefficient),
        onPolicy: Float32Array.of(epoch === 0 ? 1 : 0),
      });
      if (!Number.isFinite(outputs['loss']![0])) throw notFinite('the loss', state.step + 1, index);
      for (const name of parameters.keys()) accumulate(gradients, name, outputs[`gradient.${name}`]!);
      sums.add(batch, outputs, epoch === 0);
      if (epoch === 0) batch.oldLogProbsR = outputs['logProbs']!;
      tokens += batch.tokens;
    }
    for (const [name, gradient] of gradients)
      if (!Number.isFinite(globalNorm(new Map([[name, gradient]]))))
        throw notFinite(`the gradient of ${name}`, state.step + 1);
    const norm = globalNorm(gradients);
    const { gradientClip, learningRate, adamBetas, adamEpsilon, weightDecay } = training;
    ({ parameters, state } = adamWStep(
      parameters,
      gradients,
      norm > gradientClip ? gradientClip / norm : 1,
      state,
      { learningRate, betas: adamBetas, epsilon: adamEpsilon, weightDecay },
    ));
    sums.gradientNorm += norm;
  }
  await report('update', training.epochs * batches.length, training.epochs * batches.length);
  return {
    adapter: parameters,
    optimizer: state,
    metrics: sums.metrics(training.epochs, reference !== null, tokens),
  };
}

/** Adds in the order of the micro-batches, so that equal updates give equal bits. */
function accumulate(gradients: Map<string, Float32Array>, name: string, gradient: Float32Array): void {
  const sum = gradients.get(name);
  if (!sum) gradients.set(name, gradient);
  else for (let i = 0; i < sum.length; i++) sum[i]! += gradient[i]!;
}

function notFinite(what: string, step: number, microBatch?: number): TypedFailure {
  const where = microBatch === undefined ? '' : `, micro-batch ${microBatch}`;
  return new TypedFailure(
    'NonFiniteLoss',
    `${what} is NaN or infinite at optimizer step ${step}${where}; nothing was changed. ` +
      'Lower training.learningRate or training.gradientClip, or resume from an earlier generation',
  );
}

/** What the metrics are made of, summed over trained tokens. */
class Sums {
  gradientNorm = 0;
  #loss = 0;
  #kl = 0;
  #clipped = 0;
  #tokens = 0;
  #firstTokens = 0;
  #negativeLogProb = 0;
  #mismatch = 0;

  add(batch: Batch, outputs: Record<string, Float32Array>, first: boolean): void {
    this.#loss += outputs['loss']![0]!;
    this.#tokens += batch.trainedRows.length;
    for (const row of batch.trainedRows) {
      this.#kl += outputs['kl']![row]!;
      this.#clipped += outputs['clipped']![row]!;
    }
    if (!first) return;
    this.#firstTokens += batch.trainedRows.length;
    for (const row of batch.trainedRows) {
      const logProb = outputs['logProbs']![row]!;
      this.#negativeLogProb -= logProb;
      this.#mismatch += Math.abs(logProb - batch.samplerLogProbsR[row]!);
    }
  }

  metrics(steps: number, withReference: boolean, processedTokens: number): UpdateMetrics {
    return {
      loss: this.#loss / steps,
      gradientNorm: this.gradientNorm / steps,
      kl: withReference ? this.#kl / this.#tokens : 0,
      negativeLogProb: this.#negativeLogProb / this.#firstTokens,
      clipFraction: this.#clipped / this.#tokens,
      samplerMismatch: this.#mismatch / this.#firstTokens,
      trainedTokens: this.#firstTokens,
      processedTokens,
      steps,
    };
  }
}
