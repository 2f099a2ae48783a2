import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { createNetGuard, type NetGuard } from './net-guard.ts';

export interface GuardedInit {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** An origin that the operator wrote himself: reached wherever it is, and without TLS. */
  readonly trustedOrigin?: string | null | undefined;
}

/** Fetches from addresses that a stranger named. */
export interface GuardedFetch {
  /**
   * The whole answer. https only, unless the operator allowed the private address or wrote the origin himself; every
   * address is judged when it is connected to. A GET follows redirects within its origin, nothing follows others.
   * Rejects with a FetchFailed.
   */
  fetch(url: string, init?: GuardedInit): Promise<Response>;
  close(): Promise<void>;
}

export type FetchFailure = 'not_allowed' | 'insecure' | 'unreachable' | 'timeout' | 'too_large' | 'protocol';

/** `message` completes "<host> …" and quotes nothing that was received. */
export class FetchFailed extends Error {
  readonly kind: FetchFailure;
  readonly host: string;

  constructor(kind: FetchFailure, host: string, cause?: unknown) {
    super(sentences[kind], { cause });
    this.name = 'FetchFailed';
    this.kind = kind;
    this.host = host;
  }
}

const sentences: Readonly<Record<FetchFailure, string>> = {
  not_allowed: 'is at an address that the gate may not reach (config file: network.allow)',
  insecure: 'is not reached over https',
  unreachable: 'cannot be reached',
  timeout: 'did not answer in time',
  too_large: 'answered with more than the gate takes',
  protocol: 'answered with something that is no plain HTTP answer',
};

const mostRedirects = 3;
const refused = 'guarded_fetch_refused';
const publicOnly = createNetGuard({ allow: [] });

export function createGuardedFetch(o: {
  readonly guard: NetGuard;
  readonly maxBytes?: number;
  readonly deadlineMs?: number;
}): GuardedFetch {
  const maxBytes = o.maxBytes ?? 256 * 1024;
  const deadlineMs = o.deadlineMs ?? 10_000;
  // Without TLS only what the operator allowed in particular: no public address.
  const agents = {
    tls: agent(o.guard, () => true, deadlineMs),
    plain: agent(o.guard, (address) => !publicOnly.allows(address), deadlineMs),
    trusted: new Agent({ connect: { timeout: deadlineMs }, connections: 8 }),
  };
  const agentFor = (url: URL, trustedOrigin: string | null | undefined): Agent => {
    if (url.origin === trustedOrigin) return agents.trusted;
    return url.protocol === 'https:' ? agents.tls : agents.plain;
  };
  return {
    async fetch(text, init = {}) {
      let url = checked(text);
      for (let redirects = 0; ; redirects += 1) {
        const dispatcher = agentFor(url, init.trustedOrigin);
        const response = await once(url, init, { dispatcher, maxBytes, deadlineMs });
        const next = redirects < mostRedirects ? followed(url, response, init) : undefined;
        if (!next) return response;
        url = next;
      }
    },
    close: async () => void (await Promise.all(Object.values(agents).map((one) => one.destroy()))),
  };
}

function checked(text: string): URL {
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) throw new FetchFailed('insecure', '');
  if (url.username || url.password) throw new FetchFailed('not_allowed', url.host);
  return url;
}

/** Where a redirect of a GET leads, when that is on the same origin. */
function followed(url: URL, response: Response, init: GuardedInit): URL | undefined {
  const location = response.headers.get('location');
  if ((init.method ?? 'GET') !== 'GET' || response.status < 300 || response.status > 399) return undefined;
  const next = location === null ? null : URL.parse(location, url.href);
  return next?.origin === url.origin ? next : undefined;
}

/** Connections to what `guard` and `allows` let through; addresses are judged at the moment of connecting. */
function agent(guard: NetGuard, allows: (address: string) => boolean, timeout: number): Agent {
  const connect = buildConnector({ timeout, lookup: onlyAllowed(guard.lookup, allows) });
  return new Agent({
    connections: 8,
    connect: (options, callback) => {
      const host = options.hostname.replace(/^\[|\]$/g, '');
      // No name is looked up for a host that is an address already.
      if (isIP(host) === 0) return connect(options, callback);
      if (!guard.allows(host)) return callback(refusal('not_allowed'), null);
      return allows(host) ? connect(options, callback) : callback(refusal('insecure'), null);
    },
  });
}

function onlyAllowed(lookup: LookupFunction, allows: (address: string) => boolean): LookupFunction {
  return (host, options, callback) =>
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '', 0);
      const all = (typeof found === 'string' ? [{ address: found, family: isIP(found) }] : found).filter(
        ({ address }) => allows(address),
      );
      const [first] = all;
      if (!first) return callback(refusal('insecure'), '', 0);
      return options.all ? callback(null, all) : callback(null, first.address, first.family);
    });
}

function refusal(kind: 'not_allowed' | 'insecure'): NodeJS.ErrnoException {
  return Object.assign(new Error('this address may not be reached'), { code: `${refused}_${kind}` });
}

interface Way {
  readonly dispatcher: Dispatcher;
  readonly maxBytes: number;
  readonly deadlineMs: number;
}

async function once(
  url: URL,
  init: GuardedInit,
  { dispatcher, maxBytes, deadlineMs }: Way,
): Promise<Response> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(new FetchFailed('timeout', url.host)), deadlineMs);
  try {
    const { statusCode, headers, body } = await dispatcher.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: init.method ?? 'GET',
      headers: { 'user-agent': 'toolgate', 'accept-encoding': 'identity', ...init.headers },
      body: init.body ?? null,
      signal: stop.signal,
    });
    const bytes = await readAll(body, maxBytes, url.host);
    if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity')
      throw new FetchFailed('protocol', url.host);
    const nothing = statusCode === 204 || statusCode === 205 || statusCode === 304;
    return new Response(nothing ? null : bytes, { status: statusCode, headers: listed(headers) });
  } catch (error) {
    throw error instanceof FetchFailed ? error : failureOf(error, url);
  } finally {
    clearTimeout(timer);
  }
}

async function readAll(
  body: AsyncIterable<Buffer>,
  maxBytes: number,
  host: string,
): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Leaving the loop destroys the stream, and the connection with it.
    if (size > maxBytes) throw new FetchFailed('too_large', host);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function listed(headers: Readonly<Record<string, string | string[] | undefined>>): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, one]),
  );
}

function failureOf(error: unknown, url: URL): FetchFailed {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === `${refused}_insecure`) return new FetchFailed('insecure', url.host, error);
  if (code === `${refused}_not_allowed` || code === 'url_not_allowed')
    return new FetchFailed('not_allowed', url.host, error);
  if (/TIMEOUT/.test(code)) return new FetchFailed('timeout', url.host, error);
  if (/^(HPE_|UND_ERR_(INVALID|HEADERS_OVERFLOW|REQ_CONTENT|RES_CONTENT))/.test(code))
    return new FetchFailed('protocol', url.host, error);
  return new FetchFailed('unreachable', url.host, error);
}
