import type {
  CollectInput,
  CollectResult,
  FindRunInput,
  FindRunResult,
  OpenEvaluationInput,
  OpenEvaluationResult,
  PoseInput,
  SummariseInput,
  SummariseResult,
  TabulateInput,
  TabulateResult,
} from './evaluationSteps.ts';
import type { Head } from './ref.ts';
import type {
  CommitInput,
  CommitResult,
  EmbedInput,
  EmbedResult,
  EvaluateInput,
  EvaluateResult,
  From,
  InitialiseInput,
  IterateInput,
  IterateResult,
  PlanResult,
  RefineInput,
  RefineResult,
  ScoreInput,
  ScoreResult,
  UpdateInput,
  UpdateStepResult,
} from './steps.ts';

/** The activities as workflows know them: by type only. */
export interface Activities {
  initialise(input: InitialiseInput): Promise<Head>;
  sample(input: From): Promise<PlanResult>;
  iterate(input: IterateInput): Promise<IterateResult>;
  evaluate(input: EvaluateInput): Promise<EvaluateResult>;
  refine(input: RefineInput): Promise<RefineResult>;
  embed(input: EmbedInput): Promise<EmbedResult>;
  score(input: ScoreInput): Promise<ScoreResult>;
  update(input: UpdateInput): Promise<UpdateStepResult>;
  commit(input: CommitInput): Promise<CommitResult>;
  openEvaluation(input: OpenEvaluationInput): Promise<OpenEvaluationResult>;
  pose(input: PoseInput): Promise<PlanResult>;
  summarise(input: SummariseInput): Promise<SummariseResult>;
  collect(input: CollectInput): Promise<CollectResult>;
  findRun(input: FindRunInput): Promise<FindRunResult>;
  tabulate(input: TabulateInput): Promise<TabulateResult>;
  exportHistory(input: { runKey: string; workflowId: string }): Promise<void>;
}
