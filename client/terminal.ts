/** How results reach people and machines: results on stdout, notes and progress on stderr. */

/** A result: the command's stdout. */
export function print(...lines: string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** With `--json` this is all that stdout gets. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Something worth saying that is not the result: stderr. */
export function note(...lines: string[]): void {
  process.stderr.write(`${lines.join('\n')}\n`);
}

/** Columns to write in: at most 80, so that lines stay readable in logs and wide terminals. */
export function width(): number {
  return Math.min(80, process.stdout.columns || 80);
}

export interface Column {
  title: string;
  align: 'left' | 'right';
}

/** Aligned text with a heading; cells are plain text. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ title }, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align }, column) => {
        const cell = cells[column] ?? '';
        const size = widths[column] ?? 0;
        return align === 'right' ? cell.padStart(size) : cell.padEnd(size);
      })
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}

/** `name   value` lines, values aligned; names take at least `nameSize` columns. */
export function fields(pairs: readonly (readonly [name: string, value: string])[], nameSize = 0): string[] {
  const size = Math.max(nameSize, ...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(size)}  ${value}`);
}

/** `48s`, `3m 07s`, `1h 02m`, `2d 03h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${two(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${two(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
}

/** `12,345`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** `██████░░░░` for a share in [0, 1]. */
export function bar(share: number, size: number): string {
  const filled = Math.round(Math.max(0, Math.min(1, share)) * size);
  return '█'.repeat(filled) + '░'.repeat(size - filled);
}

/** Cuts a text to `size` columns; an ellipsis says that it was cut. */
export function clip(text: string, size: number): string {
  return text.length <= size ? text : `${text.slice(0, Math.max(0, size - 1))}…`;
}

/** `42.0 %` for a share in [0, 1]. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** `17:42:05`, local time. */
export function clock(timeMs = Date.now()): string {
  return new Date(timeMs).toTimeString().slice(0, 8);
}

/** `20250131-174205-061`, local time to the millisecond: two commands that begin at once get two names. */
export function timestamp(): string {
  const now = new Date();
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  return `${date}-${time}-${String(now.getMilliseconds()).padStart(3, '0')}`;
}
