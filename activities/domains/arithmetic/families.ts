/** A problem: what is asked, and the right answer as text. */
export interface Problem {
  question: string;
  gold: string;
}

/** Problems of one kind, numbered from 0 to `size` − 1; different numbers are different questions. */
export interface Family {
  size: number;
  /** Operations that lead to the answer. */
  steps: number;
  problem(index: number): Problem;
}

const names = ['Mia', 'Ben', 'Lena', 'Omar', 'Ana', 'Tom', 'Ida', 'Raj', 'Eve', 'Leo'];
const things = ['apples', 'books', 'coins', 'stamps', 'pens', 'shells', 'cards', 'marbles'];

/** `[low, high]`, both included. */
function range(low: number, high: number): number[] {
  return Array.from({ length: high - low + 1 }, (_, offset) => low + offset);
}

const oneDigit = range(0, 9);
const factor = range(2, 9);
const twoDigits = range(10, 99);
const threeDigits = range(100, 999);

/** A family of every combination of the given choices. */
function product<Chosen extends readonly unknown[]>(
  steps: number,
  choices: readonly [...{ [Place in keyof Chosen]: readonly Chosen[Place][] }],
  problem: (...chosen: Chosen) => Problem,
): Family {
  const lists: readonly (readonly unknown[])[] = choices;
  return {
    steps,
    size: lists.reduce((size, { length }) => size * length, 1),
    problem(index) {
      let rest = index;
      const chosen = lists.map((options) => {
        const option = options[rest % options.length];
        rest = Math.floor(rest / options.length);
        return option;
      });
      return problem(...(chosen as unknown as Chosen));
    },
  };
}

/** A family of the given cases. */
function each<Case>(steps: number, cases: readonly Case[], problem: (one: Case) => Problem): Family {
  return { steps, size: cases.length, problem: (index) => problem(cases[index]!) };
}

/** Pairs (a, b) with a ≥ b, so that a − b is not negative. */
function descending(numbers: readonly number[]): [number, number][] {
  return numbers.flatMap((a) => numbers.filter((b) => b <= a).map((b): [number, number] => [a, b]));
}

const whatIs = (expression: string, value: number | string): Problem => ({
  question: `What is ${expression}?`,
  gold: String(value),
});

/** Tenths as a decimal: 37 → `3.7`. */
const tenths = (value: number) => `${Math.floor(value / 10)}.${value % 10}`;

/** The families of generated arithmetic, from one-digit sums to two-step word problems, one entry each. */
export const families: Record<string, Family> = {
  addOne: product(1, [oneDigit, oneDigit], (a, b) => whatIs(`${a} + ${b}`, a + b)),
  subtractOne: each(1, descending(oneDigit), ([a, b]) => whatIs(`${a} - ${b}`, a - b)),
  multiplyOne: product(1, [oneDigit, oneDigit], (a, b) => whatIs(`${a} * ${b}`, a * b)),
  addTwo: product(1, [twoDigits, twoDigits], (a, b) => whatIs(`${a} + ${b}`, a + b)),
  subtractTwo: each(1, descending(twoDigits), ([a, b]) => whatIs(`${a} - ${b}`, a - b)),
  addLarge: product(1, [threeDigits, threeDigits], (a, b) => whatIs(`${a} + ${b}`, a + b)),
  subtractLarge: product(1, [range(100, 550), range(10, 449)], (b, difference) =>
    whatIs(`${b + difference} - ${b}`, difference),
  ),
  multiplyTwoByOne: product(1, [twoDigits, factor], (a, b) => whatIs(`${a} * ${b}`, a * b)),
  addThree: product(2, [oneDigit, oneDigit, oneDigit], (a, b, c) => whatIs(`${a} + ${b} + ${c}`, a + b + c)),
  chain: product(2, [factor, factor, factor, ['+', '-']], (a, b, c, sign) =>
    whatIs(`${a} * ${b} ${sign} ${c}`, sign === '+' ? a * b + c : a * b - c),
  ),
  addFour: product(3, [oneDigit, oneDigit, oneDigit, oneDigit], (a, b, c, d) =>
    whatIs(`${a} + ${b} + ${c} + ${d}`, a + b + c + d),
  ),
  chainLong: product(3, [factor, factor, factor, factor], (a, b, c, d) =>
    whatIs(`${a} * ${b} + ${c} * ${d}`, a * b + c * d),
  ),
  addDecimals: product(1, [range(1, 99), range(1, 99)], (a, b) =>
    whatIs(`${tenths(a)} + ${tenths(b)}`, tenths(a + b)),
  ),
  addFractions: product(3, [range(1, 5), range(2, 9), range(1, 5), range(2, 9)], (a, b, c, d) =>
    whatIs(`${a}/${b} + ${c}/${d}`, `${a * d + c * b}/${b * d}`),
  ),
  wordOne: product(
    1,
    [
      names,
      things,
      range(2, 9),
      range(2, 9),
      [
        (name: string, thing: string, a: number, b: number) => ({
          question: `${name} has ${a} ${thing} and gets ${b} more. How many ${thing} does ${name} have now?`,
          gold: String(a + b),
        }),
        (name: string, thing: string, a: number, b: number) => ({
          question: `${name} had ${a + b} ${thing} and gave away ${b}. How many ${thing} are left?`,
          gold: String(a),
        }),
        (name: string, thing: string, a: number, b: number) => ({
          question: `${name} fills ${a} boxes with ${b} ${thing} each. How many ${thing} is that?`,
          gold: String(a * b),
        }),
      ],
    ],
    (name, thing, a, b, tell) => tell(name, thing, a, b),
  ),
  wordTwo: product(
    2,
    [
      names,
      things,
      range(2, 9),
      range(2, 9),
      range(2, 9),
      [
        (name: string, thing: string, a: number, b: number, c: number) => ({
          question: `${name} has ${a} bags with ${b} ${thing} each and finds ${c} more. How many ${thing} does ${name} have now?`,
          gold: String(a * b + c),
        }),
        (name: string, thing: string, a: number, b: number, c: number) => ({
          question: `${name} had ${a + b + c} ${thing}, lost ${b}, then sold ${c}. How many ${thing} are left?`,
          gold: String(a),
        }),
        (name: string, thing: string, a: number, b: number, c: number) => ({
          question: `${name} buys ${a} ${thing} for ${b} euros each and pays ${c} euros for delivery. How many euros is that in all?`,
          gold: String(a * b + c),
        }),
      ],
    ],
    (name, thing, a, b, c, tell) => tell(name, thing, a, b, c),
  ),
};
