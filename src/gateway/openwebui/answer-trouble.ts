import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../../platform/errors.ts';
import { html } from '../../platform/html/html.ts';
import { sendPage } from '../../platform/html/page.ts';
import { sendJson } from '../../platform/http/server.ts';
import { isUpgrade } from '../../platform/http/upgrade.ts';
import { Refusal } from '../refusal.ts';

const titles: Readonly<Record<number, string>> = {
  403: 'You cannot come in',
  429: 'Too many requests',
  502: 'Open WebUI is not there',
  503: 'Open WebUI is not there',
  504: 'Open WebUI is not there',
};

/** A page for whoever asked for one, JSON for programs; `detail` is where Open WebUI's own pages look for the sentence. */
export function answerTrouble(
  error: unknown,
  { req, res, requestId }: { req: IncomingMessage; res: ServerResponse; requestId: string },
): void {
  if (res.headersSent || res.destroyed) return void res.destroy();
  const shown = error instanceof Refusal || error instanceof AppError ? error : undefined;
  const status = shown?.status ?? 500;
  const code = shown?.code ?? 'internal_error';
  const message = shown?.message ?? 'Something went wrong here; try again in a moment.';
  if (!req.complete) {
    // Nobody reads the rest of it.
    res.shouldKeepAlive = false;
    req.resume();
  }
  const headers = headersOf(shown);
  if (wantsPage(req)) {
    const body = html`<p class="note bad" role="alert">${message}</p><p class="soft">Request ${requestId}</p>`;
    return sendPage(res, status, { title: titles[status] ?? 'That did not work', body }, headers);
  }
  sendJson(res, status, { error: { code, message, requestId }, detail: message }, headers);
}

function headersOf(error: Refusal | AppError | undefined): Record<string, string> {
  const own = error instanceof AppError ? error.headers : {};
  const { retryAfter } = (error instanceof Refusal && isWait(error.data) && error.data) || {};
  const wait = retryAfter ?? (error?.status === 503 ? 10 : undefined);
  return { 'cache-control': 'no-store', ...own, ...(wait !== undefined && { 'retry-after': String(wait) }) };
}

function isWait(data: unknown): data is { retryAfter: number } {
  return (
    typeof data === 'object' && data !== null && 'retryAfter' in data && typeof data.retryAfter === 'number'
  );
}

function wantsPage(req: IncomingMessage): boolean {
  const isReading = req.method === 'GET' || req.method === 'HEAD';
  return isReading && !isUpgrade(req) && /\btext\/html\b/.test(req.headers.accept ?? '');
}
