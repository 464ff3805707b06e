import { stopGradient, type Value } from '../graph/graph.ts';
import {
  add,
  clamp,
  exp,
  greater,
  k3,
  minimum,
  multiply,
  negate,
  subtract,
  sum,
} from '../graph/ops/index.ts';

/** Largest |log-prob difference| that enters the loss, so that e^d stays finite. */
const largestDifference = 40;

/** What the objective needs besides the current log-probs: [R] a scored token, or [1]. */
export interface ObjectiveInputs {
  advantages: Value;
  /** Normalised: the loss is a plain sum over tokens. */
  tokenWeights: Value;
  oldLogProbs: Value;
  referenceLogProbs: Value;
  /** ε */
  clipRange: Value;
  /** β */
  klCoefficient: Value;
  /** 1: old log-probs are the current ones, with a ratio of exactly 1; 0: they are `oldLogProbs`. */
  onPolicy: Value;
}

/**
 * GRPO (ExIt Eq. 4): loss = −Σ w · (min(ρ A, clip(ρ, 1 − ε, 1 + ε) A) − β · k3), with
 * ρ = e^(log π − log π_old) and k3 = e^−d − 1 + d for d = log π − log π_ref. Log-prob differences are clamped
 * to ±40.
 */
export function grpo(logProbs: Value, inputs: ObjectiveInputs) {
  const { advantages, tokenWeights, clipRange, klCoefficient, onPolicy } = inputs;
  const current = stopGradient(logProbs);
  const offPolicy = add(negate(onPolicy), 1);
  const old = add(multiply(current, onPolicy), multiply(inputs.oldLogProbs, offPolicy));
  const difference = (from: Value) => clamp(subtract(logProbs, from), -largestDifference, largestDifference);
  const ratio = exp(difference(old));
  const low = add(negate(clipRange), 1);
  const free = multiply(ratio, advantages);
  const clipped = multiply(clamp(ratio, low, add(clipRange, 1)), advantages);
  const kl = k3(difference(inputs.referenceLogProbs));
  const gain = subtract(minimum(free, clipped), multiply(kl, klCoefficient));
  return {
    loss: negate(sum(multiply(gain, tokenWeights), [0])),
    kl,
    /** 1 where clipping took the gradient away. */
    clipped: greater(free, clipped),
  };
}
