import { TypedFailure } from '../workflows/contract/failures.ts';
import type { PlannedPrompt } from './artifacts/records.ts';
import type { Instance, Message } from './curriculum/types.ts';
import type { Tokenizer, TrainGroup } from './policy/policy.ts';

interface Prompt extends Pick<PlannedPrompt, 'promptText' | 'promptIds'> {
  instance: Pick<Instance, 'baseTaskId' | 'turn' | 'history'>;
}

/**
 * The answers of earlier turns that a prompt replays, each with the tokens before it and the one that ends it: what
 * `training.trainPrefix` trains (decision 24). None in a first turn. A chat template may take the spaces around an
 * answer away.
 *
 * @throws `InvalidRunConfig` when it changes more than that, so that the answer is not found.
 */
export function replayedOf(
  { instance, promptText, promptIds }: Prompt,
  { renderPrompt, encode, stopTokenIds }: Tokenizer,
): NonNullable<TrainGroup['replayed']> {
  const before: Message[] = [];
  return instance.history.slice(0, instance.turn).map(({ request, response }, turn) => {
    before.push(...request);
    const prefix = renderPrompt(before);
    const answer = response ?? '';
    before.push({ role: 'assistant', content: answer });
    const start = encode(prefix).length;
    for (const shown of [answer, answer.trim()]) {
      const end = encode(prefix + shown).length;
      if (promptText.startsWith(prefix + shown) && stopTokenIds.includes(promptIds[end] ?? -1))
        return { promptIds: promptIds.slice(0, start), tokenIds: promptIds.slice(start, end + 1) };
    }
    throw new TypedFailure(
      'InvalidRunConfig',
      `training.trainPrefix: the chat template does not show the answer to turn ${turn + 1} of '${instance.baseTaskId}' as it was given, so its tokens cannot be told from others; leave trainPrefix out with this model`,
    );
  });
}

/** Tries a model's chat template before there is any work to lose. @throws `InvalidRunConfig`, as `replayedOf`. */
export function assertReplays(tokenizer: Tokenizer): void {
  const turn = (content: string, response: string | null) => ({
    request: [{ role: 'user' as const, content }],
    response,
    feedback: null,
  });
  const history = [turn('What is 8 + 9?', ' It is\n17.\n'), turn('And 8 - 9?', null)];
  const asked = history.flatMap(({ request, response }): Message[] => [
    ...request,
    ...(response === null ? [] : [{ role: 'assistant' as const, content: response }]),
  ]);
  const promptText = tokenizer.renderPrompt(asked);
  replayedOf(
    {
      instance: { baseTaskId: 'a probe', turn: 1, history },
      promptText,
      promptIds: tokenizer.encode(promptText),
    },
    tokenizer,
  );
}
