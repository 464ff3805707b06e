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
import type { Parity } from './peft-parity.ts';
import { ensurePython } from './python.ts';
import { ratio } from './compare.ts';
import { profile, type Profile } from './profile.ts';
import type { Result } from './compare.ts';
import { step } from './step.ts';
import { train } from './train.ts';

const usage = `npm run bench -- [decode] [train] [step] [memory] [profile] [parity] [--json] [--threads N] [--rounds N]

  decode   batched sampling beside llama.cpp and transformers
  train    one update beside PyTorch + PEFT, as installed and with oneDNN
  step     one whole GRPO step beside TRL
  memory   the most memory that sampling and an update take
  profile  where the time of a decode step and of a training pass goes
  parity   a trained adapter opened by Python's peft: the same log-probs?

Without names: the first four; their results also go to bench/results/.`;

// TRL first: its step takes nearly all memory of a machine with 24 GiB, so it wants it fresh.
const benchmarks: Record<string, (bench: Bench) => Promise<Result[]>> = { step, decode, train, memory };

/** What is asked for by name only. */
const extras = ['profile', 'parity'];

function table(results: Result[]): string {
  const rows = results.flatMap((result) => [
    [result.name, 'reiterate', result.ours.toPrecision(4), result.unit, ''],
    ...Object.entries(result.peers).map(([name, value]) => [
      '',
      name,
      value.toPrecision(4),
      result.unit,
      `${ratio(result, value).toFixed(2)} ×`,
    ]),
    ...(result.note === undefined ? [] : [['', result.note, '', '', '']]),
  ]);
  const all = [['benchmark', 'program', 'median', '', 'ours is'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function profileLines({ name, milliseconds, share }: Profile): string {
  const shares = Object.entries(share).map(
    ([kind, part]) => `  ${(100 * part).toFixed(1).padStart(5)} %  ${kind}`,
  );
  return [`${name}: ${milliseconds.toFixed(0)} ms a run`, ...shares].join('\n');
}

function parityLine({ tokens, adapted, base, effect, agrees }: Parity): string {
  const gaps = `with the adapter ${adapted.toExponential(1)}, without ${base.toExponential(1)}`;
  return (
    `parity with PEFT: ${agrees ? 'agrees' : 'DIFFERS'}; largest gap over ${tokens} tokens ${gaps}; ` +
    `the adapter moves log-probs by up to ${effect.toPrecision(2)}`
  );
}

async function save(machine: Machine, content: object): Promise<string> {
  const folder = fileURLToPath(new URL('results/', import.meta.url));
  const processor = machine.processor.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const file = join(folder, `${new Date().toISOString().slice(0, 10)}-${processor}.json`);
  await mkdir(folder, { recursive: true });
  await writeFile(file, JSON.stringify(content, null, 2) + '\n');
  return file;
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
    const profiles = wanted.includes('profile') ? await profile(bench) : null;
    const parity = wanted.includes('parity') ? await peftParity(bench) : null;
    const where = await machine(python, threads);
    const output = {
      machine: where,
      results,
      absent: bench.absent,
      ...(profiles ? { profiles } : {}),
      ...(parity ? { parity } : {}),
    };
    const complete = Object.keys(benchmarks).every((name) => wanted.includes(name));
    if (complete) report(`written to ${await save(where, output)}`);
    if (values.json) console.log(JSON.stringify(output, null, 2));
    else {
      console.log(
        `${where.processor}, ${where.cores} cores, ${threads} threads, ${where.instructions.join(' ')}`,
      );
      console.log(
        Object.entries(where.versions)
          .map(([name, version]) => `${name} ${version}`)
          .join(', '),
      );
      if (results.length > 0) console.log(`\n${table(results)}`);
      for (const each of profiles ?? []) console.log(`\n${profileLines(each)}`);
      if (parity) console.log(`\n${parityLine(parity)}`);
    }
    return parity?.agrees === false ? 1 : 0;
  } finally {
    await bench.close();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  if (!(error instanceof InfraProblem)) throw error;
  console.error(error.message);
  return 1;
});
