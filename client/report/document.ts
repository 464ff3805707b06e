import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Html, html } from './html.ts';

const style = readFileSync(new URL('./page.css', import.meta.url), 'utf8');

/** What stands at the top of a page: what kind it is, of what, and facts about that. */
export interface Head {
  kind: string;
  name: string;
  facts: readonly (readonly [name: string, value: string | Html])[];
}

/**
 * A page that needs nothing else. It may run its own script (none when left out) and load nothing: model text cannot
 * get out of its element.
 *
 * @param parts what follows the head, in order, between `<header>` and the end of the body.
 */
export function page({ kind, name, facts }: Head, parts: Html, script?: string): string {
  const policy = [
    "default-src 'none'; style-src 'unsafe-inline'",
    ...(script === undefined
      ? []
      : [`script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`]),
  ].join('; ');
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <title>${name} · Reiterate</title>
        <style>
          ${new Html(style)}
        </style>
      </head>
      <body>
        <header>
          <p class="kind">Reiterate · ${kind}</p>
          <h1>${name}</h1>
          <dl>
            ${facts.map(
              ([fact, value]) =>
                html`<div>
                  <dt>${fact}</dt>
                  <dd>${value}</dd>
                </div>`,
            )}
          </dl>
        </header>
        ${parts} ${script !== undefined && new Html(`<script>${script}</script>`)}
      </body>
    </html>`.markup;
}
