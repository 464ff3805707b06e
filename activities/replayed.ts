import { TypedFailure } from '../workflows/contract/failures.ts';
import type { PlannedPrompt } from './artifacts/records.ts';
import type { Message } from './curriculum/types.ts';
import type { Tokenizer, TrainGroup } from './policy/policy.ts';

/**
 * The answers of earlier turns that a prompt replays, each with the tokens before it and the one that ends it: what
 * `training.trainPrefix` trains (decision 24). None in a first turn.
 *
 * @throws `InvalidRunConfig` when the chat template changes an answer that it shows again, so that it is not found.
 */
export function replayedOf(
  { instance, promptText, promptIds }: Pick<PlannedPrompt, 'instance' | 'promptText' | 'promptIds'>,
  { renderPrompt, encode, stopTokenIds }: Tokenizer,
): NonNullable<TrainGroup['replayed']> {
  const before: Message[] = [];
  return instance.history.slice(0, instance.turn).map(({ request, response }, turn) => {
    before.push(...request);
    const prefix = renderPrompt(before);
    const answer = response ?? '';
    before.push({ role: 'assistant', content: answer });
    const [start, end] = [encode(prefix).length, encode(prefix + answer).length];
    if (!promptText.startsWith(prefix + answer) || !stopTokenIds.includes(promptIds[end] ?? -1))
      throw new TypedFailure(
        'InvalidRunConfig',
        `training.trainPrefix: the chat template does not show the answer to turn ${turn + 1} of '${instance.baseTaskId}' as it was given, so its tokens cannot be told from others; leave trainPrefix out with this model`,
      );
    return { promptIds: promptIds.slice(0, start), tokenIds: promptIds.slice(start, end + 1) };
  });
}
