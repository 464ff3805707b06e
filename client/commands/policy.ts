import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { keyOf, keyToHex } from '../../activities/random.ts';
import { writeModelFolder } from '../../activities/policy/modelFolder.ts';
import { writePeftFolder } from '../../activities/policy/weights/export.ts';
import { decodeParameters } from '../../activities/policy/weights/parameters.ts';
import { modelName, resolveModel } from '../../infra/setup/model.ts';
import { countingNumber, shareNumber, temperatureNumber, wholeNumber } from '../arguments.ts';
import { openStore } from '../connect.ts';
import { CommandFailure, exitCodes } from '../exit.ts';
import { findPolicy, withPolicy, type CommittedPolicy } from '../policies.ts';
import { DeviceKind } from '../../workflows/contract/config.ts';
import { fields, note, print, printJson, table } from '../terminal.ts';

export function policyCommand(): Command {
  return new Command('policy')
    .description('use a trained policy: generate text, log-probs, export for Python')
    .addHelpText('after', '\nExample: reiterate policy generate --run my-run --prompt "What is 17 + 25?"')
    .addCommand(generateCommand())
    .addCommand(logProbsCommand())
    .addCommand(exportCommand());
}

interface PolicyOptions {
  run?: string;
  generation?: number;
  model?: string;
  device?: DeviceKind;
  json?: boolean;
}

function withPolicyOptions(command: Command): Command {
  return command
    .option('--run <run>', 'name of a run, or its runKey; the base model when left out')
    .option('--generation <number>', "one of the run's generations; its newest when left out", wholeNumber)
    .option(
      '--model <model>',
      `base model when no run is given: ${modelName}, a GGUF file or a Hugging Face folder`,
    )
    .addOption(
      new Option('--device <device>', "what computes; the run's own device, else cpu, when left out").choices(
        DeviceKind.options,
      ),
    )
    .option('--json', 'print JSON');
}

async function policyOf({ run, generation, model }: PolicyOptions): Promise<CommittedPolicy | null> {
  if (run !== undefined && model !== undefined)
    throw new CommandFailure(
      exitCodes.usage,
      '--run and --model exclude each other: a run has its own model.',
    );
  if (run === undefined && generation !== undefined)
    throw new CommandFailure(exitCodes.usage, '--generation needs --run.');
  return run === undefined ? null : findPolicy(await openStore(), run, generation);
}

interface GenerateOptions extends PolicyOptions {
  prompt?: string;
  promptFile?: string;
  count: number;
  seed: number;
  maxNewTokens: number;
  temperature: number;
  topK?: number;
  topP?: number;
}

function generateCommand(): Command {
  return withPolicyOptions(
    new Command('generate').description('answer a prompt, asked through the chat template of the model'),
  )
    .option('--prompt <text>', 'the prompt')
    .option('--prompt-file <file>', 'the prompt, read from a file')
    .option('--count <number>', 'answers', countingNumber, 1)
    .option('--seed <number>', 'same seed, same answers', wholeNumber, 0)
    .option('--max-new-tokens <number>', 'most tokens of an answer', countingNumber, 128)
    .option(
      '--temperature <number>',
      'sampling temperature; 0 takes the likeliest token',
      temperatureNumber,
      1,
    )
    .option('--top-k <number>', 'only the k likeliest tokens', countingNumber)
    .option('--top-p <number>', 'only the likeliest tokens that together have this share', shareNumber)
    .addHelpText(
      'after',
      '\nExample: reiterate policy generate --run my-run --count 4 \\\n  --prompt "What is 17 + 25?"',
    )
    .action(async (options: GenerateOptions) => {
      const { prompt, promptFile } = options;
      if ((prompt === undefined) === (promptFile === undefined))
        throw new CommandFailure(exitCodes.usage, 'Pass a prompt: --prompt TEXT, or --prompt-file FILE.');
      const text = promptFile === undefined ? (prompt ?? '') : await readText(promptFile);
      await withPolicy(await policyOf(options), options, async ({ device, tokenizer, policy }) => {
        const rendered = tokenizer.renderPrompt([{ role: 'user', content: text }]);
        const keys = Array.from({ length: options.count }, (_, index) =>
          keyToHex(keyOf([options.seed, 'generate', index])),
        );
        const { maxNewTokens, topK = null, topP = null } = options;
        const [group] = await device.generate(policy, [{ tokenIds: tokenizer.encode(rendered), keys }], {
          maxNewTokens,
          temperature: options.temperature,
          topK,
          topP,
          stopStrings: [],
        });
        const completions = (group ?? []).map(({ tokenIds, logProbs, finishReason }) => ({
          text: tokenizer.decode(tokenIds),
          finishReason,
          tokenIds,
          logProbs,
        }));
        if (options.json) return printJson({ prompt: rendered, completions });
        completions.forEach((completion, index) => {
          if (completions.length > 1)
            note(`${index === 0 ? '' : '\n'}answer ${index + 1} of ${completions.length}`);
          print(completion.text);
          if (completion.finishReason === 'length') note(`(cut after ${maxNewTokens} tokens)`);
        });
      });
    });
}

function logProbsCommand(): Command {
  return withPolicyOptions(
    new Command('logprobs').description(
      'log-prob of each token of a text given all before it; no chat template',
    ),
  )
    .requiredOption('--text-file <file>', 'the text')
    .addHelpText(
      'after',
      '\nThe JSON is { "tokenIds": [...], "logProbs": [...] }; the first one is null.\n\nExample: reiterate policy logprobs --run my-run --text-file t.txt --json',
    )
    .action(async (options: PolicyOptions & { textFile: string }) => {
      const text = await readText(options.textFile);
      await withPolicy(await policyOf(options), options, async ({ device, tokenizer, policy }) => {
        const tokenIds = tokenizer.encode(text);
        if (tokenIds.length === 0) throw new CommandFailure(exitCodes.usage, `${options.textFile} is empty.`);
        const [logProbs = []] = await device.logProbs(policy, [tokenIds]);
        if (options.json) return printJson({ tokenIds, logProbs });
        const right = (title: string) => ({ title, align: 'right' as const });
        print(
          ...table(
            [right('id'), right('log-prob'), { title: 'token', align: 'left' }],
            tokenIds.map((id, index) => [
              String(id),
              logProbs[index]?.toFixed(4) ?? '–',
              JSON.stringify(tokenizer.decode([id])),
            ]),
          ),
        );
        const total = logProbs.reduce<number>((sum, value) => sum + (value ?? 0), 0);
        note(`${tokenIds.length} tokens, log-prob ${total.toFixed(3)} in all`);
      });
    });
}

interface ExportOptions {
  out: string;
  generation?: number;
  json?: boolean;
}

function exportCommand(): Command {
  return new Command('export')
    .description(
      "write what a run trained: its adapter as a folder that Python's peft loads, or all weights as one for transformers",
    )
    .argument('<run>', 'name of a run, or its runKey')
    .requiredOption('--out <folder>', 'folder to write, made when missing')
    .option('--generation <number>', "one of the run's generations; its newest when left out", wholeNumber)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample: reiterate policy export my-run --out my-adapter')
    .action(async (run: string, options: ExportOptions) => {
      const { runKey, manifest, config, policy } = await findPolicy(
        await openStore(),
        run,
        options.generation,
      );
      const folder = resolve(options.out);
      const bytes = await policy.load();
      const { trainable } = decodeParameters(bytes);
      if (trainable === 'full') await writeModelFolder(folder, bytes, await resolveModel(config.model, note));
      else await writePeftFolder(folder, trainable, bytes, nameOnHub(config.model));
      const { generation } = manifest.content;
      if (options.json) return printJson({ runKey, generation, policy: policy.sha256, folder });
      print(
        ...fields([
          ['run', runKey],
          ['generation', String(generation)],
          ['policy', policy.sha256],
          ['folder', folder],
        ]),
      );
    });
}

/** Where Python finds the base model by itself. */
function nameOnHub(model: string): string {
  return model === modelName ? `HuggingFaceTB/${modelName}` : model;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new CommandFailure(exitCodes.notFound, `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
}
