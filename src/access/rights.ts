import { createHash } from 'node:crypto';
import { decide } from './can.ts';
import type { Principal, ServerId, TenantId } from './contract.ts';
import type { Snapshot, SnapshotServer } from './snapshot.ts';
import { adminGroupOf, grantsOn, type Standing, standingOf, tenantsOf } from './standing.ts';

/** Everything a principal may see, worked out once and then looked up. */
export interface Rights {
  readonly disabled: boolean;
  readonly admin: boolean;
  /** Names of the groups that count, sorted. */
  readonly groups: readonly string[];
  /** Sorted by id; disabled tenants do not count. */
  readonly tenants: readonly TenantId[];
  /** Servers for which can() says yes, sorted by id. */
  readonly servers: readonly ServerId[];
  /**
   * Equal for two principals only when can() answers them alike about every server and tool, whoever they are
   * and whichever snapshot they were looked up in: lists can be kept by it.
   */
  readonly signature: string;
}

// A memo of a pure function: it dies with the standings, and those with their snapshot.
const memo = new WeakMap<Standing, Rights>();

/** The rights of a principal at `now` (milliseconds since the epoch). A map look-up after the first time. */
export function rightsOf(snapshot: Snapshot, principal: Principal, now: number): Rights {
  const standing = standingOf(snapshot, principal, now);
  const known = memo.get(standing);
  if (known !== undefined) return known;
  const rights = workOut(snapshot, principal, standing);
  memo.set(standing, rights);
  return rights;
}

function workOut(snapshot: Snapshot, principal: Principal, standing: Standing): Rights {
  const servers = [...snapshot.servers.values()].filter(
    ({ id }) => decide(snapshot, standing, { server: id }).allow,
  );
  return {
    disabled: standing.disabled,
    admin: !standing.disabled && adminGroupOf(standing) !== undefined,
    groups: [...standing.groups].map((group) => group.name).sort(),
    tenants: tenantsOf(snapshot, principal, standing).map((tenant) => tenant.id),
    servers: servers.map((server) => server.id),
    signature: signatureOf(standing, servers),
  };
}

/** All that can() decides by, for each server that it lets be seen: the server's own rule and the rules granted of it. */
function signatureOf(standing: Standing, servers: readonly SnapshotServer[]): string {
  const admin = adminGroupOf(standing) !== undefined;
  const held = servers.map(({ id, rule }) => {
    const keys = new Set(grantsOn(standing, id).map((grant) => grant.rule.key));
    return [id, rule.key, admin || keys.has(everything) ? [everything] : [...keys].sort()];
  });
  return createHash('sha256').update(JSON.stringify(held)).digest('base64url');
}

/** The key of the pattern list `*`: beside it no other list adds anything. */
const everything = JSON.stringify(['*']);
