import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { Tensor } from '../weights/checkpoint.ts';
import { decodeSafetensors, encodeSafetensors } from '../weights/safetensors.ts';
import type { AdamWState } from './adamw.ts';

/**
 * AdamW's memory as safetensors: `first.NAME` and `second.NAME` for each tensor that is trained, the step count in the
 * metadata. Equal states give equal bytes.
 */
export function encodeOptimizer(state: AdamWState, trained: ReadonlyMap<string, Tensor>): Uint8Array {
  const tensors = new Map<string, Tensor>();
  for (const [name, { shape }] of trained)
    for (const moment of ['first', 'second'] as const)
      tensors.set(`${moment}.${name}`, { shape, data: state[moment].get(name) ?? new Float32Array(0) });
  return encodeSafetensors({ tensors, metadata: { step: String(state.step) } });
}

/** Reads `encodeOptimizer`'s bytes. Throws `ArtifactCorrupt` when they are not those of tensors like these. */
export function decodeOptimizer(bytes: Uint8Array, trained: ReadonlyMap<string, Tensor>): AdamWState {
  const { tensors, metadata } = decodeSafetensors(bytes);
  const step = Number(metadata['step']);
  if (!Number.isSafeInteger(step) || step < 0)
    throw new TypedFailure('ArtifactCorrupt', `an optimizer state says it made '${metadata['step']}' steps`);
  if (tensors.size !== 2 * trained.size)
    throw new TypedFailure(
      'ArtifactCorrupt',
      `an optimizer state has ${tensors.size} tensors, the policy needs two for each of its ${trained.size}`,
    );
  const moments = (moment: 'first' | 'second') =>
    new Map(
      [...trained].map(([name, { shape }]) => {
        const found = tensors.get(`${moment}.${name}`);
        if (String(found?.shape) !== String(shape))
          throw new TypedFailure(
            'ArtifactCorrupt',
            `an optimizer state does not fit the policy at ${moment}.${name}: ` +
              `[${found?.shape ?? 'missing'}] instead of [${shape}]`,
          );
        return [name, found!.data] as const;
      }),
    );
  return { step, first: moments('first'), second: moments('second') };
}
