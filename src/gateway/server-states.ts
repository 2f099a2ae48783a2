import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { maskUrl } from '../access/index.ts';
import type { serverState } from './contract.ts';
import type { Circuit } from './upstreams/circuit.ts';
import type { Entry } from './upstreams/make-room.ts';
import type { PoolState } from './upstreams/pool.ts';
import type { Known } from './upstreams/standing.ts';

export type ServerState = z.infer<typeof serverState>;

/** What this process knows of each server as each of its tenants and people reaches it; sorted, without secrets. */
export function serverStates({ known, entries }: PoolState): ServerState[] {
  const byStanding = Map.groupBy(entries, (entry) => placeOf(entry.target.key, entry.upstream.options.era));
  return known
    .map((one) => stateOf(one, byStanding.get(placeOf(one.target.key, one.era)) ?? []))
    .filter(({ connections, calls, lastError }) => connections > 0 || calls > 0 || lastError !== null)
    .sort((a, b) => (cursorOf(a) < cursorOf(b) ? -1 : 1));
}

/** Where a row stands in the order of all. */
export function cursorOf({ server, id }: Pick<ServerState, 'server' | 'id'>): string {
  return `${server}.${id}`;
}

function placeOf(key: string, era: string): string {
  return `${era} ${key}`;
}

function stateOf({ target, era, standing }: Known, entries: readonly Entry[]): ServerState {
  const upstreams = entries.map(({ upstream }) => upstream);
  const { definition } = target.server;
  const { calls, failures, restarts, lastError } = standing;
  return {
    // The key itself may hold a key of the server, in a URL.
    id: createHash('sha256').update(placeOf(target.key, era)).digest('hex').slice(0, 12),
    server: target.server.id,
    type: definition.type,
    url: target.url === undefined ? null : maskUrl(target.url),
    scope: scopeOf(target.scope, target.holder),
    tenant: target.scope === '' ? null : target.tenant,
    era,
    protocolVersion: upstreams.find(({ hello }) => hello)?.hello?.protocolVersion ?? null,
    connected: upstreams.some(({ hello }) => hello !== undefined),
    connections: upstreams.filter(({ connected }) => connected).length,
    inFlight: upstreams.reduce((sum, { inFlight }) => sum + inFlight, 0),
    circuit: circuitOf(standing.circuit, entries),
    lastError: lastError ? { message: lastError.message, at: iso(lastError.at) } : null,
    ...{ calls, failures, restarts },
    lastUsedAt: standing.lastUsedAt === 0 ? null : iso(standing.lastUsedAt),
    lastCheckAt: standing.lastCheckAt === 0 ? null : iso(standing.lastCheckAt),
  };
}

/** The server's own, else that of a connection which is down while no other is up. */
function circuitOf(ofServer: Circuit, entries: readonly Entry[]): ServerState['circuit'] {
  const isUp = entries.some(({ upstream }) => upstream.hello);
  const ofConnection = entries.find(({ upstream }) => !upstream.circuit.isClosed)?.upstream.circuit;
  const circuit = ofServer.isClosed && !isUp ? (ofConnection ?? ofServer) : ofServer;
  const { state, since, nextTry } = circuit;
  return {
    state,
    since: since === undefined ? null : iso(since),
    nextTry: nextTry === undefined ? null : iso(nextTry),
  };
}

/** Session ids stay inside: of a session it is told whose it is. */
function scopeOf(scope: string, holder: string | undefined): ServerState['scope'] {
  const [kind = '', ...rest] = scope.split(':');
  if (kind === 'tenant') return { kind, of: rest.join(':') };
  if (kind === 'group') return { kind, of: rest.slice(1).join(':') };
  if (kind === 'user' || kind === 'session') return { kind, of: holder ?? null };
  return { kind: 'shared', of: null };
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
