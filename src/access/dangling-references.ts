import { didYouMean, type Mistake } from '../platform/mistakes.ts';
import type { AccessFile } from './contract.ts';

/** Everything in the file that names a server, group or tenant which the file does not define. Pure. */
export function danglingReferences(file: AccessFile): Mistake[] {
  return [...inTenants(file), ...inGroups(file), ...inUsers(file)];
}

function inTenants(file: AccessFile): Mistake[] {
  return Object.entries(file.tenants).flatMap(([id, { endpoints }]) =>
    unknownServers(file, endpoints, ['tenants', id, 'endpoints']),
  );
}

function inGroups(file: AccessFile): Mistake[] {
  return Object.entries(file.groups).flatMap(([name, group]) => [
    ...unknownTenant(file, group.tenant, ['groups', name, 'tenant']),
    ...unknownServers(file, group.servers, ['groups', name, 'servers']),
  ]);
}

function inUsers(file: AccessFile): Mistake[] {
  return Object.entries(file.users).flatMap(([email, user]) => [
    ...user.groups.flatMap((group, at) => unknown(file, 'group', group, ['users', email, 'groups', at])),
    ...unknownServers(file, user.servers, ['users', email, 'servers']),
    ...unknownTenant(file, user.defaultTenant, ['users', email, 'defaultTenant']),
  ]);
}

function unknownServers(file: AccessFile, grants: object, path: Mistake['path']): Mistake[] {
  return Object.keys(grants).flatMap((server) => unknown(file, 'server', server, [...path, server]));
}

function unknownTenant(file: AccessFile, tenant: string | undefined, path: Mistake['path']): Mistake[] {
  return tenant === undefined ? [] : unknown(file, 'tenant', tenant, path);
}

const sections = { server: 'mcpServers', group: 'groups', tenant: 'tenants' } as const;

function unknown(
  file: AccessFile,
  noun: keyof typeof sections,
  id: string,
  path: Mistake['path'],
): Mistake[] {
  const section = sections[noun];
  if (Object.hasOwn(file[section], id)) return [];
  const hint = didYouMean(id, Object.keys(file[section]));
  return [{ path, message: `names the ${noun} ${JSON.stringify(id)}, which is not in "${section}"${hint}` }];
}
