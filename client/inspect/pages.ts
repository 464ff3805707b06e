import type { DynamicsRow } from '../../activities/artifacts/records.ts';
import { clip, fields, percent, table, type Column } from '../terminal.ts';
import type { BufferLine } from './buffer.ts';
import type { GroupLine } from './groups.ts';
import type { InspectedInstance } from './instance.ts';
import type { Step } from './lineage.ts';
import type { InspectedRollout } from './rollout.ts';

/** What `reiterate inspect` prints, for people. */

const left = (title: string): Column => ({ title, align: 'left' });
const right = (title: string): Column => ({ title, align: 'right' });

/** Enough of an id to tell instances of a run apart. */
const short = (id: string) => id.slice(0, 10);
const decimals = (value: number | null, digits: number) => value?.toFixed(digits) ?? '–';
/** As few decimals as say it: rewards are mostly 0 and 1. */
const plain = (value: number | null) => (value === null ? '–' : String(Number(value.toFixed(3))));

export function bufferTable(entries: readonly BufferLine[]): string[] {
  return table(
    [
      left('instance'),
      left('task'),
      right('k'),
      right('S'),
      left('of'),
      right('age'),
      right('visits'),
      left('grew from'),
      right('chance'),
    ],
    entries.map((entry) => [
      short(entry.instanceId),
      entry.baseTaskId,
      String(entry.depth),
      decimals(entry.score, 3),
      entry.inherited ? 'parent' : 'own',
      String(entry.scoreAge),
      String(entry.visits),
      entry.parentRolloutId ?? 'task set',
      percent(entry.chance),
    ]),
  );
}

export function groupTable(groups: readonly GroupLine[]): string[] {
  return table(
    [
      left('group'),
      left('step'),
      left('task'),
      right('k'),
      left('rewards'),
      right('S'),
      left('dropped'),
      left('instance'),
      left('grew from'),
    ],
    groups.map((group) => [
      group.group,
      group.step,
      group.baseTaskId,
      String(group.depth),
      clip(group.rewards.map(plain).join(' '), 32),
      decimals(group.learnability, 3),
      group.dropped ?? 'no',
      short(group.instanceId),
      group.parentRolloutId ?? 'task set',
    ]),
  );
}

export function instancePage(instance: InspectedInstance): string[] {
  const { entry, visits, grown, lineage, history } = instance;
  return [
    ...fields([
      ['instance', instance.instanceId],
      ['base task', instance.baseTaskId],
      ['depth', `${instance.depth}${instance.turn > 0 ? `, turn ${instance.turn + 1}` : ''}`],
      ['quality', instance.quality === null ? 'not answered yet' : plain(instance.quality)],
      [
        'buffer',
        entry === null
          ? 'not in the newest'
          : `S ${decimals(entry.score, 3)} ${entry.inherited ? "(its parent's)" : ''} of generation ${entry.scoreGeneration}, ${entry.visits} visits, entered in ${entry.firstGeneration}`,
      ],
    ]),
    '',
    'history',
    ...history.flatMap(({ request, response, feedback }) => [
      ...request.flatMap(({ role, content }) => said(role, content)),
      ...(response === null ? [] : said('answer', response)),
      ...(feedback === null ? [] : said('feedback', feedback)),
    ]),
    '',
    ...(lineage.length === 0
      ? ['It is the start of its base task.']
      : ['how it came about', ...stepTable(lineage)]),
    '',
    ...(visits.length === 0
      ? ['No group was played from it.']
      : ['groups played from it', ...groupTable(visits)]),
    '',
    ...(grown.length === 0
      ? ['Nothing grew from it.']
      : [
          'what grew from it',
          ...table(
            [
              left('instance'),
              left('by rollout'),
              right('k'),
              right('quality'),
              right('visits'),
              left('in buffer'),
            ],
            grown.map((child) => [
              short(child.instanceId),
              child.rolloutId,
              String(child.depth),
              plain(child.quality),
              String(child.visits),
              child.inBuffer ? 'yes' : 'no',
            ]),
          ),
        ]),
  ];
}

export function rolloutPage(rollout: InspectedRollout): string[] {
  const { update } = rollout;
  const { metrics } = update;
  return [
    ...fields([
      ['rollout', rollout.rolloutId],
      [
        'asked',
        `${rollout.step}, depth ${rollout.depth}, from the ${rollout.source === 'buffer' ? 'task buffer' : 'task set'}`,
      ],
      ['base task', `${rollout.baseTaskId}, gold answer ${rollout.gold}`],
      ['instance', rollout.instanceId],
      ['policy', rollout.policy],
      ['seed', rollout.seed],
    ]),
    '',
    'from its base task to here',
    ...stepTable(rollout.lineage),
    '',
    ...said('prompt', rollout.prompt),
    ...said('answer', rollout.completion),
    ...rollout.laterAnswers.flatMap(({ turn, completion }) => said(`answer to turn ${turn + 1}`, completion)),
    '',
    ...fields([
      ['ended by', `${rollout.finishReason}, ${rollout.tokens} tokens`],
      [
        'grade',
        rollout.error ??
          `${rollout.verdict}${rollout.answer === null ? '' : ` (${rollout.answer})`}, quality ${plain(rollout.quality)}, by ${rollout.graderVersion}`,
      ],
      ['reward', plain(rollout.reward)],
      [
        'advantage',
        `${plain(rollout.advantage)}${rollout.diversity === null ? '' : `, with d = ${plain(rollout.diversity)}`}; group: S = ${decimals(rollout.learnability, 3)}`,
      ],
      [
        'update',
        update.trained
          ? `of generation ${rollout.generation}: trained on`
          : `of generation ${rollout.generation}: not trained on (${update.reason})`,
      ],
      ...(metrics === null
        ? []
        : [
            [
              'measured',
              `loss ${metrics.loss.toPrecision(3)}, gradient norm ${metrics.gradientNorm.toPrecision(3)}, entropy ${metrics.entropy.toPrecision(3)}, KL ${metrics.kl.toPrecision(3)}, ${metrics.trainedTokens} tokens`,
            ] as const,
          ]),
      ['policy then', update.policy],
      ['manifest', update.manifest],
    ]),
  ];
}

export function dynamicsTable(rows: readonly DynamicsRow[]): string[] {
  return table(
    [
      right('gen'),
      right('buffer'),
      right('age'),
      right('k'),
      right('max k'),
      right('distinct'),
      right('tasks'),
      right('S'),
      right('S age'),
      right('spread'),
      right('trained'),
      right('cut'),
      right('cosine'),
    ],
    rows.map((row) => [
      String(row.generation),
      share(row.fromBuffer),
      decimals(row.meanRecency, 1),
      decimals(row.meanDepth, 2),
      String(row.maxDepth),
      String(row.instancesSoFar),
      `${row.baseTasksSoFar}/${row.baseTasks}`,
      decimals(row.scoreMedian, 3),
      decimals(row.scoreAgeMedian, 1),
      decimals(row.effectiveSampleSize, 0),
      share(row.trained),
      share(row.truncated),
      decimals(row.pairwiseCosine, 3),
    ]),
  );
}

const share = (value: number) => `${Math.round(100 * value)} %`;

function stepTable(steps: readonly Step[]): string[] {
  return table(
    [
      left('rollout'),
      left('step'),
      right('k'),
      right('quality'),
      right('reward'),
      right('adv.'),
      left('answer'),
    ],
    steps.map((step) => [
      step.rolloutId,
      step.step,
      String(step.depth),
      plain(step.quality),
      step.reward === null ? 'a draft' : plain(step.reward),
      step.advantage === null ? '–' : decimals(step.advantage, 2),
      clip(step.completion.replaceAll(/\s+/g, ' ').trim(), 60),
    ]),
  );
}

/** A text under its label, each line set off. */
function said(label: string, text: string): string[] {
  return [
    `${label}:`,
    ...text
      .trim()
      .split('\n')
      .map((line) => `  | ${line}`),
  ];
}
