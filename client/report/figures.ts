import * as Plot from '@observablehq/plot';
import type { StepName } from '../../workflows/contract/progress.ts';
import {
  colors,
  type Datum,
  figure,
  generationAxis,
  lines,
  measure,
  share,
  stacked,
  trend,
} from './drawing.ts';
import type { Html } from './html.ts';
import type { ReportedRun } from './run.ts';

/** In the order of a generation. */
const stepColors: Partial<Record<StepName, string>> = {
  sample: 'var(--grey)',
  draft: 'var(--soft)',
  refine: 'var(--grey)',
  iterate: 'var(--blue)',
  evaluate: 'var(--yellow)',
  embed: 'var(--teal)',
  score: 'var(--purple)',
  update: 'var(--green)',
  commit: 'var(--orange)',
};

export function learningCurve({ points, config }: ReportedRun): Html {
  const data = points.flatMap(({ generation, metrics }): Datum[] => [
    { x: generation, y: metrics.meanReward, series: 'reward' },
    { x: generation, y: metrics.meanQuality, series: 'quality' },
  ]);
  const same = points.every(({ metrics }) => Math.abs(metrics.meanReward - metrics.meanQuality) < 1e-9);
  const chosen = config.curriculum.selectProbability > 0;
  return figure({
    title: same ? 'Training reward' : 'Training reward and quality',
    note: `Mean over all rollouts of a generation${same ? '; here reward is the verified quality' : ''}. ${
      chosen
        ? 'The curriculum keeps choosing prompts that the policy is unsure of, so this curve may stay flat while the policy improves: held-out accuracy is the measure. '
        : ''
    }Select a point to read its rollouts.`,
    legend: same
      ? []
      : [
          { label: 'reward', color: colors.reward },
          { label: 'quality', color: colors.quality },
        ],
    plot: {
      x: generationAxis(points),
      y: share,
      marks: [
        Plot.ruleY([0]),
        ...trend(
          data.filter(({ series }) => !same || series === 'reward'),
          colors,
          ({ x, y, series }) => `generation ${x}: mean ${series} ${y.toFixed(3)}`,
        ),
      ],
    },
  });
}

export function qualityByStep({ points }: ReportedRun): Html {
  const data = points.flatMap(({ generation, metrics: { byStep, drafts } }) => [
    ...Object.entries(byStep).map(([series, { meanQuality }]) => ({ x: generation, y: meanQuality, series })),
    ...(drafts
      ? [
          { x: generation, y: drafts.meanQuality, series: 'draft' },
          { x: generation, y: drafts.meanBestQuality, series: 'best draft' },
        ]
      : []),
  ]);
  const drafted = points.some(({ metrics }) => metrics.drafts);
  return figure({
    title: 'Quality by step kind',
    note: `Mean quality of first answers (base) and of self-iteration steps (improve, diverge)${
      drafted ? ', and of drafts: of all, and of those that are improved' : ''
    }.`,
    legend: legendOf(data),
    plot: {
      x: generationAxis(points),
      y: share,
      marks: [
        Plot.ruleY([0]),
        ...trend(
          data,
          colors,
          ({ x, y, series }) => `generation ${x}, ${series}: mean quality ${y.toFixed(3)}`,
        ),
      ],
    },
  });
}

export function curriculumFigures({ points }: ReportedRun): Html[] {
  return [
    lines(points, {
      title: 'Depth of the task buffer',
      note: 'Which answer to their task its instances ask for: 0 is the first, k the one after k improvements.',
      palette: { deepest: colors.bad, mean: colors.reward },
      values: ({ metrics }) => ({ deepest: metrics.bufferMaxDepth, mean: metrics.bufferMeanDepth }),
    }),
    measure(points, {
      title: 'Size of the task buffer',
      note: 'Scored instances that prompts can be drawn from.',
      size: 'small',
      value: ({ metrics }) => metrics.bufferSize,
    }),
    ...(points.some(({ metrics }) => metrics.meanDiversity !== null)
      ? [
          measure(points, {
            title: 'Diversity bonus',
            note: 'Mean d of the rollouts trained on: above 1 it makes steps larger.',
            size: 'small',
            value: ({ metrics }) => metrics.meanDiversity ?? 1,
          }),
        ]
      : []),
    ...Object.keys(points.at(-1)?.metrics.selection ?? {}).map((name) =>
      measure(points, {
        ...(selectionWords[name] ?? { title: `Selection: ${name}`, note: 'As the strategy reports it.' }),
        size: 'small',
        value: ({ metrics }) => metrics.selection[name] ?? 0,
      }),
    ),
  ];
}

/** What strategies report, for a reader. */
const selectionWords: Record<string, { title: string; note: string }> = {
  effectiveSampleSize: {
    title: 'Spread of the selection',
    note: 'Effective sample size 1 / Σ P²: over how many instances a draw is as good as evenly spread.',
  },
  aged: { title: 'Aged scores', note: 'Instances whose score is so old that it counts less than it was.' },
  replayable: {
    title: 'Replayable instances',
    note: 'Within the window of pass rates, and not too often seen.',
  },
  rested: { title: 'Rested instances', note: 'Replayable, and past their rest since the last visit.' },
  due: { title: 'Due for a test', note: 'Instances not seen for so long that they come first.' },
  meanPriority: { title: 'Mean priority', note: 'p̂ (1 − p̂) of the mean instance: 0.25 is a coin flip.' },
  easy: { title: 'Easy instances', note: 'By their newest pass rate.' },
  normal: { title: 'Normal instances', note: 'By their newest pass rate.' },
  hard: { title: 'Hard instances', note: 'By their newest pass rate.' },
};

export function updateFigures({ points, config }: ReportedRun): Html[] {
  const { gradientClip, klCoefficient } = config.training;
  const expected =
    config.sampling.precision === 'w8a8'
      ? 'what sampling in 8 bits costs, made up for by importance weights; should not grow.'
      : 'should stay tiny.';
  return [
    measure(points, {
      title: 'Gradient norm',
      note: `Before clipping at ${gradientClip}.`,
      size: 'flat',
      value: ({ metrics }) => metrics.update?.gradientNorm ?? null,
    }),
    measure(points, {
      title: 'Sampler/learner mismatch',
      note: `Mean |Δ log-prob| per token between the engine that sampled and the one that trains; ${expected}`,
      size: 'flat',
      tickFormat: '~e',
      value: ({ metrics }) => metrics.update?.samplerMismatch ?? null,
    }),
    measure(points, {
      title: 'Entropy of the policy',
      note: 'Mean over the trained tokens, in nats; falling to 0 would be collapse.',
      size: 'flat',
      value: ({ metrics }) => metrics.update?.entropy ?? null,
    }),
    klCoefficient > 0
      ? measure(points, {
          title: 'KL to the reference policy',
          note: 'k3 estimate per token.',
          size: 'flat',
          value: ({ metrics }) => metrics.update?.kl ?? null,
        })
      : measure(points, {
          title: 'Clipped ratios',
          note: 'Share of tokens whose policy ratio was clipped. No KL: this run has no reference policy.',
          size: 'flat',
          tickFormat: '.1~%',
          value: ({ metrics: { update } }) => update && update.clippedLow + update.clippedHigh,
        }),
  ];
}

export function signalFigure({ points }: ReportedRun): Html {
  return stacked(
    points,
    'What became of the prompts',
    'Every prompt drawn is accounted for. A group whose rollouts all get the same reward gives no gradient.',
    ({ conservation }) => ({
      trained: conservation.trained,
      'without signal': conservation.withoutSignal,
      filtered: sum(Object.values(conservation.filtered)),
      failed: sum(Object.values(conservation.failed)),
    }),
    {
      trained: colors.good,
      'without signal': colors.before,
      filtered: 'var(--yellow)',
      failed: colors.bad,
    },
  );
}

export function truncatedFigure({ points, config }: ReportedRun): Html {
  const { maxNewTokens, rolloutsPerPrompt } = config.sampling;
  return measure(points, {
    title: 'Answers cut off',
    note: `Share of rollouts that reached ${maxNewTokens} tokens before they ended.`,
    size: 'normal',
    tickFormat: '.1~%',
    value: ({ metrics, conservation }) => metrics.truncated / (conservation.drawn * rolloutsPerPrompt),
  });
}

export function secondsFigure({ points }: ReportedRun): Html {
  return stacked(
    points,
    'Seconds by step',
    'Of the attempts that were committed, summed over shards.',
    ({ seconds }) => seconds,
    stepColors,
  );
}

export function tokensFigure({ points }: ReportedRun): Html {
  return stacked(
    points,
    'Tokens',
    'Prompt tokens are computed once a group, completion tokens are sampled, then trained on when the group has signal.',
    ({ metrics }) => ({
      drafts: (metrics.drafts?.promptTokens ?? 0) + (metrics.drafts?.completionTokens ?? 0),
      prompt: metrics.promptTokens,
      sampled: metrics.completionTokens,
      trained: metrics.update?.trainedTokens ?? 0,
    }),
    { drafts: 'var(--teal)', prompt: colors.before, sampled: colors.reward, trained: colors.good },
  );
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function legendOf(data: { series: string }[]): { label: string; color: string }[] {
  const palette: Record<string, string> = colors;
  return [...new Set(data.map(({ series }) => series))].map((label) => ({
    label,
    color: palette[label] ?? 'currentColor',
  }));
}
