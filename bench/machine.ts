import { readFile } from 'node:fs/promises';
import { arch, cpus, platform, totalmem } from 'node:os';
import { run } from '../infra/setup/command.ts';

/** Where and with what the numbers were measured. */
export interface Machine {
  /** UTC, e.g. 2026-01-31. */
  date: string;
  processor: string;
  cores: number;
  threads: number;
  memoryGiB: number;
  platform: string;
  /** Instruction sets that decide the speed of matrix products. */
  instructions: string[];
  versions: Record<string, string>;
}

const telling = [
  'avx2',
  'avx512f',
  'avx512_vnni',
  'avx512_bf16',
  'avx_vnni',
  'amx_int8',
  'amx_bf16',
  'asimd',
  'sve',
];

export async function machine(python: string, threads: number): Promise<Machine> {
  // Absent where it is not Linux.
  const information = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const flags = new Set(/^(?:flags|Features)\s*:\s*(.*)$/m.exec(information)?.[1]?.split(' '));
  const numberOf = (field: string) => new RegExp(`^${field}\\s*: (\\d+)$`, 'm').exec(information)?.[1];
  const [family, model] = [numberOf('cpu family'), numberOf('model')];
  return {
    date: new Date().toISOString().slice(0, 10),
    // Some machines hide which processor they have behind one name for several generations.
    processor: `${cpus()[0]?.model ?? 'unknown'}${family && model ? ` (family ${family}, model ${model})` : ''}`,
    cores: cpus().length,
    threads,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${platform()} ${arch()}`,
    instructions: telling.filter((flag) => flags.has(flag)),
    versions: {
      node: process.versions.node,
      'onnxruntime-node': await versionOf('onnxruntime-node'),
      ...(await pythonVersions(python)),
    },
  };
}

async function versionOf(name: string): Promise<string> {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}

async function pythonVersions(python: string): Promise<Record<string, string>> {
  const script = [
    'import json, platform, importlib.metadata as m',
    'names = ["torch", "transformers", "peft", "trl", "llama-cpp-python"]',
    'have = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in m.distributions()}',
    'print(json.dumps({"python": platform.python_version(), **{n: have[n] for n in names if n in have}}))',
  ].join('\n');
  return JSON.parse(await run(python, ['-c', script], { timeoutMs: 60_000 })) as Record<string, string>;
}
