import { stat } from 'node:fs/promises';
import { openGguf } from './gguf.ts';
import { openFolder } from './huggingFace.ts';
import type { Checkpoint } from './types.ts';

export type { Checkpoint, ModelConfig, Tensor } from './types.ts';

/** Whether a model is a folder, as Hugging Face keeps models, rather than one GGUF file. */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false;
}

/**
 * Opens a model: a GGUF file or a Hugging Face folder. Throws `ModelUnavailable` when it is missing, damaged or of
 * an unsupported kind.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  return (await isFolder(path)) ? openFolder(path) : openGguf(path);
}
