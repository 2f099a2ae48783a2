import { AppError } from '../../../platform/errors.ts';
import { type Route, route } from '../../../platform/contract.ts';
import type { Gate } from '../../call.ts';
import { api } from '../../contract.ts';
import { linkPath, linkPurpose } from './link.ts';

/** Lets an admin make links to documents. Nothing is stored, so nothing is to be undone but what a link is about. */
export function linkRoute(gate: Gate, publicUrl: string): Route {
  return route(api.createOpenApiLink, async ({ body, actor }) => {
    const { tenant = null, group = null, server = null } = body;
    const snapshot = gate.snapshot();
    if (tenant !== null && !snapshot.tenants.has(tenant)) throw gone('tenant', tenant);
    if (group !== null && !snapshot.groups.has(group)) throw gone('group', group);
    if (server !== null && !snapshot.servers.has(server)) throw gone('server', server);
    gate.log.info({ actor: actor.id, tenant, group, server }, 'a link to a description of tools was made');
    return { url: publicUrl + linkPath({ tenant, group, server }, gate.sealerFor(linkPurpose)) };
  });
}

function gone(noun: 'tenant' | 'group' | 'server', id: string): AppError {
  return new AppError(`${noun}_not_found`, 404, `There is no ${noun} "${id}".`);
}
