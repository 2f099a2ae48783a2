import { isObject } from '../rpc/message.ts';
import type { Sealer } from '../../platform/sealer.ts';

/**
 * What the gate must know when a client comes back with its answers (2026-07-28 basic/patterns/mrtr.mdx). It travels
 * sealed through the client, so it is bound to everything that it is good for.
 */
export interface RequestState {
  /** `parked`: the server still waits. `again`: nothing waits, the request is sent anew. */
  readonly kind: 'parked' | 'again';
  /** Process and name of the parked call. */
  readonly node: string;
  readonly id: string;
  readonly principal: string;
  /** Server that the call went to. */
  readonly server: string;
  /** Of method, server, tenant and params. */
  readonly digest: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Key in `inputRequests` -> digest of the question. */
  readonly questions: readonly (readonly [string, string])[];
  /** Digest -> result of questions that were answered in earlier rounds, for a replay. */
  readonly answered: readonly (readonly [string, string])[];
}

const longestState = 100_000;

export function sealState(sealer: Sealer, state: RequestState): string {
  return sealer.seal(JSON.stringify(state));
}

/** The state, if it is one that the gate made; its binding is the caller's to check. */
export function openState(sealer: Sealer, sealed: string): RequestState | undefined {
  const text = sealed.length > longestState ? undefined : sealer.open(sealed);
  if (text === undefined) return undefined;
  const parsed: unknown = JSON.parse(text);
  return isObject(parsed) ? (parsed as unknown as RequestState) : undefined; // authenticated: only sealState wrote it
}
