import type { Document } from './document.ts';

/** A page for people that lists the operations of a document. It runs no scripts and loads nothing. */
export function docsPage({ title, operations }: Document): string {
  const rows = operations.map(
    ({ path, operationId, description }) =>
      `<tr><td><code>POST ${escaped(path)}</code></td><td><code>${escaped(operationId)}</code></td><td>${escaped(description)}</td></tr>`,
  );
  return [
    '<!doctype html>',
    '<html lang="en">',
    `<head><meta charset="utf-8"><title>${escaped(title)}</title><style>${style}</style></head>`,
    `<body><h1>${escaped(title)}</h1>`,
    '<p>Each operation takes its arguments as a JSON object. The whole description is in <code>openapi.json</code> beside this page.</p>',
    '<table><thead><tr><th>operation</th><th>name</th><th>what it does</th></tr></thead>',
    `<tbody>${rows.join('\n')}</tbody></table>`,
    '</body></html>',
    '',
  ].join('\n');
}

const style =
  'body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}' +
  'td,th{text-align:left;vertical-align:top;padding:.3rem 1rem .3rem 0;white-space:pre-wrap}code{white-space:nowrap}';

/** What a server says of itself is text, whatever it looks like. */
function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
