import type { IncomingHttpHeaders } from 'node:http';
import { readChallenge } from '../../secrets/index.ts';
import { UpstreamError } from './contract.ts';

/** What an HTTP status that brings no answer means. */
export function statusError(
  name: string,
  { statusCode: status, headers }: { readonly statusCode: number; readonly headers: IncomingHttpHeaders },
): UpstreamError {
  const scopes = status === 403 ? wantedScopes(headers) : undefined;
  if (scopes) {
    const message = `The server "${name}" wants further permissions for this (HTTP 403).`;
    return new UpstreamError('unauthorized', message, { status, scopes });
  }
  if (status === 401 || status === 403) {
    const message = `The server "${name}" refused the gate’s credential (HTTP ${status}).`;
    return new UpstreamError('unauthorized', message, { status });
  }
  if (status >= 300 && status < 400) {
    const message = `The server "${name}" redirects elsewhere (HTTP ${status}), which the gate does not follow.`;
    return new UpstreamError('http_status', message, { status });
  }
  const what = status === 200 ? 'something that is neither JSON nor an event stream' : `HTTP ${status}`;
  const retryAfterMs = retryAfter(headers['retry-after']);
  return new UpstreamError('http_status', `The server "${name}" answered with ${what}.`, {
    status,
    retryAfterMs,
  });
}

/** What a 403 asks to be granted first (RFC 6750 3.1, `insufficient_scope`); undefined where it is of another kind. */
export function wantedScopes(headers: IncomingHttpHeaders): readonly string[] | undefined {
  const challenge = [headers['www-authenticate'] ?? []].flat().join(', ');
  const { error, scopes } = readChallenge(challenge);
  return error === 'insufficient_scope' ? scopes : undefined;
}

/** Seconds, or a date (RFC 9110 10.2.3); undefined for what is neither. */
function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const until = Date.parse(value);
  return Number.isNaN(until) ? undefined : Math.max(0, until - Date.now());
}
