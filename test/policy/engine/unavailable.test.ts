import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openDevice } from '../../../activities/policy/engine/device.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { DeviceKind } from '../../../workflows/contract/config.ts';

/** Devices that are not there say so, and what to do. */

const modelPath = fileURLToPath(new URL('../../fixtures/policy/tiny.gguf', import.meta.url));

/** How a call of an engine on this device fails, and the next one, too. */
async function failureOf(device: DeviceKind): Promise<string> {
  const engine = await openDevice({ modelPath, device, threads: 1 });
  try {
    const messages: string[] = [];
    for (let call = 0; call < 2; call++)
      await engine.model().catch((error: unknown) => {
        assert.ok(error instanceof TypedFailure, String(error));
        assert.equal(error.type, 'DeviceUnavailable');
        messages.push(error.message);
      });
    assert.ok(messages[0], 'it is not there');
    assert.equal(messages[1], messages[0]);
    return messages[0];
  } finally {
    await engine.close();
  }
}

test('cuda without its provider or a GPU', async () => {
  // Where there is one, and a GPU, that is hidden.
  process.env['CUDA_VISIBLE_DEVICES'] = '';
  const failure = await failureOf('cuda');
  assert.match(failure, /^device 'cuda' cannot be used here: .+\. Configure device 'cpu', or mend it: /);
  assert.match(failure, /CUDA 12.*npm rebuild onnxruntime-node --ignore-scripts=false/);
});

test(
  'webgpu without a driver',
  { skip: process.platform !== 'linux' && 'only Linux can hide its GPU' },
  async () => {
    process.env['VK_ICD_FILENAMES'] = process.env['VK_DRIVER_FILES'] = '/nowhere/icd.json';
    const failure = await failureOf('webgpu');
    assert.match(failure, /^device 'webgpu' cannot be used here: .+ Configure device 'cpu', or mend it: /);
    assert.match(failure, /Vulkan/);
  },
);
