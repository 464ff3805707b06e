import { Template } from '@huggingface/jinja';
import { TypedFailure } from '../../../workflows/contract/failures.ts';
import type { Message } from '../../curriculum/types.ts';
import type { TokenizerSource } from './source.ts';

/**
 * Takes `strftime_now` from a template, which would put today's date into prompts and change them overnight.
 * Templates that ask for it have a fixed date for those who lack it. The block's line break belongs to the block.
 */
const withoutClock = '{% set strftime_now = undefined %}\n';

/**
 * Messages → prompt, ending where the assistant's answer starts, by the chat template of the model. Throws
 * `ModelUnavailable` when there is none or it refuses the messages.
 */
export function chatTemplate({
  path,
  chatTemplate: text,
  bos,
  eos,
}: TokenizerSource): (messages: Message[]) => string {
  const template = text === null ? null : compile(path, text);
  return (messages) => {
    if (!template)
      throw new TypedFailure(
        'ModelUnavailable',
        `${path} has no chat template: take a model that was trained for chat`,
      );
    try {
      // What transformers passes; a template may ask whether `tools` is none, and whether it is defined.
      const variables = { tools: null, documents: null, bos_token: bos, eos_token: eos };
      return template.render({ messages, add_generation_prompt: true, ...variables });
    } catch (cause) {
      const roles = messages.map(({ role }) => role).join(', ');
      throw new TypedFailure(
        'ModelUnavailable',
        `the chat template of ${path} refuses these messages (${roles}): ${reasonOf(cause)}`,
        { cause },
      );
    }
  };
}

function compile(path: string, text: string): Template {
  try {
    return new Template(withoutClock + text);
  } catch (cause) {
    throw new TypedFailure(
      'ModelUnavailable',
      `the chat template of ${path} is not understood: ${reasonOf(cause)}`,
      { cause },
    );
  }
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
