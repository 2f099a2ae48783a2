import { createHash } from 'node:crypto';
import { decide } from './can.ts';
import type { Principal, ServerId, TenantId } from './contract.ts';
import type { Snapshot, SnapshotServer } from './snapshot.ts';
import { adminGroupOf, grantsOn, type Standing, standingOf, tenantsOf } from './standing.ts';
import { overridesOn, type ToolTexts, textsFrom } from './tool-texts.ts';

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
  /** By server: other names and descriptions of its tools. Servers without any are left out. */
  readonly texts: ReadonlyMap<string, ToolTexts>;
  /**
   * Equal for two principals only when can() answers them alike about every server and tool, and they are told the
   * same of them, whoever they are and whichever snapshot they were looked up in: lists can be kept by it.
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
  const texts = textsOf(servers, standing);
  return {
    disabled: standing.disabled,
    admin: !standing.disabled && adminGroupOf({ groups: standing.memberOf }) !== undefined,
    groups: [...standing.groups].map((group) => group.name).sort(),
    tenants: tenantsOf(snapshot, principal, standing).map((tenant) => tenant.id),
    servers: servers.map((server) => server.id),
    texts,
    signature: signatureOf(standing, servers, texts),
  };
}

function textsOf(servers: readonly SnapshotServer[], standing: Standing): Map<string, ToolTexts> {
  const texts = new Map<string, ToolTexts>();
  for (const server of servers) {
    const own = textsFrom(overridesOn(server, standing));
    if (own !== undefined) texts.set(server.id, own);
  }
  return texts;
}

/**
 * All that can() decides by, for each server that it lets be seen: the server's own rule and the rules granted of it.
 * Beside it what is told of the tools.
 */
function signatureOf(
  standing: Standing,
  servers: readonly SnapshotServer[],
  texts: ReadonlyMap<string, ToolTexts>,
): string {
  const admin = adminGroupOf(standing) !== undefined;
  const held = servers.map(({ id, rule }) => {
    const keys = new Set(grantsOn(standing, id).map((grant) => grant.rule.key));
    const granted = admin || keys.has(everything) ? [everything] : [...keys].sort();
    return [id, rule.key, granted, texts.get(id)?.key];
  });
  return createHash('sha256').update(JSON.stringify(held)).digest('base64url');
}

/** The key of the pattern list `*`: beside it no other list adds anything. */
const everything = JSON.stringify(['*']);
