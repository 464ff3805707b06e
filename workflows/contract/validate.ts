import { z } from 'zod';
import { RunConfig } from './config.ts';

export type Parsed<T> = { ok: true; value: T } | { ok: false; problems: string[] };
export type ParsedRunConfig = { ok: true; config: RunConfig } | { ok: false; problems: string[] };

type Path = readonly PropertyKey[];

/** Checks a run configuration; see `parse`. */
export function parseRunConfig(input: unknown): ParsedRunConfig {
  const parsed = parse(RunConfig, input, 'presets/demo.json');
  return parsed.ok ? { ok: true, config: parsed.value } : parsed;
}

/**
 * Checks an input against a strict schema and names every problem by its path, one sentence each; an unknown key
 * comes with the nearest valid one. Pure, so that the workflow and the client say the same.
 *
 * @param example a file that the schema accepts, for an input that is not there at all
 */
export function parse<T>(schema: z.ZodType<T>, input: unknown, example: string): Parsed<T> {
  if (input === undefined || input === null)
    return { ok: false, problems: [`no input: pass --input-file ${example}`] };
  const parsed = schema.safeParse(input);
  if (parsed.success) return { ok: true, value: parsed.data };
  const { issues } = parsed.error;
  // Unknown keys keep zod from comparing fields with each other: compare once more without them.
  const rest = issues.some(isUnknownKeys)
    ? (schema.safeParse(withoutUnknownKeys(input, issues)).error?.issues ?? [])
    : issues;
  const unknown = issues.filter(isUnknownKeys).flatMap((issue) => unknownKeyProblems(schema, issue, input));
  return { ok: false, problems: [...unknown, ...rest.map((issue) => problem(issue, input))] };
}

type Issue = z.core.$ZodIssue;
type UnknownKeys = z.core.$ZodIssueUnrecognizedKeys;

function isUnknownKeys(issue: Issue): issue is UnknownKeys {
  return issue.code === 'unrecognized_keys';
}

function problem(issue: Issue, input: unknown): string {
  const value = valueAt(input, issue.path);
  const where = written(issue.path);
  if (value === undefined) return `${where}: missing; expected ${expectation(issue)}`;
  if (issue.code === 'custom') return `${where}: ${issue.message}`;
  return `${where}: expected ${expectation(issue)}, got ${shown(value)}`;
}

/** zod's names of types, in words. */
const kinds: Record<string, string> = {
  int: 'a whole number',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  tuple: 'a list',
};

/** What zod wanted, in words that follow "expected". */
function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return kinds[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return issue.values.length === 1
        ? shown(issue.values[0])
        : `one of ${issue.values.map((value) => String(value)).join(', ')}`;
    case 'too_small':
      if (issue.origin === 'string') return 'text that is not empty';
      return `${measured(issue.origin)} ${issue.inclusive === false ? '>' : '≥'} ${String(issue.minimum)}`;
    case 'too_big':
      return `${measured(issue.origin)} ${issue.inclusive === false ? '<' : '≤'} ${String(issue.maximum)}`;
    case 'invalid_union':
      return 'options' in issue ? `one of ${(issue.options ?? []).map(String).join(', ')}` : issue.message;
    case 'invalid_format':
    case 'not_multiple_of':
    case 'unrecognized_keys':
    case 'invalid_key':
    case 'invalid_element':
    case 'custom':
      return issue.message;
  }
}

function measured(origin: string): string {
  return origin === 'array' ? 'a list of length' : 'a number';
}

function shown(value: unknown): string {
  if (typeof value === 'number') return String(value); // JSON would write NaN as null
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 40 ? text : `${text.slice(0, 37)}…`;
}

function unknownKeyProblems(schema: z.ZodType, issue: UnknownKeys, input: unknown): string[] {
  const valid = keysAt(schema, issue.path, input);
  return issue.keys.map((key) => {
    const where = written([...issue.path, key]);
    const near = nearestKey(key, valid);
    const elsewhere = isClose(key, near)
      ? undefined
      : pathsOf(schema).find((path) => isClose(key, String(path.at(-1))));
    return `${where}: unknown key; the nearest valid one is '${elsewhere ? written(elsewhere) : near}'`;
  });
}

/** The candidate with the smallest edit distance, letter case aside; there is at least one. */
export function nearestKey(key: string, candidates: readonly string[]): string {
  const distance = (candidate: string) => editDistance(key.toLowerCase(), candidate.toLowerCase());
  return candidates.reduce((best, candidate) => (distance(candidate) < distance(best) ? candidate : best));
}

function isClose(key: string, candidate: string): boolean {
  return editDistance(key.toLowerCase(), candidate.toLowerCase()) <= Math.max(2, key.length / 3);
}

/** Levenshtein: insertions, deletions and replacements that turn one text into the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= to.length; column++)
      next[column] = Math.min(
        (row[column] ?? 0) + 1,
        (next[column - 1] ?? 0) + 1,
        (row[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1),
      );
    row = next;
  }
  return row[to.length] ?? 0;
}

/** Keys the schema allows at a path of this input; the input decides between the members of a union. */
function keysAt(schema: unknown, path: Path, input: unknown): string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable)
    return keysAt(schema.unwrap(), path, input);
  if (schema instanceof z.ZodDiscriminatedUnion)
    return keysAt(memberFor(schema, input) ?? schema.options[0], path, input);
  const [key, ...deeper] = path;
  if (key === undefined) return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  return keysAt(below(schema, key), deeper, valueAt(input, [key]));
}

/** What the schema wants under a key of an object, a record or a list. */
function below(schema: unknown, key: PropertyKey): unknown {
  if (schema instanceof z.ZodObject) return schema.shape[String(key)];
  if (schema instanceof z.ZodRecord) return schema.valueType;
  if (schema instanceof z.ZodArray) return schema.element;
  return undefined;
}

function memberFor(union: z.ZodDiscriminatedUnion, input: unknown): unknown {
  const { discriminator } = union.def;
  const name = valueAt(input, [discriminator]);
  return union.options.find(
    (option) => option instanceof z.ZodObject && (option.shape[discriminator] as z.ZodLiteral).value === name,
  );
}

/** Every path the schema knows, outermost first. */
function pathsOf(schema: unknown, at: Path = []): Path[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return pathsOf(schema.unwrap(), at);
  if (schema instanceof z.ZodDiscriminatedUnion)
    return schema.options.flatMap((option) => pathsOf(option, at));
  if (!(schema instanceof z.ZodObject)) return [];
  const keys = Object.entries(schema.shape).map(([key, value]) => ({ path: [...at, key], value }));
  return [...keys.map(({ path }) => path), ...keys.flatMap(({ path, value }) => pathsOf(value, path))];
}

function valueAt(input: unknown, path: Path): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function withoutUnknownKeys(input: unknown, issues: readonly Issue[]): unknown {
  const copy: unknown = clonePlain(input);
  for (const issue of issues.filter(isUnknownKeys)) {
    const parent = valueAt(copy, issue.path) as Record<string, unknown>;
    for (const key of issue.keys) delete parent[key];
  }
  return copy;
}

/** Plain data only; unlike a JSON round trip it keeps NaN. `structuredClone` is not in the workflow sandbox. */
function clonePlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clonePlain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, clonePlain(item)]));
}

/** `['training', 'lora', 'targets', 0]` → `training.lora.targets[0]`; the whole input is `config`. */
function written(path: Path): string {
  if (path.length === 0) return 'config';
  return path
    .map((key, index) =>
      typeof key === 'number' ? `[${key}]` : index === 0 ? String(key) : `.${String(key)}`,
    )
    .join('');
}
