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

/** The same numbers in arrays of their own. */
export function copyOf(arrays: Arrays): Map<string, Float32Array> {
  return new Map([...arrays].map(([name, array]) => [name, array.slice()]));
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
 * One step, in place. Gradients are multiplied by `gradientScale` (clipping). Numbers are stored in single and
 * computed in double precision, in PyTorch's order of operations, one pass over each array: as a graph of elementwise
 * operators the same step reads and writes its arrays a dozen times, and takes longer.
 */
export function adamWStep(
  parameters: Arrays,
  gradients: Arrays,
  gradientScale: number,
  state: AdamWState,
  { learningRate, betas: [beta1, beta2], epsilon, weightDecay }: AdamW,
): void {
  const step = ++state.step;
  const stepSize = learningRate / (1 - beta1 ** step);
  const rootCorrection2 = Math.sqrt(1 - beta2 ** step);
  const decay = 1 - learningRate * weightDecay;
  for (const [name, parameter] of parameters) {
    const gradient = of(gradients, name);
    const first = of(state.first, name);
    const second = of(state.second, name);
    for (let i = 0; i < parameter.length; i++) {
      const slope = gradient[i]! * gradientScale;
      const m = (first[i] = beta1 * first[i]! + (1 - beta1) * slope);
      const v = (second[i] = beta2 * second[i]! + (1 - beta2) * slope * slope);
      parameter[i] = parameter[i]! * decay - (stepSize * m) / (Math.sqrt(v) / rootCorrection2 + epsilon);
    }
  }
}

function of(arrays: Arrays, name: string): Float32Array {
  const array = arrays.get(name);
  if (!array) throw new Error(`no array named ${name}`);
  return array;
}
