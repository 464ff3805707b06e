import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Symbols } from '../activities/policy/graph/dims.ts';
import type { Feeds, Program, ProgramOptions } from '../activities/policy/graph/program.ts';
import { layoutGroups, layoutPrompts } from '../activities/policy/model/layout.ts';
import { Past } from '../activities/policy/model/past.ts';
import {
  arrangeWeights,
  decodeProgram,
  prefillProgram,
  trainingProgram,
} from '../activities/policy/model/programs.ts';
import { BatchCache, CacheRoom } from '../activities/policy/rollout/cache.ts';
import { initialAdapter } from '../activities/policy/weights/adapter.ts';
import { openCheckpoint } from '../activities/policy/weights/checkpoint.ts';
import { lora, textTokens, type Bench } from './bench.ts';

/** Where one run of a program spends its time: milliseconds by kind of work, and what is left outside all kernels. */
export interface Profile {
  name: string;
  milliseconds: number;
  share: Record<string, number>;
}

/** Runs that do not count (memory is taken, caches fill) and runs that do. */
const [warmUps, runs] = [3, 5];

/** Profiles one decode step of 64 and of 8 rollouts, and one forward and backward pass over a group of 200 + 8 × 50. */
export async function profile(bench: Bench): Promise<Profile[]> {
  const weights = arrangeWeights(await openCheckpoint(bench.modelPath));
  const adapter = Object.fromEntries(
    [...initialAdapter(weights.config, lora, 'profile')].map(([name, { data }]) => [name, data]),
  );
  const ids = textTokens(bench.tokenizer, 600);
  const options = { threads: bench.threads };

  const decodeFeeds = async (rollouts: number): Promise<[Symbols, Feeds]> => {
    const prefill = await prefillProgram(weights, lora, options);
    const layout = layoutPrompts([ids.slice(0, 64)]);
    const past = Past.none(weights.config);
    const size = { rows: rollouts, places: 1, promptLength: 64, maxNewTokens: 64 };
    const cache = new BatchCache(weights.config, size, new CacheRoom());
    const uniforms = new Float32Array(rollouts).fill(0.5);
    const read = await prefill.run(
      { ...layout.symbols, G: rollouts },
      { ...layout.feeds, ...past.feeds, ...adapter, temperature: Float32Array.of(1), uniforms },
    );
    await prefill.release();
    cache.admit(layout, past, read, rollouts);
    return [
      cache.symbols,
      {
        ...adapter,
        ...cache.feeds(),
        temperature: new Float32Array(rollouts).fill(1),
        uniforms,
        tokenIds: new BigInt64Array(rollouts).fill(BigInt(ids[64]!)),
        positions: cache.positions,
      },
    ];
  };

  const completions = Array.from({ length: 8 }, (_, i) => ids.slice(200 + 50 * i, 250 + 50 * i));
  const group = layoutGroups([{ promptIds: ids.slice(0, 200), completions }]);
  const perToken = () => new Float32Array(group.rows).fill(0.01);
  const trainingFeeds: Feeds = {
    ...group.feeds,
    ...adapter,
    advantages: perToken(),
    tokenWeights: perToken(),
    oldLogProbs: perToken(),
    referenceLogProbs: perToken(),
    samplerLogProbs: perToken(),
    clipLow: Float32Array.of(0.2),
    clipHigh: Float32Array.of(0.2),
    importance: Float32Array.of(0),
    importanceCap: Float32Array.of(1),
    klCoefficient: Float32Array.of(0),
    temperature: Float32Array.of(1),
    onPolicy: Float32Array.of(1),
  };
  const profiles: Profile[] = [];
  for (const rollouts of [64, 8])
    profiles.push(
      await measured(
        `decode, B = ${rollouts}`,
        (extra) => decodeProgram(weights, lora, { ...options, ...extra }),
        ...(await decodeFeeds(rollouts)),
      ),
    );
  profiles.push(
    await measured(
      'train, prompt 200 + 8 × 50',
      (extra) => trainingProgram(weights, lora, { ...options, ...extra }),
      group.symbols,
      trainingFeeds,
    ),
  );
  return profiles;
}

async function measured(
  name: string,
  make: (options: Pick<ProgramOptions, 'profilePrefix'>) => Promise<Program>,
  symbols: Symbols,
  feeds: Feeds,
): Promise<Profile> {
  const folder = await mkdtemp(join(tmpdir(), 'reiterate-profile-'));
  try {
    const program = await make({ profilePrefix: join(folder, 'profile') });
    for (let run = 0; run < warmUps; run++) await program.run(symbols, feeds);
    const started = performance.now();
    for (let run = 0; run < runs; run++) await program.run(symbols, feeds);
    const milliseconds = (performance.now() - started) / runs;
    program.endProfiling();
    await program.release();
    const [file] = await readdir(folder);
    const events = JSON.parse(await readFile(join(folder, file!), 'utf8')) as Event[];
    return { name, milliseconds, share: shares(events, milliseconds) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Event {
  name: string;
  cat: string;
  /** Microseconds. */
  dur: number;
  args: { op_name?: string; input_type_shape?: Record<string, number[]>[] };
}

/** Kernel time by kind over the runs that count, as shares of a run's time. */
function shares(events: readonly Event[], milliseconds: number): Record<string, number> {
  const byKind = new Map<string, number>();
  let run = 0;
  for (const { name, cat, dur, args } of events) {
    if (name === 'model_run') run++;
    // A loop's own time holds that of its kernels, which are listed, too.
    if (cat !== 'Node' || !name.endsWith('_kernel_time') || args.op_name === 'Scan' || run < warmUps)
      continue;
    const kind = kindOf(args);
    byKind.set(kind, (byKind.get(kind) ?? 0) + dur / 1000 / runs);
  }
  const kernels = [...byKind].sort(([, a], [, b]) => b - a);
  const outside = milliseconds - kernels.reduce((sum, [, time]) => sum + time, 0);
  const all: [string, number][] = [...kernels, ['outside kernels', outside]];
  return Object.fromEntries(all.map(([kind, time]) => [kind, time / milliseconds]));
}

function kindOf({ op_name: operator = '', input_type_shape: inputs = [] }: Event['args']): string {
  const shapes = inputs.map((input) => Object.values(input)[0] ?? []);
  if (operator === 'Gemm') {
    if (shapes.flat().some((size) => size > 40_000)) return 'head';
    return shapes.slice(0, 2).some((shape) => shape.includes(lora.rank)) ? 'adapter' : 'base weights';
  }
  if (operator === 'FusedMatMul') return 'attention products';
  if (operator === 'Softmax') return 'softmax';
  if (['Reshape', 'Transpose', 'Gather', 'Concat', 'Split', 'Identity'].includes(operator))
    return 'moving data';
  return 'elementwise and sums';
}
