import { Problem } from '../../../workflows/contract/domain.ts';
import { TypedFailure } from '../../../workflows/contract/failures.ts';

/**
 * One problem a line, as JSON; empty lines are skipped.
 *
 * @throws `InvalidRunConfig` naming the line that is none.
 */
export function parseProblems(lines: readonly string[], file: string): Problem[] {
  const wrong = (index: number, what: string) =>
    new TypedFailure(
      'InvalidRunConfig',
      `${file}, line ${index + 1}: ${what}; a line is {"id": "…", "question": "…", "answer": "…"}, with answer null when nobody knows it`,
    );
  const seen = new Map<string, number>();
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw wrong(index, 'not JSON');
    }
    const parsed = Problem.safeParse(value);
    if (!parsed.success)
      throw wrong(
        index,
        parsed.error.issues.map(({ path, message }) => [...path, message].join(': ')).join('; '),
      );
    const { id } = parsed.data;
    const before = seen.get(id);
    if (before !== undefined) throw wrong(index, `'${id}' is the id of line ${before + 1} too`);
    seen.set(id, index);
    return [parsed.data];
  });
}
