import type { Dim } from '../dims.ts';
import { emit, type Value } from '../graph.ts';
import { operation, type Gradients } from '../operation.ts';
import { negate } from './elementwise.ts';
import { reshape } from './shape.ts';

/** Rotation angles by position: cosine and sine [positions, D/2]. */
export interface RotaryTables {
  cosine: Value;
  sine: Value;
}

/**
 * Rotary position embedding of every head of x [T, heads·D], halves of a head paired as in Hugging Face's
 * Llama; positions [T, 1]. A rotation: its gradient is the rotation back, by −sine.
 */
export const rotary = operation('rotary', (x: Value, positions: Value, { cosine, sine }: RotaryTables) => {
  const [rows, width] = x.shape as [Dim, Dim];
  // Each token is a batch entry of length 1, so that the number of tokens is not limited by the tables.
  const inputs = [reshape(x, [rows, 1, width]), positions, cosine, sine];
  const rotated = emit('RotaryEmbedding', inputs, inputs[0]!.shape, {}, 'com.microsoft');
  return {
    inputs: [x],
    output: reshape(rotated, x.shape),
    gradient: (dy): Gradients => [rotary(dy, positions, { cosine, sine: negate(sine) })],
  };
});
