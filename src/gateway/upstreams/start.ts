import { type Connector, UpstreamError } from '../connectors/contract.ts';
import { type Hello, legacyHandshake, modernHandshake } from './handshake.ts';
import type { UpstreamOptions } from './upstream-options.ts';

type Starting = Pick<UpstreamOptions, 'name' | 'era' | 'capabilities' | 'startTimeoutMs'>;

/** The handshake of the era, within the time that a start may take. */
export async function start(connector: Connector, o: Starting): Promise<Hello> {
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(noAnswerWithin(o.name, o.startTimeoutMs)),
    o.startTimeoutMs,
  );
  const shake = o.era === 'modern' ? modernHandshake : legacyHandshake;
  try {
    return await shake(connector, o.capabilities, controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Why it did not start, in words that may be shown. */
export function failureToStart(name: string, cause: unknown): UpstreamError {
  if (cause instanceof UpstreamError) return cause;
  return new UpstreamError('unreachable', `The server "${name}" cannot be reached.`, { cause });
}

export function noAnswerWithin(name: string, milliseconds: number): UpstreamError {
  const seconds = milliseconds / 1000;
  return new UpstreamError('timeout', `The server "${name}" gave no answer within ${seconds} s.`);
}

export function wasClosed(name: string): UpstreamError {
  return new UpstreamError('closed', `The connection to "${name}" was closed.`);
}
