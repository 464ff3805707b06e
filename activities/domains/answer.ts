import type { Grade } from './domain.ts';

/** An exact rational number; the denominator is positive. */
export interface Rational {
  numerator: bigint;
  denominator: bigint;
}

const integer = String.raw`\d{1,3}(?:,\d{3})+(?!\d)|\d+`;
const decimal = String.raw`(?:${integer})(?:\.\d+)?|\.\d+`;
const latexFraction = String.raw`\\[dt]?frac\s*\{\s*[+-]?(?:${decimal})\s*\}\s*\{\s*[+-]?(?:${decimal})\s*\}`;
const unsigned = String.raw`${latexFraction}|(?:${decimal})(?:\s*\/\s*[+-]?(?:${decimal}))?`;

/** A number in running text. A minus sign belongs to it unless something stands before it, on its line, to subtract from. */
const numberInText = new RegExp(String.raw`(?:(?<![\d)}\]][^\S\n]*)[+-]\s*)?(?:${unsigned})`, 'g');
const wholeNumber = new RegExp(String.raw`^[+-]?\s*(?:${unsigned})$`);

/**
 * What a response gives as its answer: the content of the last `\boxed{…}` that holds something, else the last
 * number in the text; null when there is neither.
 */
export function answerIn(response: string): string | null {
  const boxed = boxes(response).findLast((content) => content.trim() !== '');
  if (boxed !== undefined) return boxed.trim();
  return tidy(response).match(numberInText)?.at(-1) ?? null;
}

/**
 * Reads an answer as a number: integers with or without thousands separators, decimals, fractions `a/b` and
 * `\frac{a}{b}`, signs; an equation's right side; units after the number are ignored. Null when it is not one.
 */
export function parseNumber(answer: string): Rational | null {
  const value = tidy(answer)
    .replace(/^.*=/s, '')
    // Each character can be read in one way only: nested repetition would take exponential time on long words.
    .replace(/(?<=[\d}])(?:\\(?:text|mathrm|textbf)\s*\{[^{}]*\}|[a-z\s.%°])*$/i, '')
    .trim();
  if (!wholeNumber.test(value)) return null;
  const negative = value.startsWith('-');
  const [over, under = '1'] = value
    .replace(/^[+-]\s*/, '')
    .replace(/^\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}$/, '$1/$2')
    .split('/');
  const top = parseDecimal(over!);
  const bottom = parseDecimal(under);
  if (bottom.numerator === 0n) return null;
  const sign = (negative ? -1n : 1n) * (bottom.numerator < 0n ? -1n : 1n);
  return {
    numerator: sign * top.numerator * bottom.denominator,
    denominator: top.denominator * (bottom.numerator < 0n ? -bottom.numerator : bottom.numerator),
  };
}

/** Exact: 0.5 equals 1/2, and 0.3333 does not equal 1/3. */
export function equals(a: Rational, b: Rational): boolean {
  return a.numerator * b.denominator === b.numerator * a.denominator;
}

/** Quality 1 when the response's answer is the right one, as a number or else as a text, and 0 otherwise. */
export function gradeAnswer(response: string, right: string): Grade {
  const answer = answerIn(response);
  if (answer === null) return { quality: 0, verdict: 'noAnswer', answer };
  const [given, gold] = [parseNumber(answer), parseNumber(right)];
  const correct = given && gold ? equals(given, gold) : plain(answer) === plain(right);
  return { quality: correct ? 1 : 0, verdict: correct ? 'correct' : 'wrong', answer };
}

/** Texts are the same when they differ in case and spaces only. */
const plain = (text: string) => text.trim().replace(/\s+/g, ' ').toLowerCase();

/** Contents of the `\boxed{…}`s with balanced braces, in order; an unfinished one is none. */
function boxes(text: string): string[] {
  const opening = '\\boxed{';
  const contents: string[] = [];
  for (let at = text.indexOf(opening); at >= 0; at = text.indexOf(opening, at + 1)) {
    const start = at + opening.length;
    let open = 1;
    let end = start;
    while (end < text.length && open > 0) {
      if (text[end] === '{') open++;
      if (text[end] === '}') open--;
      end++;
    }
    if (open === 0) contents.push(text.slice(start, end - 1));
  }
  return contents;
}

/** Plain minus signs; no dollar signs, LaTeX spaces or LaTeX parentheses. */
function tidy(text: string): string {
  return text
    .replace(/[−–]/g, '-')
    .replace(/\{,\}/g, ',')
    .replace(/\\([%$])/g, '$1')
    .replace(/\\[,!;: ]|\\[()[\]]|\$/g, '');
}

/** `-1,234.50` → −123450/100. */
function parseDecimal(text: string): Rational {
  const [whole = '', fraction = ''] = text.replace(/[,\s+]/g, '').split('.');
  return { numerator: BigInt(`${whole}${fraction}`), denominator: 10n ** BigInt(fraction.length) };
}
