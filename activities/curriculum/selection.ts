import type { CurriculumConfig } from '../../workflows/contract/config.ts';
import { TypedFailure } from '../../workflows/contract/failures.ts';
import { keyOf, stream, uniform } from '../random.ts';
import { baseInstance } from './identity.ts';
import { truncate } from './insertion.ts';
import { strategyOf } from './strategies/index.ts';
import type { Curriculum, Draw, Instance, Message, StepKind } from './types.ts';

/** What a selection needs to know besides the curriculum. */
export interface SelectionContext {
  /** Seed of the run. */
  seed: number;
  /** The generation being made. */
  generation: number;
  /** Prompts to draw. */
  prompts: number;
  /** The task set M, at least as many as `prompts`. */
  taskIds: readonly string[];
  /** First request of a base task. */
  begin(taskId: string): Message[];
}

/**
 * Draws the prompts of one generation (ExIt §4.1, Algorithm 1 "Select").
 *
 *     slot i:  |B| ≥ B_min and u_i < p   →  an instance of B as the strategy proposes, then a turn t′ uniform in 1…t
 *              else                      →  a base task of M
 *     step:    improve, or with probability p_div diverge; `base` where there is no answer to start from
 *
 * What the paper leaves open, and our choices:
 * 1. The buffer's slots are drawn *without* replacement (decision 17): one batch never holds an instance twice, which
 *    would double its group. Slots that B cannot fill fall back to base tasks.
 * 2. Base tasks come from a seeded permutation, a new one each epoch, whose cursor moves only when a base task is
 *    drawn (decision 18). A task whose start is in the batch already, drawn from B or at the end of the epoch
 *    before, is passed over: its prompt is being played.
 * 3. A visit counts for what was played: at an earlier turn for the instance of that turn, which gets the measured S,
 *    not for the longer one that was drawn, whose own group was not seen. So what B holds of an earlier turn is played
 *    by way of a longer instance only while the strategy proposes it, too: a rest, or a most of visits, holds for it.
 * 4. The step kind is drawn here, not stored with the instance (decision 20), and is the same for the whole group.
 *
 * Every random number comes from the identity of what it decides, so neither the order of B nor another draw
 * changes it.
 *
 * @returns the draws in order, and where the base-task cursor stands after them.
 * @throws `InvalidRunConfig` when the task set is too small to fill the generation with distinct prompts.
 */
export function select(
  curriculum: Curriculum,
  config: CurriculumConfig,
  { seed, generation, prompts, taskIds, begin }: SelectionContext,
): { draws: Draw[]; cursor: Curriculum['cursor'] } {
  if (taskIds.length < prompts)
    throw new TypedFailure(
      'InvalidRunConfig',
      `sampling.promptsPerGeneration: ${prompts} prompts cannot be distinct with ${taskIds.length} training tasks; raise domain.trainTasks`,
    );
  const random = (...what: (string | number)[]) => uniform(keyOf([seed, ...what]), 0);
  const { buffer } = curriculum;
  const wanted = Array.from(
    { length: prompts },
    (_, slot) =>
      buffer.length >= config.minimumSize && random('slot', generation, slot) < config.selectProbability,
  );

  const inBatch = new Set<string>();
  const selected: Instance[] = [];
  const slots = wanted.filter(Boolean).length;
  const proposed = strategyOf(config.selection).propose(buffer, {
    generation,
    random: (id) => random('instance', generation, id),
  });
  const mayBePlayed = new Set(proposed.map(({ instance }) => instance.id));
  const held = new Set(buffer.map(({ instance }) => instance.id));
  for (const { instance } of proposed) {
    if (selected.length === slots) break;
    const turn = Math.floor(random('turn', generation, instance.id) * (instance.turn + 1));
    const start = truncate(instance, turn, config.selfIteration);
    if (inBatch.has(start.id) || (held.has(start.id) && !mayBePlayed.has(start.id))) continue;
    inBatch.add(start.id);
    selected.push(start);
  }

  const nextBase = baseTasks(seed, taskIds, curriculum.cursor);
  let cursor = curriculum.cursor;
  const drawBase = (): Instance => {
    for (;;) {
      const next = nextBase();
      cursor = next.cursor;
      const start = baseInstance(next.taskId, begin(next.taskId));
      if (inBatch.has(start.id)) continue;
      inBatch.add(start.id);
      return start;
    }
  };

  const stepFrom = (start: Instance, ordinal: number): StepKind => {
    if (start.kind === 'base') return 'base';
    return random('step', generation, ordinal) < config.divergeProbability ? 'diverge' : 'improve';
  };

  const remaining = selected.values();
  const draws = wanted.map((fromBuffer, ordinal): Draw => {
    const start = fromBuffer ? remaining.next().value : undefined;
    return start
      ? { ordinal, source: 'buffer', step: stepFrom(start, ordinal), instance: start }
      : { ordinal, source: 'taskSet', step: 'base', instance: drawBase() };
  });
  return { draws, cursor };
}

/** Base tasks from the cursor on: each epoch a new permutation of the task set, each task once. */
function baseTasks(seed: number, taskIds: readonly string[], from: Curriculum['cursor']) {
  let { epoch, position } = from;
  let order = permutation(taskIds, seed, epoch);
  return (): { taskId: string; cursor: Curriculum['cursor'] } => {
    if (position >= order.length) {
      epoch++;
      position = 0;
      order = permutation(taskIds, seed, epoch);
    }
    const taskId = order[position++]!;
    return { taskId, cursor: { epoch, position } };
  };
}

/** Fisher–Yates. */
function permutation(taskIds: readonly string[], seed: number, epoch: number): string[] {
  const random = stream([seed, 'permutation', epoch]);
  const order = [...taskIds];
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}
