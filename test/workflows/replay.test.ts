import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker, type InjectedSinks } from '@temporalio/worker';
import type { RecordSinks } from './recordArguments.ts';

/** Histories of a real run, made by capture.ts; replaying them shows that running runs survive a change of code. */
const folder = new URL('../fixtures/histories/', import.meta.url);
const captured = readdirSync(folder).filter((name) => name.endsWith('.json'));

interface Scheduled {
  activityId: string;
  type: string;
  args: unknown[];
}
type Json = { events: { activityTaskScheduledEventAttributes?: Record<string, unknown> }[] };

let code: string;

before(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'OFF' } } });
  const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
  ({ code } = await bundleWorkflowCode({
    workflowsPath: path('../../workflows/index.ts'),
    workflowInterceptorModules: [path('./recordArguments.ts')],
    logger: new DefaultLogger('ERROR'),
  }));
});

function read(name: string): Json {
  return JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Json;
}

/** Replays a history against today's code; resolves to what that code scheduled. */
async function replay(history: Json, workflowId: string): Promise<Scheduled[]> {
  const scheduled: Scheduled[] = [];
  const sinks: InjectedSinks<RecordSinks> = {
    recorded: {
      activity: {
        fn: (_info, activityId, type, args) => void scheduled.push({ activityId, type, args }),
        callDuringReplay: true,
      },
    },
  };
  // A machine that stands still for a moment must not fail it.
  const options = { workflowBundle: { code }, sinks, isolateExecutionTimeout: '2 minutes' } as const;
  await Worker.runReplayHistory(options, historyFromJSON(history), workflowId);
  return scheduled;
}

function scheduledIn(history: Json): Scheduled[] {
  return history.events.flatMap(({ activityTaskScheduledEventAttributes: attributes }) => {
    if (!attributes) return [];
    const input = attributes['input'] as { payloads?: { data: string }[] } | undefined;
    return [
      {
        activityId: attributes['activityId'] as string,
        type: (attributes['activityType'] as { name: string }).name,
        args: (input?.payloads ?? []).map(
          ({ data }) => JSON.parse(Buffer.from(data, 'base64').toString()) as unknown,
        ),
      },
    ];
  });
}

test('there are histories of every workflow', () => {
  assert.deepEqual(captured.map((name) => name.replace(/\.json$/, '')).sort(), [
    'ablation',
    'evaluation',
    'exitRun',
    'generation',
    'selfImprove',
  ]);
});

test('the run was paused and resumed, and told its generation', () => {
  const count = (name: string, event: string) => read(name).events.filter((one) => event in one).length;
  assert.equal(count('exitRun.json', 'workflowExecutionUpdateCompletedEventAttributes'), 2);
  assert.equal(count('generation.json', 'workflowExecutionSignaledEventAttributes'), 2);
});

for (const name of captured) {
  test(`${name} replays, and schedules the same activities with the same arguments`, async () => {
    const history = read(name);
    const now = await replay(history, workflowIdOf(name));
    assert.deepEqual(JSON.parse(JSON.stringify(now)), scheduledIn(history));
  });

  test(`${name} with another activity id does not replay`, async () => {
    const history = read(name);
    const event = history.events.find((one) => one.activityTaskScheduledEventAttributes);
    assert.ok(event?.activityTaskScheduledEventAttributes);
    event.activityTaskScheduledEventAttributes['activityId'] = 'something-else';
    await assert.rejects(
      replay(history, workflowIdOf(name)),
      /Nondeterminism|DeterminismViolation|non-?determin/i,
    );
  });
}

function workflowIdOf(name: string): string {
  const ids: Record<string, string> = {
    exitRun: 'captured',
    generation: 'captured/gen-0001',
    evaluation: 'captured/eval-0000',
    ablation: 'captured-ablation',
    selfImprove: 'captured-improve',
  };
  return ids[name.replace(/\.json$/, '')] ?? 'captured';
}
