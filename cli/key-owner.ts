import { type Command, Option } from 'commander';
import type { z } from 'zod';
import { api, type keyView } from '../src/secrets/contract.ts';
import type { Call } from './call.ts';

export interface OwnerOptions {
  readonly tenant?: string;
  readonly group?: string;
  readonly user?: string;
}

/** Adds the options that say whose keys are meant. */
export function ofOwner(command: Command): Command {
  return command
    .option('--tenant <id>', 'of a tenant; with --user, the only tenant that it is used for')
    .addOption(new Option('--group <name>', 'of a group').conflicts(['tenant', 'user']))
    .option('--user <email>', 'of a person, or of service:<name>');
}

/** Whose keys the options mean, for people. */
export function wordsFor({ tenant, group, user }: OwnerOptions): string {
  if (user !== undefined) return `${user}${tenant === undefined ? '' : ` in the tenant ${tenant}`}`;
  if (group !== undefined) return `the group ${group}`;
  return tenant === undefined ? 'everybody' : `the tenant ${tenant}`;
}

interface Key {
  readonly server: string;
  readonly name: string;
}

export function listKeys(
  call: Call,
  { tenant, group, user }: OwnerOptions,
): Promise<{ items: z.infer<typeof keyView>[] }> {
  if (user !== undefined) return call(api.listUserKeys, { params: { email: user }, query: { tenant } });
  if (group !== undefined) return call(api.listGroupKeys, { params: { name: group } });
  if (tenant !== undefined) return call(api.listTenantKeys, { params: { id: tenant } });
  return call(api.listSharedKeys);
}

export function setKey(
  call: Call,
  { tenant, group, user }: OwnerOptions,
  { server, name }: Key,
  value: string,
): Promise<{ warnings: string[] }> {
  const body = { name, value };
  if (user !== undefined)
    return call(api.putUserKey, { params: { email: user, server }, query: { tenant }, body });
  if (group !== undefined) return call(api.putGroupKey, { params: { name: group, server }, body });
  if (tenant !== undefined) return call(api.putTenantKey, { params: { id: tenant, server }, body });
  return call(api.putSharedKey, { params: { server }, body });
}

export function removeKey(
  call: Call,
  { tenant, group, user }: OwnerOptions,
  { server, name }: Key,
): Promise<unknown> {
  if (user !== undefined)
    return call(api.deleteUserKey, { params: { email: user, server }, query: { tenant, name } });
  if (group !== undefined)
    return call(api.deleteGroupKey, { params: { name: group, server }, query: { name } });
  if (tenant !== undefined)
    return call(api.deleteTenantKey, { params: { id: tenant, server }, query: { name } });
  return call(api.deleteSharedKey, { params: { server }, query: { name } });
}
