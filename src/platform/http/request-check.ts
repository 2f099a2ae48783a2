// Requests that two programs could read in two ways. Node's parser refuses most of them; these are the rest.
import type { IncomingMessage } from 'node:http';
import { AppError } from '../errors.ts';

const longestTarget = 16 * 1024;
const mostHeaders = 200;

/** Headers that decide something. Node believes the first of several, and a proxy in front may believe the last. */
const single: ReadonlySet<string> = new Set([
  'host',
  'origin',
  'authorization',
  'content-type',
  'transfer-encoding',
  'mcp-session-id',
]);
const lengths: ReadonlySet<number> = new Set([...single].map((name) => name.length));

/** RFC 3986 section 3.2.2: a name or an address, and a port; no user, no path. */
const hostPattern = /^(?:[\w.~!$&'()*+,;=%-]+|\[[\da-fA-F:.]+\])(?::\d{0,5})?$/;
/** `.` and `..` as a segment, however they are written. */
const dotSegment = /(?:\/|%2f|%5c)(?:\.|%2e){1,2}(?:\/|%2f|%5c|$)/i;
const encodedControl = /%(?:[01][\da-f]|7f)/i;

/** Why a request is not looked into; undefined for nearly all. `path` is its target without the query. */
export function unfit(req: IncomingMessage, path: string): AppError | undefined {
  return unfitHead(req) ?? unfitTarget(req.url ?? '', path);
}

function unfitHead({ rawHeaders, headers, httpVersion, method }: IncomingMessage): AppError | undefined {
  if (rawHeaders.length > 2 * mostHeaders)
    return new AppError('headers_too_many', 431, `A request has at most ${mostHeaders} headers.`);
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    return ambiguous('is in a version of HTTP that is not spoken here');
  // It echoes what it is sent, cookies too, and nobody needs it (RFC 9110 section 9.3.8).
  if (method === 'TRACE') return new AppError('method_not_allowed', 405, 'TRACE is not answered here.');
  const twice = repeated(rawHeaders);
  if (twice !== undefined) return ambiguous(`has the header ${twice} more than once`);
  if (headers.host === undefined ? httpVersion === '1.1' : !hostPattern.test(headers.host))
    return ambiguous('does not name its host as it must');
  const encoding = headers['transfer-encoding'];
  // RFC 9112 section 6.1: unknown in HTTP/1.0, and a proxy may not know any other than `chunked`.
  if (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || httpVersion === '1.0'))
    return ambiguous('has a body whose end is not clear');
  return undefined;
}

function repeated(rawHeaders: readonly string[]): string | undefined {
  let seen: Set<string> | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const raw = rawHeaders[at] ?? '';
    if (!lengths.has(raw.length)) continue;
    const name = raw.toLowerCase();
    if (!single.has(name)) continue;
    if (seen?.has(name)) return name;
    seen = (seen ?? new Set()).add(name);
  }
  return undefined;
}

function unfitTarget(target: string, path: string): AppError | undefined {
  if (target.length > longestTarget)
    return new AppError('url_too_long', 414, `The address is longer than ${longestTarget} characters.`);
  // `http://other/…`, `*` and the like are for proxies, and for nobody behind one.
  if (!path.startsWith('/') || path.startsWith('//') || target.includes('#'))
    return ambiguous('asks for something that is no path of this server');
  // Some programs make a slash of it; no path has one by right (RFC 3986 section 3.3).
  if (path.includes('\\')) return ambiguous('has a backslash in its path, which is written %5C');
  if (!path.includes('%') && !path.includes('/.')) return undefined;
  if (dotSegment.test(path) || encodedControl.test(path))
    return ambiguous('has a path that another program could read as another one');
  return undefined;
}

function ambiguous(why: string): AppError {
  return new AppError('request_ambiguous', 400, `This request ${why}.`);
}
