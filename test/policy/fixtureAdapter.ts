import { adapterShapes } from '../../activities/policy/weights/adapter.ts';
import type { LoraShape } from '../../activities/policy/weights/adapter.ts';
import type { ModelConfig, Tensor } from '../../activities/policy/weights/checkpoint.ts';

/** The nonzero adapter of the golden gradients (test/fixtures/policy/README.md): rank and alpha as stored there. */
export function fixtureAdapter(config: ModelConfig, rank: number, alpha: number) {
  const lora: LoraShape = { rank, alpha, targets: ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] };
  const shapes = adapterShapes(config, lora);
  const tensors = new Map<string, Tensor>();
  for (const [i, name] of [...shapes.keys()].sort().entries()) {
    const shape = shapes.get(name)!;
    const scale = name.includes('.lora_A.') ? 1 / Math.sqrt(shape[1]) : 0.02;
    let x = i + 1;
    const data = Float32Array.from({ length: shape[0] * shape[1] }, () => {
      x = (Math.imul(1664525, x) + 1013904223) >>> 0;
      return (x / 2 ** 31 - 1) * scale;
    });
    tensors.set(name, { shape, data });
  }
  return { lora, tensors };
}
