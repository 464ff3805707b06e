/** A value that the paper does not print, or a rule that it leaves open, and what we chose. */
export interface Assumption {
  /** Path in the run configuration; null for what is fixed in the code. */
  path: string | null;
  /** Number by which comments in the code name it. */
  decision: number;
  what: string;
  chosen: string;
  why: string;
}

/**
 * Every value and rule that ExIt (arXiv:2509.04575) leaves open. Printed by the command line and stored with each
 * run. A configured value is the preset's; the run's own is in its configuration under the path. Comments in the code
 * name a choice as "decision n".
 */
export const assumptions: readonly Assumption[] = [
  {
    path: 'curriculum.selection.inverseTemperature',
    decision: 9,
    what: 'κ of the selection P(m) ∝ exp(κ S)',
    chosen: '10',
    why: 'never given; odds of 12 : 1 between the highest score, 0.25, and 0',
  },
  {
    path: 'curriculum.expand',
    decision: 10,
    what: 'which of the G rollouts become new instances',
    chosen: "'one': a uniformly random finished rollout of each group",
    why: 'Algorithm 1 shows a single rollout; inserting all leaves few distinct tasks in the buffer',
  },
  {
    path: 'curriculum.maxPerBaseTask',
    decision: 10,
    what: 'how many instances of one base task the buffer holds',
    chosen: 'null: any number; in the robust presets 8',
    why: 'the paper has no limit; one keeps a few tasks from filling the buffer',
  },
  {
    path: 'curriculum.selection.staleness',
    decision: 14,
    what: 'share of the draws that goes to old scores',
    chosen: '0; in the robust presets 0.1',
    why: 'the paper has none; 0.1, as in prioritised level replay, visits what was left with a wrong score',
  },
  {
    path: null,
    decision: 14,
    what: 'how long a score counts as it was measured (curriculum.selection.maxScoreAge)',
    chosen: 'absent: for ever',
    why: "the paper has no limit; with one, an older score gives way to its base task's newer ones, in selection and in eviction",
  },
  {
    path: 'curriculum.capacity, curriculum.minimumSize',
    decision: 9,
    what: 'N and B_min for small task sets',
    chosen: '256 and 16',
    why: "the paper's values fit its own batches (math: 512 and 128 at 128 prompts a generation)",
  },
  {
    path: 'curriculum.prompts',
    decision: 22,
    what: 'wording of the improve and diverge prompts',
    chosen: 'our own short wording; the structure is that of Appendix B',
    why: 'small models must learn to follow it; a configuration may replace it',
  },
  {
    path: 'sampling.temperature',
    decision: 28,
    what: 'temperature of training rollouts',
    chosen: '1',
    why: 'log-probs are then those of the policy itself',
  },
  {
    path: 'sampling.topK, sampling.topP',
    decision: 28,
    what: 'which tokens training rollouts may have',
    chosen: 'null: all',
    why: 'what is cut off would be sampled by another policy than the one that is trained',
  },
  {
    path: 'sampling.precision',
    decision: 5,
    what: 'numbers in which training rollouts are sampled',
    chosen: "'float32': the policy that is trained",
    why: "'w8a8' samples from a rounded policy, faster; importance weights then make up for the difference",
  },
  {
    path: 'evaluation.temperature',
    decision: 28,
    what: 'temperature of evaluation',
    chosen: '1',
    why: "as in training; the paper uses each model card's default",
  },
  {
    path: 'training.learningRate',
    decision: 28,
    what: 'learning rate for LoRA',
    chosen: '3e-4, constant',
    why: 'the paper trains all weights, at 1e-6; a low-rank adapter needs a far larger step',
  },
  {
    path: 'training.lora',
    decision: 28,
    what: 'which weights are trained',
    chosen: 'an adapter of rank 16, α 32, on all seven projections',
    why: 'the paper trains all weights, as null does; an adapter takes a few hundredths of the memory and the store',
  },
  {
    path: 'training.adamBetas, training.adamEpsilon, training.weightDecay',
    decision: 28,
    what: 'AdamW',
    chosen: 'β 0.9 and 0.999, ε 1e-8, no weight decay',
    why: 'not printed; the defaults of PyTorch, no decay as is usual for LoRA',
  },
  {
    path: 'training.gradientClip',
    decision: 28,
    what: 'largest gradient norm',
    chosen: '1',
    why: 'not printed; the usual value',
  },
  {
    path: 'training.importanceCap',
    decision: 5,
    what: 'a correction for a sampler that is not quite the learner',
    chosen: 'null: none',
    why: 'not in the paper; sampler and learner are one model here, and their difference is in the metrics',
  },
  {
    path: 'training.minibatches',
    decision: 28,
    what: 'optimizer steps an epoch',
    chosen: '1',
    why: 'not printed; one step in one epoch keeps the ratio at 1, so that nothing is ever clipped',
  },
  {
    path: 'training.klCoefficient',
    decision: 6,
    what: 'β for an adapter on a small model',
    chosen: '0',
    why: 'as printed for tool use and ML engineering (0.001 for math); 0 needs no reference policy',
  },
  {
    path: 'training.advantage, training.lossNormalisation',
    decision: 4,
    what: 'scale of the advantage, and what the loss is divided by',
    chosen: "'standard' (population standard deviation, + 1e-8) and 'token'",
    why: 'the paper names both forms; this pair is what its likely code base does for math',
  },
  {
    path: 'curriculum.scoreOn',
    decision: 8,
    what: 'what learnability is the variance of',
    chosen: "'reward': population variance of the reward that GRPO trains on",
    why: 'S is then 0 exactly when the group has no gradient',
  },
  {
    path: null,
    decision: 7,
    what: 'groups with equal rewards',
    chosen: 'not trained on and not replaced; their S = 0 counts in the buffer',
    why: 'keeps the number of rollouts the same for every strategy',
  },
  {
    path: null,
    decision: 12,
    what: 'ties when the buffer is full',
    chosen: 'the oldest score leaves first',
    why: 'ties are the common case; evicting the newest freezes the buffer',
  },
  {
    path: null,
    decision: 13,
    what: 'score of an instance seen again',
    chosen: 'overwritten at every visit',
    why: 'the newest policy decides what is learnable',
  },
  {
    path: null,
    decision: 15,
    what: 'score of a new instance',
    chosen: "its parent's, marked as inherited until its own group was played",
    why: 'as in the paper',
  },
  {
    path: null,
    decision: 11,
    what: 'base instances in the buffer',
    chosen: 'every base task that was played enters too, at depth 0',
    why: 'Algorithm 1 updates B with both m+ and m′; the curriculum ablation needs it',
  },
  {
    path: null,
    decision: 16,
    what: 'the same answer twice',
    chosen: 'one instance: identity is the base task, the turn and the history',
    why: 'k is how it came about, not what it is',
  },
  {
    path: null,
    decision: 17,
    what: 'buffer draws of one batch',
    chosen: 'without replacement (Gumbel-top-k); what the buffer cannot fill falls back to base tasks',
    why: 'drawing an instance twice would double its group',
  },
  {
    path: null,
    decision: 18,
    what: 'base draws',
    chosen: 'a seeded permutation in each epoch, which only moves when a base task is drawn',
    why: "'uniformly at random' and 'epoched' both appear in the paper",
  },
  {
    path: 'curriculum.selection.perEpisode',
    decision: 19,
    what: 'partial histories of several turns',
    chosen:
      "each turn that a rollout is the first to reach is an instance of its own, with the group's S and a weight of its own",
    why: 'the paper inserts all per-turn prefixes; the earlier ones are known already. true: the turns of an episode share one weight',
  },
  {
    path: null,
    decision: 20,
    what: 'when improve or diverge is decided',
    chosen: 'at selection, for the whole group; not stored with the instance',
    why: 'S belongs to the history, whichever step is taken from it',
  },
  {
    path: null,
    decision: 21,
    what: 'what a self-iteration prompt shows',
    chosen:
      'the original request and the latest iterate only, over-long ones as head 25 % and tail 75 %; turns before it, and later turns after it, show the same of each turn',
    why: 'prompts never nest, and the cut is visible to the model',
  },
  {
    path: null,
    decision: 23,
    what: 'truncated answers as instances',
    chosen:
      'never kept; in an episode of several turns such an answer is the last, and none of its turns is kept',
    why: 'an answer without an end is no place to go on from',
  },
  {
    path: null,
    decision: 24,
    what: 'answers of earlier turns, in the prompt of a later one (training.trainPrefix)',
    chosen:
      'absent: not trained on; each turn that a rollout played itself is, with the prompt it was sampled from. true, as the paper does in tool use: trained with every rollout of the group',
    why: 'the answers in a prompt may come from an older policy; with centred advantages and a ratio of 1 their gradient cancels anyway',
  },
  {
    path: 'training.overlong',
    decision: 26,
    what: 'the gradient of truncated answers',
    chosen: "'train': graded and trained on like others",
    why: "with few tokens an answer, being cut off is a failure to be unlearned; 'mask' takes their gradient away, as the paper's likely code base does",
  },
  {
    path: 'curriculum.diversityBonus',
    decision: 25,
    what: 'what embeds a solution, and the bounds of d',
    chosen:
      "'reference': the mean of the base model's hidden states over the answer; 'paper': at most 10, and 1 where the distances are as good as equal; applied after the advantage is scaled, never to S",
    why: "the paper has a BERT tuned on math; the base model is at hand, and 'sentence' is a general model of that kind; the paper's quotient is 0 / 0 for equal answers, has no bound, and multiplies the learning rate; 'mean-one' does not",
  },
  {
    path: null,
    decision: 1,
    what: 'a normalised improvement from a previous quality of 1',
    chosen: 'reward 0; such histories are not kept as instances',
    why: 'the quotient is undefined, and nothing is left to improve',
  },
  {
    path: 'reward.mode',
    decision: 2,
    what: 'which steps get the normalised improvement',
    chosen: "'domain': improve steps of a domain made for improvement; all others get the quality",
    why: 'as the appendix describes the three domains',
  },
  {
    path: 'reward.minHeadroom',
    decision: 3,
    what: 'smallest divisor of a normalised improvement',
    chosen: '0.05',
    why: 'near a previous quality of 1 the quotient turns noise into signal',
  },
  {
    path: null,
    decision: 27,
    what: 'evaluation',
    chosen:
      'always from the latest iterate, in an episode k steps at each turn before it goes on; 95 % bootstrap intervals over problems',
    why: 'rewards are never peeked at',
  },
];
