import { isDeepStrictEqual } from 'node:util';
import {
  type AccessFile,
  type ServerDefinition,
  serverDefinition,
  type ServerId,
  type TenantId,
} from './contract.ts';
import type { SnapshotRows } from './snapshot-store.ts';

/**
 * Rows say of themselves that the config file keeps them, and whoever may write the database can write that, too. Only
 * what a file really says counts as the operator's: such addresses may be private, and get values of the gate's own
 * environment. `files` are the contents in force, and one that is about to be.
 */
export function asWritten(rows: SnapshotRows, files: readonly AccessFile[]): SnapshotRows {
  return {
    ...rows,
    servers: rows.servers.map((row) =>
      row.managed_by !== 'file' || files.some((file) => saysServer(file, row))
        ? row
        : { ...row, managed_by: 'admin' },
    ),
    endpoints: rows.endpoints.map((row) =>
      row.source !== 'file' || files.some((file) => saysEndpoint(file, row))
        ? row
        : { ...row, source: 'admin' },
    ),
    variables: rows.variables.map((row) =>
      row.source !== 'file' || files.some((file) => saysVariable(file, row))
        ? row
        : { ...row, source: 'admin' },
    ),
  };
}

function saysServer({ mcpServers }: AccessFile, row: SnapshotRows['servers'][number]): boolean {
  const written = ownEntry(mcpServers, row.id as ServerId); // Only looked up by.
  const stored = serverDefinition.safeParse(row.definition);
  return written !== undefined && stored.success && isDeepStrictEqual(reachOf(stored.data), reachOf(written));
}

/** Everything of a definition that says where it leads and what goes along. */
function reachOf(definition: ServerDefinition): unknown {
  const { type, variables } = definition;
  if (definition.type === 'stdio') {
    const { command, args, env, cwd } = definition;
    return { type, command, args, env, cwd, variables };
  }
  const { url, headers, account } = definition;
  return { type, url, headers, account, variables };
}

function saysEndpoint({ tenants }: AccessFile, row: SnapshotRows['endpoints'][number]): boolean {
  const endpoints = ownEntry(tenants, row.tenant_id as TenantId)?.endpoints ?? {};
  return ownEntry(endpoints, row.server_id as ServerId) === row.endpoint_url;
}

function saysVariable({ tenants }: AccessFile, row: SnapshotRows['variables'][number]): boolean {
  const byServer: Readonly<Record<string, Readonly<Record<string, string>>>> =
    ownEntry(tenants, row.tenant_id as TenantId)?.variables ?? {};
  return ownEntry(ownEntry(byServer, row.server_id ?? '*') ?? {}, row.name) === row.value;
}

function ownEntry<K extends string, V>(record: Readonly<Partial<Record<K, V>>>, key: K): V | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
