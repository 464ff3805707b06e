import { z } from 'zod';
import { DomainConfig, taskCounts, unanswered } from './domain.ts';
import { SelectionConfig } from './selection.ts';

const probability = z.number().min(0).max(1);
/** Of a moving average; at 1 it would never move. */
const decay = z.number().min(0).lt(1);
const positive = z.number().positive();
const count = z.int().positive();

/**
 * What embeds a solution: the mean of the base model's hidden states over the answer's tokens, or a sentence model that
 * reads the answer's text.
 */
export const EmbedderName = z.enum(['reference', 'sentence']);
export type EmbedderName = z.infer<typeof EmbedderName>;

/**
 * Multiplies each rollout's advantage by how far its solution lies from the middle of its group's (ExIt §4.2, eq. 6).
 */
export const DiversityBonusConfig = z.strictObject({
  embedder: EmbedderName,
  /** The paper's quotient (at most 10), or one whose mean over the group is 1, or one from 0 to 1. */
  scale: z.enum(['paper', 'mean-one', 'min-max']),
  /** Leaves negative advantages as they are. */
  positiveOnly: z.boolean(),
});
export type DiversityBonusConfig = z.infer<typeof DiversityBonusConfig>;

/** The curriculum: the task buffer B and how prompts are drawn from it (ExIt §4.1, Algorithm 1). */
export const CurriculumConfig = z.strictObject({
  /** N: scored instances kept. */
  capacity: count,
  /** B_min: nothing is selected from the buffer before it holds this many. */
  minimumSize: count,
  /** p: probability that a prompt comes from the buffer instead of the task set. 0 is plain GRPO. */
  selectProbability: probability,
  /** true: a selected instance gets a self-iteration step. false: only base-task prefixes are kept and replayed. */
  selfIteration: z.boolean(),
  /** p_div: probability that a self-iteration step diverges instead of improving. */
  divergeProbability: probability,
  /** How instances are drawn from the buffer, and which are kept. */
  selection: SelectionConfig,
  /** Learnability S is the variance of what GRPO trains on, or of the qualities (ExIt §4.1 can be read both ways). */
  scoreOn: z.enum(['reward', 'quality']),
  /**
   * Which finished rollouts of a group enter the buffer as new instances: one at random (the paper's Algorithm 1 shows
   * one rollout), all, one of the best or of the worst, or one of each (`stratified`).
   */
  expand: z.enum(['one', 'all', 'best', 'worst', 'stratified']),
  /** Most instances of one base task in the buffer; null: no limit. */
  maxPerBaseTask: count.nullable(),
  /** null: none. */
  diversityBonus: DiversityBonusConfig.nullable(),
  /** Replaces our wording of the step prompts; `{request}` and `{response}` are filled in. */
  prompts: z.strictObject({ improve: z.string(), diverge: z.string() }).optional(),
});
export type CurriculumConfig = z.infer<typeof CurriculumConfig>;

/** What GRPO trains on, made of qualities (ExIt §3). */
export const RewardConfig = z.strictObject({
  /** The verified quality, the normalised improvement over the answer before, or whichever the domain is made for. */
  mode: z.enum(['domain', 'verification', 'improvement']),
  /** δ: an improvement is divided by what was left to improve, but never by less than this. The paper has no δ: 0. */
  minHeadroom: probability,
});
export type RewardConfig = z.infer<typeof RewardConfig>;

/** Which tokens may be drawn at all. */
const cut = {
  /** Only the k likeliest; null: all. */
  topK: count.nullable(),
  /** Then only the likeliest ones that together have this share of what is left; null: all. */
  topP: positive.max(1).nullable(),
};

export const SamplingConfig = z.strictObject({
  promptsPerGeneration: count,
  /** G: rollouts of one prompt. */
  rolloutsPerPrompt: z.int().min(2),
  maxNewTokens: count.max(8192),
  /** Logits are divided by it; the policy that is trained is the one at this temperature. */
  temperature: positive,
  ...cut,
  /** Prompts played by one `iterate` activity. */
  promptsPerShard: count,
  /**
   * In what numbers training's answers are sampled: `float32` as the policy is trained, or `w8a8`, with weights and
   * activations rounded to 8 bits for speed, which needs `training.importanceCap`. Evaluation is always `float32`.
   */
  precision: z.enum(['float32', 'w8a8']),
});
export type SamplingConfig = z.infer<typeof SamplingConfig>;

export const TrainingConfig = z.strictObject({
  learningRate: positive,
  adamBetas: z.tuple([decay, decay]),
  adamEpsilon: positive,
  weightDecay: z.number().nonnegative(),
  /** Largest gradient norm; a larger one is scaled down to it. */
  gradientClip: positive,
  /** The policy ratio is clipped to [1 − low, 1 + high] (ExIt §2.2: 0.2 both). */
  clipRatio: z.strictObject({ low: positive.max(1), high: positive }),
  /**
   * Truncated importance sampling: each token's gradient weighs min(π_old / μ, cap), with μ the probability that it
   * was sampled with. null: every token weighs 1.
   */
  importanceCap: z.number().min(1).nullable(),
  /** β of the KL penalty to the reference policy; 0 keeps no reference. */
  klCoefficient: z.number().nonnegative(),
  /** Every `interval` generations ref ← (1 − α) ref + α θ. */
  reference: z.strictObject({ interval: count, alpha: probability }),
  /** Passes over one generation's groups. */
  epochs: count,
  /** AdamW steps an epoch: whole groups are dealt to so many minibatches. */
  minibatches: count,
  /** What truncated answers give: a gradient like others, or none; they count in a group's statistics either way. */
  overlong: z.enum(['train', 'mask']),
  /** (r − mean) / std, r − mean, or (r − mean) / mean (MaxRL). */
  advantage: z.enum(['standard', 'centered', 'max-rl']),
  lossNormalisation: z.enum(['sequence', 'token', 'constant']),
  /**
   * true: the answers of earlier turns that a prompt replays are trained with their rollouts, as the paper does in tool
   * use (ExIt A.3); false or absent: they are read only. Nothing to a domain of single turns.
   */
  trainPrefix: z.boolean().exactOptional(),
  /**
   * The adapter that is trained beside the frozen model: a low-rank change of these linears of every layer, scaled by
   * alpha / rank. null: all weights of the model are trained, which takes 16 bytes a weight in memory at the least, and
   * 12 in the store each generation.
   */
  lora: z
    .strictObject({
      rank: count,
      alpha: positive,
      targets: z.array(z.enum(['q', 'k', 'v', 'o', 'gate', 'up', 'down'])).min(1),
    })
    .nullable(),
  /** Most tokens (prompt once + completions, with padding) in one forward and backward pass. */
  tokensPerMicroBatch: count,
  /** Most MiB of activations a pass keeps for its backward half; above, layers are computed again (checkpointing). */
  memoryBudgetMiB: count,
});
export type TrainingConfig = z.infer<typeof TrainingConfig>;

/** K-step self-improvement on held-out problems (ExIt §5.3). */
export const EvaluationConfig = z.strictObject({
  /** Held-out problems played; 0 for no evaluation at all. */
  tasks: z.int().nonnegative(),
  /** K: self-iteration steps after the first answer. */
  depth: z.int().nonnegative().max(64),
  /** Answers a problem gets at each depth. */
  samplesPerTask: count,
  /** 0: always the likeliest token. */
  temperature: z.number().nonnegative(),
  ...cut,
  /** Evaluate after every so many generations, besides before the first and after the last; 0 is those only. */
  every: z.int().nonnegative(),
});
export type EvaluationConfig = z.infer<typeof EvaluationConfig>;

/**
 * Numbers at which a run pauses after a generation, says why, and waits to be resumed or stopped. null: never. (NaN and
 * infinite losses are failures; nothing is committed then.)
 */
export const GuardsConfig = z.strictObject({
  /** So many generations in a row without any reward. */
  zeroRewardGenerations: count.max(1000).nullable(),
  /** At least this share of a generation's answers cut off. */
  truncatedShare: positive.max(1).nullable(),
  /** More than this share of its prompts not graded. */
  graderErrorShare: probability.nullable(),
  /** A larger mean |learner log-prob − sampler's| of a token; sampling in 8 bits has about 0.07. */
  meanMismatch: positive.nullable(),
});
export type GuardsConfig = z.infer<typeof GuardsConfig>;

/** What an engine computes on. */
export const DeviceKind = z.enum(['cpu', 'webgpu', 'cuda']);
export type DeviceKind = z.infer<typeof DeviceKind>;

/**
 * Everything a run is. Strict: an unknown key is an error. Presets are complete files; nothing has a default,
 * so the file that started a run says all of it.
 */
export const RunConfig = z
  .strictObject({
    /** The place in the ladder of ExIt Table 1, or iGRPO beside it; checked against the curriculum's values. */
    strategy: z.enum(['grpo', 'curriculum', 'improve', 'diverge', 'exit', 'igrpo']),
    /** Seed of everything random in the run. */
    seed: z.int().nonnegative(),
    generations: count.max(100_000),
    /** A model this project can set up by itself, or the path of a GGUF file or a Hugging Face folder on the worker. */
    model: z.string().min(1),
    domain: DomainConfig,
    curriculum: CurriculumConfig,
    reward: RewardConfig,
    sampling: SamplingConfig,
    training: TrainingConfig,
    evaluation: EvaluationConfig,
    guards: GuardsConfig,
    /** What the engine computes on; part of the configuration because it decides the bits. */
    device: DeviceKind,
    /** Threads of the engine; part of the configuration because it decides the bits. */
    threads: count.max(256),
    /** Most milliseconds for grading one answer. */
    graderTimeoutMs: count,
  })
  .superRefine((config, context) => {
    const { curriculum } = config;
    const wrong = (path: PropertyKey[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    // `selection`: the one it needs; null: any that selects from the buffer. `bonus`: null: with or without.
    const expected = {
      grpo: { selection: 'uniform', selfIteration: false, diverge: false, bonus: false },
      curriculum: { selection: null, selfIteration: false, diverge: false, bonus: false },
      improve: { selection: null, selfIteration: true, diverge: false, bonus: false },
      diverge: { selection: null, selfIteration: true, diverge: true, bonus: false },
      exit: { selection: null, selfIteration: true, diverge: true, bonus: true },
      igrpo: { selection: 'igrpo', selfIteration: true, diverge: false, bonus: null },
    }[config.strategy];
    const selects = expected.selection === null;
    if (curriculum.selectProbability > 0 !== selects)
      wrong(
        ['curriculum', 'selectProbability'],
        `strategy '${config.strategy}' needs it ${selects ? '> 0' : '= 0'}`,
      );
    const { name } = curriculum.selection;
    if (selects ? name === 'uniform' || name === 'igrpo' : name !== expected.selection)
      wrong(
        ['curriculum', 'selection', 'name'],
        selects
          ? `strategy '${config.strategy}' selects from the buffer, which '${name}' does not`
          : `strategy '${config.strategy}' needs it '${expected.selection}'`,
      );
    if (curriculum.selfIteration !== expected.selfIteration)
      wrong(
        ['curriculum', 'selfIteration'],
        `strategy '${config.strategy}' needs it ${expected.selfIteration}`,
      );
    if (curriculum.divergeProbability > 0 !== expected.diverge)
      wrong(
        ['curriculum', 'divergeProbability'],
        `strategy '${config.strategy}' needs it ${expected.diverge ? '> 0' : '= 0'}`,
      );
    if (expected.bonus !== null && (curriculum.diversityBonus !== null) !== expected.bonus)
      wrong(
        ['curriculum', 'diversityBonus'],
        expected.bonus ? "strategy 'exit' needs one" : `strategy '${config.strategy}' needs it null`,
      );
    const { selection } = curriculum;
    if (selection.name === 'prompt-replay' && selection.passRate.low > selection.passRate.high)
      wrong(
        ['curriculum', 'selection', 'passRate'],
        `low ${selection.passRate.low} is more than high ${selection.passRate.high}`,
      );
    if (selection.name === 'difficulty-pool') {
      const { easyFrom, hardUpTo, easyShare, hardShare } = selection;
      if (hardUpTo >= easyFrom)
        wrong(['curriculum', 'selection', 'hardUpTo'], `${hardUpTo} is not less than easyFrom ${easyFrom}`);
      if (easyShare + hardShare > 1)
        wrong(
          ['curriculum', 'selection', 'easyShare'],
          `${easyShare} and hardShare ${hardShare} are more than the whole`,
        );
    }
    if (curriculum.minimumSize > curriculum.capacity)
      wrong(
        ['curriculum', 'minimumSize'],
        `${curriculum.minimumSize} is more than capacity ${curriculum.capacity}`,
      );
    for (const [step, template] of Object.entries(curriculum.prompts ?? {}))
      for (const placeholder of ['{request}', '{response}'])
        if (!template.includes(placeholder))
          wrong(['curriculum', 'prompts', step], `the template lacks ${placeholder}`);
    const { train, heldOut } = taskCounts(config.domain);
    for (const split of config.evaluation.tasks > 0
      ? (['train', 'heldOut'] as const)
      : (['train'] as const)) {
      const open = unanswered(config.domain, split);
      if (open !== null) wrong(['domain', split], `'${open}' has no answer to be graded against`);
    }
    if (config.sampling.promptsPerGeneration > train.tasks)
      wrong(
        ['sampling', 'promptsPerGeneration'],
        `${config.sampling.promptsPerGeneration} is more than domain.${train.key} ${train.tasks}; a generation's prompts are distinct`,
      );
    if (config.training.minibatches > config.sampling.promptsPerGeneration)
      wrong(
        ['training', 'minibatches'],
        `${config.training.minibatches} is more than sampling.promptsPerGeneration ${config.sampling.promptsPerGeneration}; a group goes into one minibatch`,
      );
    if (config.training.trainPrefix && config.training.importanceCap !== null)
      wrong(
        ['training', 'importanceCap'],
        'training.trainPrefix needs it null: with what probability an older policy said a replayed answer is not kept',
      );
    if (config.sampling.precision === 'w8a8') {
      if (config.training.importanceCap === null)
        wrong(
          ['training', 'importanceCap'],
          "sampling.precision 'w8a8' samples from a rounded policy and needs a number ≥ 1 here to make up for it",
        );
      const { meanMismatch } = config.guards;
      if (meanMismatch !== null && meanMismatch < 0.1)
        wrong(
          ['guards', 'meanMismatch'],
          `${meanMismatch} pauses every generation: sampling.precision 'w8a8' has about 0.07; give 0.1 or more, or null`,
        );
      if (config.device !== 'cpu')
        wrong(['sampling', 'precision'], `'w8a8' is for device 'cpu'; '${config.device}' samples in float32`);
    }
    if (config.evaluation.tasks > heldOut.tasks)
      wrong(
        ['evaluation', 'tasks'],
        `${config.evaluation.tasks} is more than domain.${heldOut.key} ${heldOut.tasks}`,
      );
  });
export type RunConfig = z.infer<typeof RunConfig>;
