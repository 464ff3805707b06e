/** Settings of AdamW (Loshchilov & Hutter 2019), as PyTorch names them. */
export interface AdamW {
  learningRate: number;
  betas: readonly [number, number];
  epsilon: number;
  /** Decoupled: parameters shrink by learningRate · weightDecay a step. */
  weightDecay: number;
}

/** Named float arrays: parameters, gradients or moments. */
export type Arrays = ReadonlyMap<string, Float32Array>;

/** What AdamW remembers: moments of each parameter, and how many steps it has made. */
export interface AdamWState {
  step: number;
  first: Arrays;
  second: Arrays;
}

export function freshAdamW(parameters: Arrays): AdamWState {
  const zeros = () => new Map([...parameters].map(([name, { length }]) => [name, new Float32Array(length)]));
  return { step: 0, first: zeros(), second: zeros() };
}

/** The Euclidean norm over all arrays, summed in double precision in the map's order. */
export function globalNorm(arrays: Arrays): number {
  let sum = 0;
  for (const array of arrays.values()) for (let i = 0; i < array.length; i++) sum += array[i]! * array[i]!;
  return Math.sqrt(sum);
}

/**
 * One step. Gradients are multiplied by `gradientScale` (clipping). Numbers are stored in single and computed in
 * double precision, in PyTorch's order of operations. Nothing given is changed.
 */
export function adamWStep(
  parameters: Arrays,
  gradients: Arrays,
  gradientScale: number,
  state: AdamWState,
  { learningRate, betas: [beta1, beta2], epsilon, weightDecay }: AdamW,
): { parameters: Map<string, Float32Array>; state: AdamWState } {
  const step = state.step + 1;
  const stepSize = learningRate / (1 - beta1 ** step);
  const rootCorrection2 = Math.sqrt(1 - beta2 ** step);
  const decay = 1 - learningRate * weightDecay;
  const next = {
    parameters: new Map<string, Float32Array>(),
    first: new Map<string, Float32Array>(),
    second: new Map<string, Float32Array>(),
  };
  for (const [name, parameter] of parameters) {
    const gradient = of(gradients, name);
    const first = Float32Array.from(of(state.first, name));
    const second = Float32Array.from(of(state.second, name));
    const moved = Float32Array.from(parameter);
    for (let i = 0; i < moved.length; i++) {
      const slope = gradient[i]! * gradientScale;
      const m = (first[i] = beta1 * first[i]! + (1 - beta1) * slope);
      const v = (second[i] = beta2 * second[i]! + (1 - beta2) * slope * slope);
      moved[i] = moved[i]! * decay - (stepSize * m) / (Math.sqrt(v) / rootCorrection2 + epsilon);
    }
    next.parameters.set(name, moved);
    next.first.set(name, first);
    next.second.set(name, second);
  }
  return { parameters: next.parameters, state: { step, first: next.first, second: next.second } };
}

function of(arrays: Arrays, name: string): Float32Array {
  const array = arrays.get(name);
  if (!array) throw new Error(`no array named ${name}`);
  return array;
}
