// Links that show a document to whoever holds them: Open WebUI fetches documents once for everybody, often with no
// credential at all. A link is about one group or one server, shows what is granted at the moment, and calls nothing.
import type { Principal } from '../../../access/contract.ts';
import { AppError } from '../../../platform/errors.ts';
import type { Sealer } from '../../../platform/sealer.ts';
import type { Snapshot } from '../../../access/index.ts';
import type { CallPath } from '../../call.ts';

/** What a link shows; at least one of `group` and `server` is there. */
export interface Link {
  readonly tenant: string | null;
  readonly group: string | null;
  readonly server: string | null;
}

/** Of the sealer for links. */
export const linkPurpose = 'openapi-link';

const longestSealed = 2_000;

/** Path and query of the document that the link shows. */
export function linkPath(link: Link, sealer: Sealer): string {
  const { tenant, group, server } = link;
  const parts = [
    tenant === null ? '' : `/t/${encodeURIComponent(tenant)}`,
    group === null ? '' : `/g/${encodeURIComponent(group)}`,
    '/tools',
    server === null ? '' : `/${encodeURIComponent(server)}`,
  ];
  const sealed = sealer.seal(JSON.stringify([tenant, group, server]));
  return `${parts.join('')}/openapi.json?spec=${sealed}`;
}

/**
 * Who looks when a link is followed: nobody in particular, with the rights that the link names and no others. Throws
 * 401 for a link that was not made here, is about another path, or whose group or server is gone: the three look alike.
 */
export function followLink(sealed: string, sealer: Sealer, path: CallPath, snapshot: Snapshot): Principal {
  const link = openLink(sealed, sealer);
  const groups = link && isFor(link, path) ? groupsOf(link, snapshot) : [];
  if (!link || groups.length === 0)
    throw new AppError(
      'unauthenticated',
      401,
      'This link to a description of tools does not count (any more).',
    );
  const tenant = link.tenant === null ? undefined : snapshot.tenants.get(link.tenant);
  return {
    kind: 'service',
    // Nobody else can have this id, so no membership, grant or token is ever found under it.
    id: 'openapi-link',
    assertedGroups: groups,
    assertedBy: null,
    tokenTenant: tenant?.id ?? null,
    authSource: 'openapi-link',
    credentialId: `openapi-link:${link.group ?? link.server}`,
  };
}

function openLink(sealed: string, sealer: Sealer): Link | undefined {
  const text = sealed.length > longestSealed ? undefined : sealer.open(sealed);
  if (text === undefined) return undefined;
  const parsed: unknown = JSON.parse(text);
  const [tenant, group, server] = parsed as [string | null, string | null, string | null]; // sealed by linkPath alone
  return { tenant, group, server };
}

/** A link to all tools of a group shows those of one server as well. */
function isFor(link: Link, path: CallPath): boolean {
  const isServer = link.server === null || link.server === path.server;
  return isServer && link.tenant === path.tenant && link.group === path.group;
}

/**
 * The group; of a link that names none, those that grant the server and are no tenant but the link's: what belongs to
 * one tenant is shown to those alone whose link names it.
 */
function groupsOf({ tenant, group, server }: Link, snapshot: Snapshot): string[] {
  if (group !== null) return snapshot.groups.has(group) ? [group] : [];
  if (server === null) return [];
  return [...snapshot.groups.values()]
    .filter((one) => (one.grants.has(server) || one.admin) && (one.tenant === null || one.tenant === tenant))
    .map(({ name }) => name);
}
