import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { AppError } from '../platform/errors.ts';
import { type Mount, sendJson } from '../platform/http/server.ts';
import type { Metrics, MetricsPicture } from '../platform/metrics/metrics.ts';

export interface MetricsDeps {
  readonly metrics: Metrics;
  /** What opens them; undefined: they are for this machine alone. */
  readonly token: string | undefined;
  readonly publicUrl: string;
  /** The other processes that serve with this one on this machine; their numbers are added. */
  readonly others?: () => Promise<readonly MetricsPicture[]>;
}

/** Whoever is behind a proxy on this machine comes from this machine too. */
const forwarding = [
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'forwarded',
  'via',
];

/**
 * `GET /metrics`, for Prometheus. With a token, for whoever sends it; without one, for this machine alone, and only
 * while nothing looks like a proxy in front: there may be one that adds no header, but then people use another address.
 */
export function metricsMount({ metrics, token, publicUrl, others }: MetricsDeps): Mount {
  const digest = token === undefined ? undefined : sha256(token);
  const isLocal = isLoopbackName(new URL(publicUrl).hostname);
  const refusalOf = (req: IncomingMessage) => {
    if (digest) return sends(req, digest) ? undefined : unauthenticated();
    return isLocal && comesDirectly(req) ? undefined : closed();
  };
  return {
    takes: (path) => path === '/metrics',
    async serve(req, res, { requestId }) {
      const refusal = refusalOf(req);
      if (refusal) {
        const { code, message, status, headers } = refusal;
        return sendJson(res, status, { error: { code, message, requestId } }, headers);
      }
      const text = await metrics.text(await others?.());
      res.writeHead(200, { 'content-type': metrics.contentType, 'content-length': Buffer.byteLength(text) });
      res.end(req.method === 'HEAD' ? undefined : text);
    },
  };
}

function sends({ headers }: IncomingMessage, digest: Buffer): boolean {
  const [, given] = /^bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
  return given !== undefined && timingSafeEqual(sha256(given), digest);
}

function unauthenticated(): AppError {
  return new AppError('metrics_unauthenticated', 401, 'Send METRICS_TOKEN as a bearer token.', {
    headers: { 'www-authenticate': 'Bearer' },
  });
}

function closed(): AppError {
  const message =
    'Metrics are for this machine alone; set METRICS_TOKEN and send it as a bearer token to read them from elsewhere or through a proxy.';
  return new AppError('metrics_closed', 403, message);
}

function comesDirectly({ socket, headers }: IncomingMessage): boolean {
  const peer = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  const isHere = peer === '::1' || /^127\.\d+\.\d+\.\d+$/.test(peer);
  return isHere && !forwarding.some((name) => headers[name] !== undefined);
}

function isLoopbackName(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function sha256(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
