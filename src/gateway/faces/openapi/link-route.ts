import { writeAudit } from '../../../audit/index.ts';
import { AppError } from '../../../platform/errors.ts';
import { type Route, route } from '../../../platform/contract.ts';
import type { Db } from '../../../platform/db/index.ts';
import type { Gate } from '../../call.ts';
import { api } from '../../contract.ts';
import { linkPath, linkPurpose } from './link.ts';

/**
 * Lets an admin make links to documents. Nothing of a link is stored but who made it, so nothing is to be undone but what it
 * is about.
 */
export function linkRoute(gate: Gate, { db, publicUrl }: { db: Db; publicUrl: string }): Route {
  return route(api.createOpenApiLink, async ({ body, actor }) => {
    const { tenant = null, group = null, server = null } = body;
    const snapshot = gate.snapshot();
    if (tenant !== null && !snapshot.tenants.has(tenant)) throw gone('tenant', tenant);
    if (group !== null && !snapshot.groups.has(group)) throw gone('group', group);
    if (server !== null && !snapshot.servers.has(server)) throw gone('server', server);
    await writeAudit(db, {
      actor: actor.id,
      action: 'openapi_link.create',
      targetKind: group === null ? 'server' : 'group',
      targetId: group ?? server ?? '',
      tenant,
      after: { tenant, group, server },
      requestId: actor.requestId,
      clientIp: actor.clientIp,
    });
    return { url: publicUrl + linkPath({ tenant, group, server }, gate.sealerFor(linkPurpose)) };
  });
}

function gone(noun: 'tenant' | 'group' | 'server', id: string): AppError {
  return new AppError(`${noun}_not_found`, 404, `There is no ${noun} "${id}".`);
}
