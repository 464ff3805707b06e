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
  /** What an evaluation plays otherwise than the run's configuration says. */
  evaluationSetting: (runKey: string, generation: number, name: string) =>
    `${evaluationFolder(runKey, generation, name)}setting.json`,
  evaluationSummary: (runKey: string, generation: number, name?: string) =>
    `${evaluationFolder(runKey, generation, name)}summary.json`,
  /** All rows of one depth of an evaluation, prompt to verdict. */
  evaluationRows: (runKey: string, generation: number, depth: number, name?: string) =>
    `${evaluationFolder(runKey, generation, name)}depth-${depth}.parquet`,
  /** The same of its independent answers. */
  resampledRows: (runKey: string, generation: number, name?: string) =>
    `${evaluationFolder(runKey, generation, name)}resampling.parquet`,
  /** What `selfImprove` gives back. */
  answers: (runKey: string, generation: number, name: string) =>
    `${evaluationFolder(runKey, generation, name)}answers.jsonl`,
  /** Problems that a client put there, under the hash of their bytes. */
  problems: (sha256: string) => `problems/${sha256}.jsonl`,

  /** The result of an ablation, by its workflow id. */
  ablationTable: (name: string) => `ablations/${escapePart(name)}/table.json`,
  ablationPage: (name: string) => `ablations/${escapePart(name)}/table.html`,

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

/** The generation of a folder under `generations/`. */
export function generationOfFolder(folderKey: string): number {
  return Number(/(\d+)\/$/.exec(folderKey)?.[1]);
}

/** Generation and name of a folder under `evaluations/`; the run's own evaluations have no name. */
export function evaluationOfFolder(folderKey: string): { generation: number; name?: string } {
  const [, generation, name] = /(\d{4,})(?:-([^/]+))?\/$/.exec(folderKey) ?? [];
  return { generation: Number(generation), ...(name && { name: decodeURIComponent(name) }) };
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
    case 'drafts':
      return `${folder(runKey, place.generation)}drafts/`;
    case 'evaluation':
      return `${evaluationFolder(runKey, place.generation, place.name)}depth-${place.depth}/`;
    case 'resampling':
      return `${evaluationFolder(runKey, place.generation, place.name)}resampling/`;
  }
}

function evaluationFolder(runKey: string, generation: number, name?: string): string {
  const suffix = name === undefined ? '' : `-${escapePart(name)}`;
  return `${runFolder(runKey)}evaluations/${padGeneration(generation)}${suffix}/`;
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
