import { didYouMean, type Mistake } from '../../platform/mistakes.ts';
import type { RateLimitsFile } from '../contract.ts';

/** The parts of the config file that limits name. */
interface File {
  readonly rateLimits: RateLimitsFile;
  readonly mcpServers: object;
  readonly groups: object;
  readonly tenants: object;
}

/** Limits of servers, groups and tenants that the file does not define. People appear by themselves. Pure. */
export function danglingLimits(file: File): Mistake[] {
  const { servers, groups, tenants, tools } = file.rateLimits;
  const ofServers = Object.keys(servers).map((id) => ['servers', id, 'server', 'mcpServers', id] as const);
  const ofTools = Object.keys(tools).map((name) => {
    const server = name.slice(0, name.indexOf('__'));
    return ['tools', name, 'server', 'mcpServers', server] as const;
  });
  const ofGroups = Object.keys(groups).map((id) => ['groups', id, 'group', 'groups', id] as const);
  const ofTenants = Object.keys(tenants).map((id) => ['tenants', id, 'tenant', 'tenants', id] as const);
  return [...ofServers, ...ofTools, ...ofGroups, ...ofTenants].flatMap(([part, key, noun, section, id]) => {
    if (Object.hasOwn(file[section], id)) return [];
    const hint = didYouMean(id, Object.keys(file[section]));
    const message = `names the ${noun} ${JSON.stringify(id)}, which is not in "${section}"${hint}`;
    return [{ path: ['rateLimits', part, key], message }];
  });
}
