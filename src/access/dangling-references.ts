import { didYouMean, type Mistake } from '../platform/mistakes.ts';
import { type AccessFile, everyServer, type ToolOverrides } from './contract.ts';
import { variableMistakes } from './dangling-variables.ts';
import { tooLongNames } from './tool-texts.ts';

/**
 * Everything in the file that names a server, group, tenant or variable which the file does not define, and names of
 * tools that do not fit beside the id of their server. Pure.
 */
export function danglingReferences(file: AccessFile): Mistake[] {
  return [
    ...inServers(file),
    ...inTenants(file),
    ...inGroups(file),
    ...inUsers(file),
    ...variableMistakes(file),
  ];
}

function inServers(file: AccessFile): Mistake[] {
  return Object.entries(file.mcpServers).flatMap(([id, { toolOverrides = {} }]) =>
    longNames(id, toolOverrides, ['mcpServers', id, 'toolOverrides']),
  );
}

function longNames(server: string, overrides: ToolOverrides, path: Mistake['path']): Mistake[] {
  return tooLongNames(server, overrides).map(({ tool, room }) => ({
    path: [...path, tool, 'name'],
    message: `is too long: tools of the server ${server} may have names of ${room} characters`,
  }));
}

function inTenants(file: AccessFile): Mistake[] {
  return Object.entries(file.tenants).flatMap(([id, { endpoints, variables = {} }]) => [
    ...unknownServers(file, endpoints, ['tenants', id, 'endpoints']),
    ...Object.keys(variables)
      .filter((server) => server !== everyServer)
      .flatMap((server) => unknown(file, 'server', server, ['tenants', id, 'variables', server])),
  ]);
}

function inGroups(file: AccessFile): Mistake[] {
  return Object.entries(file.groups).flatMap(([name, group]) => [
    ...unknownTenant(file, group.tenant, ['groups', name, 'tenant']),
    ...unknownServers(file, group.servers, ['groups', name, 'servers']),
    ...unknownServers(file, group.toolOverrides ?? {}, ['groups', name, 'toolOverrides']),
    ...Object.entries(group.toolOverrides ?? {}).flatMap(([server, overrides]) =>
      longNames(server, overrides, ['groups', name, 'toolOverrides', server]),
    ),
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
