/**
 * A size known only at run time: an integer polynomial over named symbols, such as `N*P + N*G*C`.
 * Keys are products of symbols in alphabetical order (`''` for the constant), values their coefficients.
 */
export class Polynomial {
  constructor(readonly terms: ReadonlyMap<string, number>) {}
}

/** One size of a tensor. */
export type Dim = number | Polynomial;
export type Shape = readonly Dim[];
/** Values of the symbols, e.g. `{ N: 8, P: 64 }`. */
export type Symbols = Readonly<Record<string, number>>;

/** A named size, e.g. `symbol('N')`. */
export function symbol(name: string): Dim {
  return new Polynomial(new Map([[name, 1]]));
}

const termsOf = (dim: Dim): ReadonlyMap<string, number> =>
  typeof dim === 'number' ? new Map([['', dim]]) : dim.terms;

const factorsOf = (term: string): string[] => (term === '' ? [] : term.split('*'));

function fromTerms(terms: Map<string, number>): Dim {
  for (const [term, coefficient] of terms) if (coefficient === 0) terms.delete(term);
  if (terms.size === 0) return 0;
  if (terms.size === 1 && terms.has('')) return terms.get('')!;
  return new Polynomial(new Map([...terms].sort(([a], [b]) => (a < b ? -1 : 1))));
}

export function sum(...dims: Dim[]): Dim {
  const terms = new Map<string, number>();
  for (const dim of dims)
    for (const [term, coefficient] of termsOf(dim)) terms.set(term, (terms.get(term) ?? 0) + coefficient);
  return fromTerms(terms);
}

export function product(...dims: Dim[]): Dim {
  let result: ReadonlyMap<string, number> = new Map([['', 1]]);
  for (const dim of dims) {
    const next = new Map<string, number>();
    for (const [left, a] of result)
      for (const [right, b] of termsOf(dim)) {
        const term = [...factorsOf(left), ...factorsOf(right)].sort().join('*');
        next.set(term, (next.get(term) ?? 0) + a * b);
      }
    result = next;
  }
  return fromTerms(new Map(result));
}

/** Canonical text: equal sizes have equal texts. */
export function showDim(dim: Dim): string {
  if (typeof dim === 'number') return String(dim);
  return [...dim.terms]
    .map(([term, coefficient]) => {
      if (term === '') return String(coefficient);
      return coefficient === 1 ? term : `${coefficient}*${term}`;
    })
    .join(' + ');
}

export const showShape = (shape: Shape): string => `[${shape.map(showDim).join(', ')}]`;

/** Equal for every value of the symbols. */
export const sameDim = (a: Dim, b: Dim): boolean => showDim(a) === showDim(b);

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((dim, axis) => sameDim(dim, b[axis]!));

/** The size under given symbols. Throws `TypeError` for a symbol without a value ≥ 1. */
export function evaluate(dim: Dim, symbols: Symbols): number {
  let total = 0;
  for (const [term, coefficient] of termsOf(dim)) {
    let value = coefficient;
    for (const name of factorsOf(term)) {
      const size = symbols[name];
      if (size === undefined || !Number.isInteger(size) || size < 1)
        throw new TypeError(`symbol ${name} must be a positive integer, got ${size}`);
      value *= size;
    }
    total += value;
  }
  return total;
}

export const evaluateShape = (shape: Shape, symbols: Symbols): number[] =>
  shape.map((dim) => evaluate(dim, symbols));

/**
 * The shape of an elementwise operation: trailing axes are aligned, a size of 1 repeats. Throws when two
 * sizes are not the same for every value of the symbols.
 */
export function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[a.length - rank + axis] ?? 1;
    const right = b[b.length - rank + axis] ?? 1;
    if (left === 1) return right;
    if (right === 1 || sameDim(left, right)) return left;
    throw new Error(`shapes ${showShape(a)} and ${showShape(b)} do not fit together`);
  });
}
