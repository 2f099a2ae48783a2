import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { html, type Markup } from './html.ts';
import { style } from './style.ts';

export interface Page {
  readonly title: string;
  /** Right of the name: who is signed in, and how to leave. */
  readonly who?: Markup | undefined;
  readonly body: Markup;
}

const styleHash = createHash('sha256').update(style).digest('base64');

/** Nothing is loaded, nothing runs, nobody frames the page, and forms go nowhere else. */
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${styleHash}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  // `no-referrer` would take the Origin out of the page's own forms (Fetch, "append a request Origin header"), by which
  // they are told from those of other pages.
  'referrer-policy': 'same-origin',
  'x-robots-tag': 'noindex',
  'cache-control': 'no-store',
} as const;

/** Sends a whole page. */
export function sendPage(
  res: ServerResponse,
  status: number,
  page: Page,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = documentOf(page);
  res.writeHead(status, { ...pageHeaders, 'content-length': Buffer.byteLength(text), ...headers });
  res.end(text);
}

/** Sends the browser on; `to` is an address that this program chose. */
export function redirect(res: ServerResponse, to: string): void {
  res.writeHead(303, { location: to, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }).end();
}

function documentOf({ title, who, body }: Page): string {
  // Apart from the template: the hash is of exactly this text, and it holds nothing that came from elsewhere.
  const head = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><style>${style}</style>`;
  const rest = html`<title>${title} · Toolgate</title></head>
<body>
<header><span class="brand">Toolgate</span>${who && html`<span class="who">${who}</span>`}</header>
<main>
<h1>${title}</h1>
${body}
</main>
</body></html>
`;
  return head + rest.toString();
}
