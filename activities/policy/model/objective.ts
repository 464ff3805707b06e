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
  type Operand,
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
  /** μ: of the distribution that each token was drawn from. */
  samplerLogProbs: Value;
  /** ε below 1 */
  clipLow: Value;
  /** ε above 1 */
  clipHigh: Value;
  /** β */
  klCoefficient: Value;
  /** 1: old log-probs are the current ones, with a ratio of exactly 1; 0: they are `oldLogProbs`. */
  onPolicy: Value;
  /** 1: c as below; 0: c is exactly 1. */
  importance: Value;
  /** Largest c. */
  importanceCap: Value;
}

/**
 * GRPO (ExIt Eq. 4): loss = −Σ w · (c · min(ρ A, clip(ρ, 1 − ε_low, 1 + ε_high) A) − β · k3), with
 * ρ = e^(log π − log π_old) and k3 = e^−d − 1 + d for d = log π − log π_ref. The paper's objective has one ε and
 * c = 1; two ε are those of DAPO (Yu et al. 2025 §3.1). c = min(e^(log π_old − log μ), cap) is truncated
 * importance sampling (decision 5): it makes up for a sampler that is not quite the learner, and is a constant to
 * the gradient. Log-prob differences are clamped to ±40.
 */
export function grpo(logProbs: Value, inputs: ObjectiveInputs) {
  const { advantages, tokenWeights, klCoefficient } = inputs;
  const old = chosen(inputs.onPolicy, stopGradient(logProbs), inputs.oldLogProbs);
  const ratio = exp(difference(logProbs, old));
  const [low, high] = [add(negate(inputs.clipLow), 1), add(inputs.clipHigh, 1)];
  const free = multiply(ratio, advantages);
  const clipped = multiply(clamp(ratio, low, high), advantages);
  const lost = greater(free, clipped);
  const uncapped = exp(difference(old, inputs.samplerLogProbs));
  const importanceWeight = chosen(inputs.importance, minimum(uncapped, inputs.importanceCap), 1);
  const kl = k3(difference(logProbs, inputs.referenceLogProbs));
  const gain = subtract(multiply(minimum(free, clipped), importanceWeight), multiply(kl, klCoefficient));
  return {
    loss: negate(sum(multiply(gain, tokenWeights), [0])),
    kl,
    /** 1 where clipping from below took the gradient away. */
    clippedLow: multiply(lost, greater(low, ratio)),
    /** 1 where clipping from above took the gradient away. */
    clippedHigh: multiply(lost, greater(ratio, high)),
    /** c */
    importanceWeight,
    /** 1 where c is the cap and would be more. */
    importanceCapped: multiply(greater(uncapped, inputs.importanceCap), inputs.importance),
  };
}

/** `one` where the switch is 1, `other` where it is 0, to the bit; both must be finite. */
function chosen(which: Value, one: Value, other: Operand): Value {
  return add(multiply(one, which), multiply(add(negate(which), 1), other));
}

function difference(from: Value, to: Value): Value {
  return clamp(subtract(from, to), -largestDifference, largestDifference);
}
