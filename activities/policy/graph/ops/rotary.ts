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
 * Llama; positions [T]. A rotation: its gradient is the rotation back, by −sine.
 */
export const rotary = operation('rotary', (x: Value, positions: Value, { cosine, sine }: RotaryTables) => {
  const [rows, width] = x.shape as [Value['shape'][0], Value['shape'][0]];
  // Each token is a batch entry of length 1, so that the number of tokens is not limited by the tables.
  const batch = [rows, 1, width];
  const index = emit('Reshape', [positions, x.graph.sizes([rows, 1])], [rows, 1]);
  const rotated = emit(
    'RotaryEmbedding',
    [reshape(x, batch), index, cosine, sine],
    batch,
    {},
    'com.microsoft',
  );
  return {
    inputs: [x],
    output: emit('Reshape', [rotated, x.graph.sizes(x.shape)], x.shape),
    gradient: (dy): Gradients => [rotary(dy, positions, { cosine, sine: negate(sine) })],
  };
});
