/**
 * A value at a dotted path of plain data, set without touching what was given: `training.learningRate`. What is not an
 * object on the way becomes one.
 */
export function withSetting(target: unknown, path: string, value: unknown): unknown {
  return withValue(target, path.split('.'), value);
}

function withValue(target: unknown, [key, ...deeper]: string[], value: unknown): unknown {
  if (key === undefined) return value;
  const object = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {};
  return { ...object, [key]: withValue((object as Record<string, unknown>)[key], deeper, value) };
}
