import { proxySinks, type Sinks, type WorkflowInterceptorsFactory } from '@temporalio/workflow';

/** What replayed code schedules, told to the test: replay itself does not compare arguments. */
export interface RecordSinks extends Sinks {
  recorded: { activity(activityId: string, type: string, args: unknown[], summary: string): void };
}

const { recorded } = proxySinks<RecordSinks>();

export const interceptors: WorkflowInterceptorsFactory = () => ({
  inbound: [],
  outbound: [
    {
      scheduleActivity(input, next) {
        recorded.activity(
          input.options.activityId ?? String(input.seq),
          input.activityType,
          input.args,
          input.options.summary ?? '',
        );
        return next(input);
      },
    },
  ],
  internals: [],
});
