import type { CurriculumConfig } from '../../workflows/contract/config.ts';
import type { Instance, Message, StepKind, Turn } from './types.ts';

/**
 * Our wording of the two self-iteration prompts (ExIt Appendix B gives the structure: the task, the request, the
 * current response). Short and plain, because small models must learn to follow it. A golden test pins it: another
 * wording is another experiment.
 */
export const defaultTemplates = {
  improve: [
    'Improve the current response to the request. If it is wrong, correct it. If it is right, keep its answer.',
    '',
    'Request:',
    '{request}',
    '',
    'Current response:',
    '{response}',
  ].join('\n'),
  diverge: [
    'Answer the request with an approach that differs strongly from that of the current response.',
    'Sum up the current approach in a few words, state a different approach, then give the new response.',
    '',
    'Request:',
    '{request}',
    '',
    'Current response:',
    '{response}',
  ].join('\n'),
} as const;

/** How a self-iteration prompt shows the response it starts from. */
export interface Rendering {
  /** The part of a response that is shown again; the domain's `quote`. */
  quote: (response: string) => string;
  /** Replaces our wording; `{request}` and `{response}` are filled in. */
  templates: CurriculumConfig['prompts'] | undefined;
  countTokens: (text: string) => number;
  /** Most tokens of the quoted response. */
  responseBudget: number;
}

/**
 * The chat that asks for the next answer of an instance.
 *
 * Earlier turns appear as they were: their own request and the latest iterate, never a wrapper. The turn at hand is
 * its own request (`base`), or the wrapper around its request and its latest iterate (`improve`, `diverge`): never
 * an older iterate, never a wrapper in a wrapper (decision 21). System messages of a wrapped request stay in front.
 */
export function stepMessages(instance: Instance, step: StepKind, rendering: Rendering): Message[] {
  const earlier = instance.history
    .slice(0, instance.turn)
    .flatMap(({ request, response }): Message[] => [
      ...request,
      { role: 'assistant', content: response ?? '' },
    ]);
  const turn = instance.history[instance.turn]!;
  switch (step) {
    case 'base':
      return [...earlier, ...turn.request];
    case 'improve':
    case 'diverge':
      return [...earlier, ...wrap(turn, (rendering.templates ?? defaultTemplates)[step], rendering)];
  }
}

function wrap({ request, response, feedback }: Turn, template: string, rendering: Rendering): Message[] {
  const quoted = elide(rendering.quote(response ?? ''), rendering.responseBudget, rendering.countTokens);
  const values = {
    request: request
      .filter(({ role }) => role !== 'system')
      .map(({ content }) => content)
      .join('\n\n'),
    response: feedback === null ? quoted : `${quoted}\n\nFeedback:\n${feedback}`,
  };
  return [
    ...request.filter(({ role }) => role === 'system'),
    {
      role: 'user',
      // In one pass, so that a response which itself says {request} is left alone.
      content: template.replace(/\{(request|response)\}/g, (_, name: 'request' | 'response') => values[name]),
    },
  ];
}

/**
 * A text in at most about `budget` tokens: its head (25 %) and tail (75 %) with a line between them that says how
 * much is missing (decision 23). A text that fits is left as it is.
 */
export function elide(text: string, budget: number, countTokens: (text: string) => number): string {
  const total = countTokens(text);
  if (total <= budget) return text;
  const characters = [...text];
  const headBudget = Math.floor(budget / 4);
  const head = longest(characters.length, (length) => characters.slice(0, length).join(''), headBudget);
  const tail = longest(
    characters.length,
    (length) => characters.slice(characters.length - length).join(''),
    budget - headBudget,
  );
  const omitted = total - countTokens(head) - countTokens(tail);
  return `${head.trimEnd()}\n[… ${omitted} tokens omitted …]\n${tail.trimStart()}`;

  /** The longest cut within a budget, by bisection on its length in characters. */
  function longest(most: number, cut: (length: number) => string, tokens: number): string {
    let fits = 0;
    let tooLong = most + 1;
    while (tooLong - fits > 1) {
      const length = (fits + tooLong) >> 1;
      if (countTokens(cut(length)) <= tokens) fits = length;
      else tooLong = length;
    }
    return cut(fits);
  }
}
