import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { peftConfig, type LoraShape } from './adapter.ts';

/**
 * Writes the folder that Python's `PeftModel.from_pretrained(base, dir)` opens: `adapter_config.json` and
 * `adapter_model.safetensors`. Makes the folder.
 */
export async function writePeftFolder(
  dir: string,
  lora: LoraShape,
  adapterBytes: Uint8Array,
  baseModelName: string,
): Promise<void> {
  const config = peftConfig(lora, baseModelName);
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'adapter_model.safetensors'), adapterBytes);
  await writeFile(join(dir, 'adapter_config.json'), JSON.stringify(config, null, 2) + '\n');
}
