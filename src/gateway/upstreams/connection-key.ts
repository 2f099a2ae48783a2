import type { Era } from '../rpc/protocol.ts';
import { sharedCapabilities } from './extensions.ts';
import type { Target } from './target.ts';

/** Two callers with the same key share a connection: what a client can do is fixed when one is made in the legacy era. */
export function keyOf(target: Target, era: Era, capabilities: string): string {
  if (era === 'modern') return `modern|${target.key}`;
  return `legacy|${sharedCapabilities(target.server.definition, capabilities)}|${target.key}`;
}
