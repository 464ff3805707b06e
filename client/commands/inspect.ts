import { Command } from 'commander';
import { parseJson } from '../../activities/artifacts/canonical.ts';
import type { Manifest } from '../../activities/artifacts/manifest.ts';
import { readChain } from '../../activities/artifacts/manifests.ts';
import { encodeDynamics, encodePoints } from '../../activities/artifacts/parquet.ts';
import type { Store } from '../../activities/artifacts/store.ts';
import { RunConfig } from '../../workflows/contract/config.ts';
import { countingNumber, wholeNumber } from '../arguments.ts';
import { openStore } from '../connect.ts';
import { readDynamics } from '../dynamics/read.ts';
import { CommandFailure, exitCodes } from '../exit.ts';
import { readCurriculum, readRollouts } from '../generations.ts';
import { bufferLines } from '../inspect/buffer.ts';
import { groupLines } from '../inspect/groups.ts';
import { inspectInstance } from '../inspect/instance.ts';
import { bufferTable, dynamicsTable, groupTable, instancePage, rolloutPage } from '../inspect/pages.ts';
import { inspectRollout } from '../inspect/rollout.ts';
import { findRunKey } from '../record.ts';
import { writeOut } from '../reportFile.ts';
import { note, print, printJson } from '../terminal.ts';

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('look into the curriculum of a run: its task buffer, groups, instances, rollouts, dynamics')
    .addHelpText('after', '\nExample: reiterate inspect rollout my-run g7/3/5')
    .addCommand(bufferCommand())
    .addCommand(groupsCommand())
    .addCommand(instanceCommand())
    .addCommand(rolloutCommand())
    .addCommand(dynamicsCommand());
}

function bufferCommand(): Command {
  return ofRun('buffer', 'the task buffer, the highest learnability first')
    .option('--generation <number>', 'as that generation left it; the newest when left out', wholeNumber)
    .option('--limit <number>', 'entries shown', countingNumber, 20)
    .addHelpText(
      'after',
      '\nchance: how likely the next generation is to select it, over 1000 seeds.\n\nExample: reiterate inspect buffer my-run --generation 7',
    )
    .action(async (run: string, options: { generation?: number; limit: number; json?: boolean }) => {
      const opened = await openRun(run);
      const manifest = generationOf(opened, options.generation);
      const all = bufferLines(await readCurriculum(opened.store, manifest), opened.config);
      const entries = all.slice(0, options.limit);
      const { generation } = manifest.content;
      if (options.json) return printJson({ runKey: opened.runKey, generation, size: all.length, entries });
      if (all.length === 0) return note(`The task buffer of generation ${generation} is empty.`);
      print(...bufferTable(entries));
      note(`${entries.length} of ${all.length} entries after generation ${generation}`);
    });
}

function groupsCommand(): Command {
  return ofRun('groups', 'the groups of one generation, one a line')
    .option('--generation <number>', 'which; the newest when left out', wholeNumber)
    .addHelpText('after', '\nExample: reiterate inspect groups my-run --generation 7')
    .action(async (run: string, options: { generation?: number; json?: boolean }) => {
      const opened = await openRun(run);
      const manifest = generationOf(opened, options.generation);
      const groups = groupLines(await readRollouts(opened.store, manifest));
      const { generation } = manifest.content;
      if (options.json) return printJson({ runKey: opened.runKey, generation, groups });
      if (groups.length === 0)
        return note(`Generation ${generation} is the untrained start: it has no groups.`);
      print(...groupTable(groups));
    });
}

function instanceCommand(): Command {
  return ofRun('instance', 'an instance: its history, the groups played from it, what grew from it')
    .argument('<id>', 'the beginning of its id')
    .addHelpText('after', '\nExample: reiterate inspect instance my-run 3fa4c1')
    .action(async (run: string, id: string, options: { json?: boolean }) => {
      const { store, runKey, chain } = await openRun(run);
      const instance = await inspectInstance(store, chain, id);
      if (options.json) printJson({ runKey, ...instance });
      else print(...instancePage(instance));
    });
}

function rolloutCommand(): Command {
  return ofRun('rollout', 'a rollout: what led to it, what it was worth, the update it went into')
    .argument('<id>', 'generation, group and rollout, e.g. g7/3/5')
    .addHelpText('after', '\nExample: reiterate inspect rollout my-run g7/3/5')
    .action(async (run: string, id: string, options: { json?: boolean }) => {
      const { store, runKey, chain, config } = await openRun(run);
      const rollout = await inspectRollout(store, chain, config, id);
      if (options.json) printJson({ runKey, ...rollout });
      else print(...rolloutPage(rollout));
    });
}

interface DynamicsOptions {
  out?: string;
  points?: string;
  json?: boolean;
}

function dynamicsCommand(): Command {
  return ofRun('dynamics', 'how training went, one line a generation; as Parquet too')
    .option('--out <file>', 'Parquet file to write, one row a generation')
    .option(
      '--points <file>',
      'Parquet file to write: the embedded answers in the plane (UMAP), one row each',
    )
    .addHelpText(
      'after',
      '\nOnly a run with curriculum.diversityBonus embeds answers.\n\nExample: reiterate inspect dynamics my-run --out dynamics.parquet',
    )
    .action(async (run: string, options: DynamicsOptions) => {
      const opened = await openRun(run);
      const { rows, answers } = await readDynamics(opened.store, opened);
      const files: string[] = [];
      if (options.out !== undefined) files.push(await writeOut(options.out, encodeDynamics(rows)));
      if (options.points !== undefined) {
        if (answers.length === 0)
          throw new CommandFailure(
            exitCodes.notFound,
            `Run ${opened.runKey} has no embedded answers: only curriculum.diversityBonus needs them.`,
          );
        // Loaded only for this.
        const { project } = await import('../dynamics/projection.ts');
        files.push(await writeOut(options.points, encodePoints(project(answers, opened.config.seed))));
      }
      if (options.json) return printJson({ runKey: opened.runKey, files, generations: rows });
      if (rows.length === 0) return note('No generation is committed yet besides the untrained start.');
      if (files.length > 0) print(...files);
      else print(...dynamicsTable(rows));
    });
}

function ofRun(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument('<run>', 'name of a run (its newest), or a runKey')
    .option('--json', 'print JSON');
}

interface OpenRun {
  store: Store;
  runKey: string;
  config: RunConfig;
  /** Generation 0 to the head. */
  chain: readonly [Manifest, ...Manifest[]];
}

/** From the record alone. */
async function openRun(run: string): Promise<OpenRun> {
  const store = await openStore();
  const runKey = await findRunKey(store, null, run);
  const [first, ...others] = await readChain(store, runKey);
  if (!first) throw new CommandFailure(exitCodes.notFound, `Run ${runKey} has committed nothing yet.`);
  const { config } = first.observed.artifacts;
  return {
    store,
    runKey,
    config: parseJson(await store.read(config), RunConfig, config.key),
    chain: [first, ...others],
  };
}

function generationOf({ chain, runKey }: OpenRun, generation = chain.length - 1): Manifest {
  const manifest = chain[generation];
  if (!manifest)
    throw new CommandFailure(
      exitCodes.notFound,
      `Run ${runKey} has no generation ${generation}; its newest is ${chain.length - 1}.`,
    );
  return manifest;
}
