/** Whether a request may come from the page, and to the host name, that it says. */
export interface OriginGuard {
  check(host: string | undefined, origin: string | undefined): OriginVerdict;
}

export type OriginVerdict =
  | {
      readonly ok: true;
      readonly headers: readonly (readonly [string, string])[];
      /** A page of another site: what it sends itself counts, what the browser adds on its own does not. */
      readonly isForeign?: true;
    }
  | { readonly ok: false; readonly message: string };

const nothing: OriginVerdict = { ok: true, headers: [] };
const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Protection against DNS rebinding and foreign pages (MCP basic/transports/streamable-http.mdx, Security): a
 * server on a loopback address answers only to loopback names and its public one; a page may call only from its
 * own origin or one on the list. `allowed` may be `*`, which opens CORS to all without cookies.
 */
export function createOriginGuard(o: {
  bindHost: string;
  publicUrl: string;
  allowed: readonly string[];
}): OriginGuard {
  const publicUrl = new URL(o.publicUrl);
  const isLoopback = o.bindHost === '127.0.0.1' || o.bindHost === '::1' || o.bindHost === 'localhost';
  const mayName = (host: string) =>
    loopbackNames.has(hostname(host)) || hostname(host) === publicUrl.hostname;
  return {
    check(host, origin) {
      if (isLoopback && (host === undefined || !mayName(host))) {
        return {
          ok: false,
          message: 'This address is not one that this server answers to; set PUBLIC_URL to the one it has.',
        };
      }
      if (origin === undefined || origin === publicUrl.origin) return nothing;
      // Cookies belong to a host name, not to a port: another program's page on this machine would bring ours along.
      const whose = URL.parse(origin)?.host === host ? {} : ({ isForeign: true } as const);
      if (o.allowed.includes(origin)) return { ok: true, headers: corsHeaders(origin), ...whose };
      if (o.allowed.includes('*')) return { ok: true, headers: corsHeaders('*'), ...whose };
      if (isLoopback && isLoopbackOrigin(origin)) return { ...nothing, ...whose };
      return {
        ok: false,
        message: 'Pages of this origin may not call this server; add the origin to CORS_ALLOWED_ORIGINS.',
      };
    },
  };
}

function corsHeaders(origin: string): readonly (readonly [string, string])[] {
  return [
    ['access-control-allow-origin', origin],
    ['vary', 'origin'],
    ['access-control-allow-methods', 'GET, POST, DELETE, OPTIONS'],
    [
      'access-control-allow-headers',
      'authorization, content-type, accept, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name',
    ],
    [
      'access-control-expose-headers',
      'mcp-session-id, www-authenticate, x-request-id, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset, ratelimit-policy',
    ],
    ['access-control-max-age', '600'],
  ];
}

function isLoopbackOrigin(origin: string): boolean {
  return URL.canParse(origin) && loopbackNames.has(new URL(origin).hostname);
}

/** Host header without the port. */
function hostname(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase();
}
