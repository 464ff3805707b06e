/** How Llama 3.1 and later stretch their rotary positions, in the words of `config.json`. */
export interface Llama3Scaling {
  factor: number;
  low_freq_factor: number;
  high_freq_factor: number;
  /** Tokens of the context before it was made longer. */
  original_max_position_embeddings: number;
}

/**
 * `rope_type: llama3` as divisors of the rotary frequencies [headDim/2]: 1 for waves much shorter than the
 * original context, `factor` for waves longer than it, and in between a mean of the two frequencies.
 */
export function llama3Divisors(ropeTheta: number, headDim: number, scaling: Llama3Scaling): number[] {
  const { factor, low_freq_factor: low, high_freq_factor: high } = scaling;
  return Array.from({ length: headDim / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * ropeTheta ** ((2 * i) / headDim);
    const waves = scaling.original_max_position_embeddings / wavelength;
    if (waves > high) return 1;
    if (waves < low) return factor;
    const kept = (waves - low) / (high - low);
    return 1 / ((1 - kept) / factor + kept);
  });
}
