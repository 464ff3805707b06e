import type { Manifest } from '../../activities/artifacts/manifest.ts';
import type { Store } from '../../activities/artifacts/store.ts';
import type { BufferEntry, History, Instance } from '../../activities/curriculum/types.ts';
import { CommandFailure, exitCodes } from '../exit.ts';
import { generationsOf, readCurriculum, readDraftPlan, readPlan, readRollouts } from '../generations.ts';
import { type GroupLine, groupLines } from './groups.ts';
import { lineageOf, type Step } from './lineage.ts';

/** Everything the record knows of one instance. */
export interface InspectedInstance {
  instanceId: string;
  baseTaskId: string;
  turn: number;
  depth: number;
  kind: Instance['kind'];
  /** Of its latest iterate. */
  quality: number | null;
  /** What a prompt made from it shows. */
  history: History;
  /** The answers that led to it, the first one to its base task first; none for the start of a base task. */
  lineage: Step[];
  /** The groups that were played from it, in order. */
  visits: GroupLine[];
  /** What grew from it, in order of entry. */
  grown: GrownInstance[];
  /** Where it stands in the newest task buffer; null when it is not in it. */
  entry: Omit<BufferEntry, 'instance'> | null;
}

/** An instance that grew from another. */
export interface GrownInstance {
  instanceId: string;
  turn: number;
  depth: number;
  quality: number | null;
  /** Whose answer it keeps. */
  rolloutId: string;
  /** Visits up to the newest buffer, and whether it is still there. */
  visits: number;
  inBuffer: boolean;
}

/**
 * Looks through the plans and buffers of all generations for the instance whose id begins like this.
 *
 * @throws `CommandFailure` when there is none, or more than one.
 */
export async function inspectInstance(
  store: Store,
  chain: readonly Manifest[],
  prefix: string,
): Promise<InspectedInstance> {
  const found = new Map<string, Instance>();
  const children = new Map<string, GrownInstance>();
  const visited: Manifest[] = [];
  let newest: BufferEntry[] = [];
  for (const { manifest } of generationsOf(chain)) {
    const [prompts, drafts, curriculum] = await Promise.all([
      readPlan(store, manifest),
      readDraftPlan(store, manifest),
      readCurriculum(store, manifest),
    ]);
    newest = curriculum.buffer;
    const played = prompts.map(({ instance }) => instance);
    const drafted = drafts.map(({ instance }) => instance);
    for (const instance of [...drafted, ...played, ...newest.map((entry) => entry.instance)]) {
      if (instance.id.startsWith(prefix)) found.set(instance.id, instance);
      if (instance.parent?.instanceId.startsWith(prefix)) addChild(children, instance);
    }
    for (const { id } of played) {
      const child = children.get(id);
      if (child) child.visits++;
    }
    if (played.some(({ id }) => id.startsWith(prefix))) visited.push(manifest);
  }
  const instance = onlyOne(found, prefix);
  const rows = await Promise.all(visited.map((manifest) => readRollouts(store, manifest)));
  const entry = newest.find((each) => each.instance.id === instance.id);
  const inBuffer = new Set(newest.map((each) => each.instance.id));
  const { baseTaskId, turn, depth, kind, quality, history, parent } = instance;
  return {
    instanceId: instance.id,
    baseTaskId,
    turn,
    depth,
    kind,
    quality,
    history,
    lineage: await lineageOf(store, chain, parent?.rolloutId ?? null),
    visits: rows.flatMap(groupLines).filter(({ instanceId }) => instanceId === instance.id),
    grown: [...children.values()].map((child) => ({ ...child, inBuffer: inBuffer.has(child.instanceId) })),
    entry: entry ? withoutInstance(entry) : null,
  };
}

function addChild(
  children: Map<string, GrownInstance>,
  { id, turn, depth, quality, parent }: Instance,
): void {
  if (!children.has(id) && parent)
    children.set(id, {
      instanceId: id,
      turn,
      depth,
      quality,
      rolloutId: parent.rolloutId,
      visits: 0,
      inBuffer: false,
    });
}

function onlyOne(found: ReadonlyMap<string, Instance>, prefix: string): Instance {
  const [instance, ...others] = found.values();
  if (!instance)
    throw new CommandFailure(
      exitCodes.notFound,
      `No instance of this run begins with '${prefix}': \`reiterate inspect buffer RUN\` and \`inspect groups\` name some.`,
    );
  if (others.length > 0)
    throw new CommandFailure(
      exitCodes.usage,
      `${others.length + 1} instances begin with '${prefix}', e.g. ${instance.id.slice(0, 16)} and ${others[0]!.id.slice(0, 16)}: give more of it.`,
    );
  return instance;
}

function withoutInstance({ instance: _, ...entry }: BufferEntry): Omit<BufferEntry, 'instance'> {
  return entry;
}
