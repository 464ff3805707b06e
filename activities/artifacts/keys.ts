import { TypedFailure } from '../../workflows/contract/failures.ts';
import { padGeneration } from '../../workflows/contract/names.ts';
import type { Place } from '../../workflows/contract/steps.ts';

/** Folder that holds all runs, one folder each. */
export const runsFolder = 'runs/';

/** Most bytes of one part of a key: MinIO keeps each as a directory name. */
const longestPart = 255;

/**
 * Where everything of a run is: a function of (runKey, generation, step, shard) and of nothing else, so that every
 * attempt of a step writes to, and looks at, the same place (invariant 1). Made to be read in an object browser.
 */
export const keys = {
  run: runFolder,
  /** The configuration the run was started with. */
  config: (runKey: string) => `${runFolder(runKey)}config.json`,
  assumptions: (runKey: string) => `${runFolder(runKey)}assumptions.json`,
  report: (runKey: string) => `${runFolder(runKey)}report.html`,
  /** Event history of a closed child workflow. */
  history: (runKey: string, workflowId: string) =>
    `${runFolder(runKey)}histories/${escapePart(workflowId)}.json`,

  generations: (runKey: string) => `${runFolder(runKey)}generations/`,
  manifest: (runKey: string, generation: number) => `${folder(runKey, generation)}manifest.json`,
  curriculum: (runKey: string, generation: number) => `${folder(runKey, generation)}curriculum.json`,
  groups: (runKey: string, generation: number) => `${folder(runKey, generation)}groups.parquet`,
  /** Under the name that its export has: an adapter PEFT's, all weights that of transformers. */
  policy: (runKey: string, generation: number, weights: 'adapter' | 'full') =>
    `${folder(runKey, generation)}policy/${weights === 'full' ? 'model' : 'adapter_model'}.safetensors`,
  optimizer: (runKey: string, generation: number) => `${folder(runKey, generation)}optimizer.safetensors`,
  reference: (runKey: string, generation: number) => `${folder(runKey, generation)}reference.safetensors`,

  evaluations: (runKey: string) => `${runFolder(runKey)}evaluations/`,
  evaluationSummary: (runKey: string, generation: number) =>
    `${runFolder(runKey)}evaluations/${padGeneration(generation)}/summary.json`,
  /** All rows of one depth of an evaluation, prompt to verdict. */
  evaluationRows: (runKey: string, generation: number, depth: number) =>
    `${runFolder(runKey)}evaluations/${padGeneration(generation)}/depth-${depth}.parquet`,

  plan: (runKey: string, place: Place) => `${placeFolder(runKey, place)}plan.json`,
  rollouts: (runKey: string, place: Place, shard: number) =>
    `${placeFolder(runKey, place)}rollouts-${padShard(shard)}.parquet`,
  graded: (runKey: string, place: Place, shard: number) =>
    `${placeFolder(runKey, place)}graded-${padShard(shard)}.parquet`,
  embeddings: (runKey: string, place: Place, shard: number) =>
    `${placeFolder(runKey, place)}embeddings-${padShard(shard)}.parquet`,
  /** What a step returned: its committed result. */
  step: (runKey: string, place: Place, step: string, shard?: number) =>
    `${placeFolder(runKey, place)}steps/${step}${shard === undefined ? '' : `-${padShard(shard)}`}.json`,
};

/** The runKey of a folder under `runs/`; the inverse of `keys.run`. */
export function runKeyOfFolder(runFolderKey: string): string {
  return decodeURIComponent(runFolderKey.slice(runsFolder.length).replace(/\/$/, ''));
}

/** The generation of a folder under `generations/` or `evaluations/`. */
export function generationOfFolder(folderKey: string): number {
  return Number(/(\d+)\/$/.exec(folderKey)?.[1]);
}

function runFolder(runKey: string): string {
  return `${runsFolder}${escapePart(runKey)}/`;
}

function folder(runKey: string, generation: number): string {
  return `${runFolder(runKey)}generations/${padGeneration(generation)}/`;
}

function placeFolder(runKey: string, place: Place): string {
  switch (place.kind) {
    case 'generation':
      return folder(runKey, place.generation);
    case 'evaluation':
      return `${runFolder(runKey)}evaluations/${padGeneration(place.generation)}/depth-${place.depth}/`;
  }
}

/** Two digits, so that shards sort by ordinal. */
function padShard(shard: number): string {
  return String(shard).padStart(2, '0');
}

/**
 * A name as one part of a key: letters, digits and `-_.@` stay, the rest is percent-encoded, so that no name can
 * leave its folder and every name can be read back.
 *
 * @throws `ArtifactInvalid` for a name that is empty or too long.
 */
function escapePart(name: string): string {
  const escaped = encodeURIComponent(name)
    .replace(/[!~*'()]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%40', '@')
    .replace(/^\.+$/, (dots) => '%2E'.repeat(dots.length));
  if (escaped.length === 0 || escaped.length > longestPart - '.json'.length)
    throw new TypedFailure(
      'ArtifactInvalid',
      `'${name.slice(0, 80)}' cannot name a folder of the store: it has ${escaped.length} bytes, allowed are 1 to ${longestPart - '.json'.length}. Start the run under a shorter workflow id.`,
    );
  return escaped;
}
