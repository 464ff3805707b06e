import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { InfraProblem } from '../infra/problem.ts';
import { ensureModel } from '../infra/setup/model.ts';
import { openBench } from './bench.ts';
import type { Bench } from './bench.ts';
import { decode } from './decode.ts';
import { machine } from './machine.ts';
import { memory } from './memory.ts';
import type { Machine } from './machine.ts';
import { peftParity } from './peft-parity.ts';
import { ensurePython } from './python.ts';
import { curveChart, ratioChart } from './chart.ts';
import type { Result } from './compare.ts';
import { load } from './load.ts';
import { profile } from './profile.ts';
import { scaling } from './scaling.ts';
import { step } from './step.ts';
import { textOf, type Output } from './text.ts';
import { train } from './train.ts';

const usage = `npm run bench -- [decode] [load] [train] [step] [memory] [scaling] [profile] [parity]
                     [--json] [--threads N] [--rounds N]

  decode   batched sampling beside llama.cpp and transformers
  load     256 rollouts of uneven length, beside the rate of a batch that is always full
  train    one update beside PyTorch + PEFT, as installed and with oneDNN, and whether the gradients agree
  step     one whole GRPO step beside TRL
  memory   the most memory that sampling and an update take
  scaling  how cost grows with batch, context, tokens, rank and model size
  profile  where the time of a decode step and of a training pass goes
  parity   a trained adapter opened by Python's peft: the same log-probs?

Without names: the first five; their results also go to bench/results/, with a chart. So do those of scaling.`;

// TRL first: its step takes nearly all memory of a machine with 24 GiB, so it wants it fresh.
const benchmarks: Record<string, (bench: Bench) => Promise<Result[]>> = {
  step,
  decode,
  load,
  train,
  memory,
};

/** What is asked for by name only. */
const extras = ['scaling', 'profile', 'parity'];

/** Writes `content` and a chart of it; returns the path of the first. */
async function save(machine: Machine, kind: string, content: object, chart: string): Promise<string> {
  const folder = fileURLToPath(new URL('results/', import.meta.url));
  const processor = machine.processor
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/-$/, '');
  const stem = join(folder, `${machine.date}-${processor}${kind}`);
  await mkdir(folder, { recursive: true });
  await writeFile(`${stem}.json`, JSON.stringify(content, null, 2) + '\n');
  await writeFile(`${stem}.svg`, chart);
  return `${stem}.json`;
}

/** Runs what the arguments name; progress goes to stderr, results to stdout. Returns the exit code. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      threads: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const wanted = positionals.length > 0 ? positionals : Object.keys(benchmarks);
  const unknown = wanted.find((name) => !extras.includes(name) && !benchmarks[name]);
  const [threads, rounds] = [Number(values.threads), Number(values.rounds)];
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (unknown !== undefined || !(threads >= 1) || !(rounds >= 1)) {
    console.error(unknown === undefined ? usage : `There is no benchmark '${unknown}'.\n\n${usage}`);
    return 2;
  }

  const report = (line: string) => console.error(line);
  const python = await ensurePython(report);
  const modelPath = await ensureModel(report);
  const bench = await openBench({ python, modelPath, threads, rounds, report });
  try {
    const results: Result[] = [];
    for (const name of wanted) results.push(...((await benchmarks[name]?.(bench)) ?? []));
    const curves = wanted.includes('scaling') ? await scaling(bench) : null;
    const profiles = wanted.includes('profile') ? await profile(bench) : null;
    const parity = wanted.includes('parity') ? await peftParity(bench) : null;
    const where = await machine(python, threads);
    const output: Output = {
      schema: 1,
      machine: where,
      rounds,
      libraries: bench.libraries,
      results,
      absent: bench.absent,
      ...(curves ? { curves } : {}),
      ...(profiles ? { profiles } : {}),
      ...(parity ? { parity } : {}),
    };
    const complete = Object.keys(benchmarks).every((name) => wanted.includes(name));
    if (complete) report(`written to ${await save(where, '', output, ratioChart(results))}`);
    if (curves) report(`written to ${await save(where, '-scaling', output, curveChart(curves))}`);
    console.log(values.json ? JSON.stringify(output, null, 2) : textOf(output));
    const gradients = results.flatMap((result) => Object.values(result.gradients ?? {}));
    return [parity, ...gradients].some((match) => match?.agrees === false) ? 1 : 0;
  } finally {
    await bench.close();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  if (!(error instanceof InfraProblem)) throw error;
  console.error(error.message);
  return 1;
});
