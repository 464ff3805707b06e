import type { EmbedderName } from '../../../workflows/contract/config.ts';
import type { EmbedderFiles } from '../policy.ts';
import type { Embedder, EngineParts, OpenEmbedder } from './embedder.ts';
import { openReference } from './reference.ts';
import { openSentence } from './sentence.ts';

const embedders: Record<EmbedderName, OpenEmbedder> = {
  reference: openReference,
  sentence: openSentence,
};

/** The embedders of one engine, each opened when first asked for, and again when it could not be opened. */
export function openEmbedders(parts: EngineParts): (files: EmbedderFiles) => Promise<Embedder> {
  const held = new Map<string, Embedder>();
  return async ({ name, folder }) => {
    const key = JSON.stringify([name, folder]);
    const embedder = held.get(key) ?? (await embedders[name](parts, folder));
    held.set(key, embedder);
    return embedder;
  };
}
