import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { AppError } from '../platform/errors.ts';

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
 * Why a request may not see what only operators' systems see; undefined: it may. With a token, whoever sends it; without
 * one, this machine alone, and only while nothing looks like a proxy in front: there may be one that adds no header, but
 * then people use another address.
 */
export function monitors(o: {
  readonly token: string | undefined;
  readonly publicUrl: string;
}): (req: IncomingMessage) => AppError | undefined {
  const digest = o.token === undefined ? undefined : sha256(o.token);
  const isLocal = isLoopbackName(new URL(o.publicUrl).hostname);
  return (req) => {
    if (digest) return sends(req, digest) ? undefined : unauthenticated();
    return isLocal && comesDirectly(req) ? undefined : closed();
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
