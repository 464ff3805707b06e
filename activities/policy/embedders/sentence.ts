import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import { sessionOptions } from '../graph/program.ts';
import type { OpenEmbedder } from './embedder.ts';

/** What a folder of one has: `last_hidden_state` [1, tokens, width] of three inputs, and how text becomes tokens. */
const sentenceFiles = ['model.onnx', 'tokenizer.json'] as const;
type SentenceFile = (typeof sentenceFiles)[number];
const inputNames = ['input_ids', 'attention_mask', 'token_type_ids'];
const outputName = 'last_hidden_state';

/** The longest text that all-MiniLM-L6-v2 reads, the two tokens around it included (its model card). */
const mostTokens = 256;

/** What is used of the library, whose own declarations do not resolve under Node's module rules. */
interface WordPieces {
  encode(text: string): { ids: number[] };
}

/**
 * A sentence model of the BERT kind. It reads what a completion says, without its prompt and cut off at the longest
 * text; an embedding is the mean of its last hidden states, scaled to length 1. Always on the processor, and each text
 * in a pass of its own: nothing is padded, and its bits do not depend on the texts beside it.
 */
export const openSentence: OpenEmbedder = async ({ tokenizer, threads }, folder) => {
  // One after the other: a folder without either is always told by the same name.
  const model = await readPart(folder, 'model.onnx');
  const json = await readPart(folder, 'tokenizer.json');
  const pieces = openPieces(json, folder);
  const session = await openSession(model, threads, folder);
  const vectorOf = async (ids: readonly number[]): Promise<Float32Array> => {
    const shape = [1, ids.length];
    const values = [ids.map(BigInt), ids.map(() => 1n), ids.map(() => 0n)];
    const feeds = inputNames.map((name, i) => [
      name,
      new Tensor('int64', BigInt64Array.from(values[i]!), shape),
    ]);
    const results = await session.run(Object.fromEntries(feeds) as Record<string, Tensor>);
    return unitMean(results[outputName]!.data as Float32Array, ids.length);
  };
  return {
    sha256: sha256Of(JSON.stringify([model, json].map(sha256Of))),
    async embed(groups, betweenSteps) {
      const texts = groups.map(({ completions }) => completions.map((ids) => tokenizer.decode([...ids])));
      // Answers of a group are often the same.
      const vectors = new Map<string, Float32Array>(texts.flat().map((text) => [text, new Float32Array()]));
      let [done, tokens] = [0, 0];
      for (const text of vectors.keys()) {
        await betweenSteps({ phase: 'embed', done: done++, total: vectors.size, tokens });
        const ids = cut(pieces.encode(lowerSigma(text)).ids);
        vectors.set(text, await vectorOf(ids));
        tokens += ids.length;
      }
      await betweenSteps({ phase: 'embed', done, total: vectors.size, tokens });
      return texts.map((group) => group.map((text) => vectors.get(text)!));
    },
  };
};

/** JavaScript makes a Greek word's last Σ another letter than the Rust tokeniser does, which looks at no context. */
const lowerSigma = (text: string) => text.replaceAll('Σ', 'σ');

/** The first of too many tokens, and the one that ends a text. */
const cut = (ids: number[]) =>
  ids.length > mostTokens ? [...ids.slice(0, mostTokens - 1), ids.at(-1)!] : ids;

/** Mean over rows, scaled to length 1. */
function unitMean(statesTD: Float32Array, rows: number): Float32Array {
  const width = statesTD.length / rows;
  const sum = new Float64Array(width);
  statesTD.forEach((x, i) => (sum[i % width]! += x));
  const length = Math.sqrt(sum.reduce((total, x) => total + x * x, 0));
  return Float32Array.from(sum, (x) => x / Math.max(length, 1e-12));
}

const sha256Of = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

function unavailable(folder: string | null, reason: string, cause?: unknown): TypedFailure {
  return new TypedFailure('EmbedderUnavailable', `embedder 'sentence' in ${folder}: ${reason}`, { cause });
}

async function readPart(folder: string | null, name: SentenceFile): Promise<Uint8Array> {
  if (folder === null) throw new TypedFailure('EmbedderUnavailable', "embedder 'sentence' needs a folder");
  return readFile(join(folder, name)).catch((cause: unknown) => {
    throw unavailable(
      folder,
      `${name} cannot be read; a folder of one has ${sentenceFiles.join(' and ')}`,
      cause,
    );
  });
}

function openPieces(bytes: Uint8Array, folder: string | null): WordPieces {
  try {
    const json = JSON.parse(new TextDecoder().decode(bytes)) as { model?: { type?: unknown } };
    if (json.model?.type !== 'WordPiece') throw new TypeError(`it is of type ${String(json.model?.type)}`);
    return new HuggingFaceTokenizer(json, {}) as WordPieces;
  } catch (cause) {
    throw unavailable(
      folder,
      `tokenizer.json is none that can be used: ${(cause as Error).message}; it takes WordPiece`,
      cause,
    );
  }
}

async function openSession(bytes: Uint8Array, threads: number, folder: string | null) {
  const session = await InferenceSession.create(bytes, {
    ...sessionOptions(threads),
    executionProviders: ['cpu'],
  }).catch((cause: unknown) => {
    throw unavailable(folder, `model.onnx cannot be opened: ${(cause as Error).message}`, cause);
  });
  const [found, wanted] = [[...session.inputNames].sort(), [...inputNames].sort()];
  if (String(found) !== String(wanted) || !session.outputNames.includes(outputName))
    throw unavailable(
      folder,
      `model.onnx makes ${session.outputNames.join(', ')} of ${found.join(', ')}; it takes one that makes ${outputName} of ${wanted.join(', ')}`,
    );
  return session;
}
