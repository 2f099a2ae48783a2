import type { Db } from '../platform/db/index.ts';
import { asWritten } from './as-written.ts';
import {
  type AccessFile,
  everyServer,
  groupToolOverrides,
  managedBy,
  serverDefinition,
  type Server,
  type ServerId,
  type StoredOrigin,
  storedOrigin,
  type TenantId,
  type ToolOverrides,
} from './contract.ts';
import { compileToolPatterns, type ToolRule } from './patterns.ts';
import { append, index, nested } from './snapshot-index.ts';
import { snapshotRows, type SnapshotRows } from './snapshot-store.ts';

/** The immutable picture that the data plane decides from. Maps of servers, tenants and groups are sorted by id. */
export interface Snapshot {
  readonly servers: ReadonlyMap<string, SnapshotServer>;
  readonly tenants: ReadonlyMap<string, Tenant>;
  readonly groups: ReadonlyMap<string, Group>;
  /** People by e-mail and services by `service:<name>`. */
  readonly members: ReadonlyMap<string, Member>;
  /** `*@acme.com` members by domain: `acme.com`. */
  readonly patterns: ReadonlyMap<string, Member>;
  /** Groups by the id that an identity provider has for them; two groups may share one. */
  readonly groupsByExternalId: ReadonlyMap<string, readonly Group[]>;
  /** Tenants whose `emailDomains` hold the domain. */
  readonly tenantsByDomain: ReadonlyMap<string, readonly Tenant[]>;
  /** The user whom a provider calls (issuer, subject). */
  readonly memberByIdentity: (issuer: string, subject: string) => Member | undefined;
  /** Where a server is for one tenant, when that is not the server's own URL. */
  readonly endpointOf: (tenant: string, server: string) => Endpoint | undefined;
  /** What a variable stands for in a server, for one tenant: its value for the server, else its value for every server. */
  readonly variableOf: (tenant: string, server: string, name: string) => Variable | undefined;
  /** Servers that had to be left out, each with a sentence that says why; empty when all is well. */
  readonly problems: readonly Problem[];
}

export interface Endpoint {
  readonly url: string;
  /** `file`: the operator wrote it himself, so it may lead into a private network. */
  readonly managedBy: Server['managedBy'];
}

export interface Variable {
  readonly value: string;
  /** Who wrote it, as of an endpoint. */
  readonly managedBy: Server['managedBy'];
}

export interface Problem {
  readonly server: string;
  readonly message: string;
}

export interface SnapshotServer extends Server {
  /** The server's own `tools`, which narrow it for everyone; everything when it has none. */
  readonly rule: ToolRule;
  /** Where it was installed from; null when not from the catalog. */
  readonly origin: StoredOrigin | null;
}

export interface Tenant {
  readonly id: TenantId;
  readonly displayName: string;
  readonly emailDomains: readonly string[];
  readonly enabled: boolean;
  readonly managedBy: Server['managedBy'];
}

export interface Group {
  readonly name: string;
  readonly displayName: string;
  readonly admin: boolean;
  readonly tenant: TenantId | null;
  readonly externalIds: readonly string[];
  readonly grants: Grants;
  /** Other names and descriptions of tools, by server, for its members. */
  readonly toolOverrides: Readonly<Record<string, ToolOverrides>>;
}

/** Server id to what is granted of it. */
export type Grants = ReadonlyMap<string, ToolRule>;

/** Whoever can be in a group or hold a grant: a person, a `*@domain` pattern, a service. */
export interface Member {
  readonly id: string;
  readonly disabled: boolean;
  readonly defaultTenant: TenantId | null;
  readonly memberships: readonly Membership[];
  readonly grants: Grants;
  /** Who the identity providers say this person is. */
  readonly identities: readonly Identity[];
}

export interface Identity {
  readonly issuer: string;
  readonly subject: string;
}

export interface Membership {
  readonly group: Group;
  readonly source: string;
  /** Milliseconds since the epoch, or null: until somebody ends it. */
  readonly expiresAt: number | null;
}

/** Reads the whole picture. With `files`, rows count as the config file's only where one of them says the same. One row that no longer makes sense is left out and told in `problems`. */
export async function loadSnapshot(db: Db, files?: readonly AccessFile[]): Promise<Snapshot> {
  const rows = await snapshotRows(db);
  return buildSnapshot(files === undefined ? rows : asWritten(rows, files));
}

/** Pure: rows in, picture out. Equal pattern lists and memberships are stored once, however many hold them. */
export function buildSnapshot(rows: SnapshotRows): Snapshot {
  const problems: Problem[] = [];
  const servers = serversOf(rows, problems);
  // The database checks the shape of every tenant id, which is what makes this brand true.
  const tenants = new Map(
    rows.tenants.map((row): [string, Tenant] => [
      row.id,
      {
        id: row.id as TenantId,
        displayName: row.display_name,
        emailDomains: row.email_domains,
        enabled: row.enabled,
        managedBy: row.managed_by === 'file' ? 'file' : 'admin',
      },
    ]),
  );
  const rules = ruleCache();
  const groups = groupsOf(rows, grantsByHolder(rows.groupGrants, rules));
  const all = membersOf(rows, groups, grantsByHolder(rows.userGrants, rules));
  const members = new Map([...all].filter(([id]) => !id.startsWith('*@')));
  const patterns = new Map(
    [...all].filter(([id]) => id.startsWith('*@')).map(([id, member]) => [id.slice(2), member]),
  );
  const identities = nested(rows.identities.map((row) => [row.issuer, row.subject, row.user_email]));
  const endpoints = nested(rows.endpoints.map((row) => [row.tenant_id, row.server_id, endpointFrom(row)]));
  return {
    servers,
    tenants,
    groups,
    members,
    patterns,
    groupsByExternalId: index(groups.values(), (group) => group.externalIds),
    tenantsByDomain: index(tenants.values(), (tenant) => tenant.emailDomains),
    memberByIdentity: (issuer, subject) => members.get(identities.get(issuer)?.get(subject) ?? ''),
    endpointOf: (tenant, server) => endpoints.get(tenant)?.get(server),
    variableOf: variablesOf(rows),
    problems,
  };
}

const nothing: readonly never[] = [];
const noGrants: Grants = new Map();

function serversOf(rows: SnapshotRows, problems: Problem[]): Map<string, SnapshotServer> {
  const servers = new Map<string, SnapshotServer>();
  for (const row of rows.servers) {
    const parsed = serverDefinition.safeParse(row.definition);
    if (!parsed.success) {
      const message = `The stored definition of the server ${row.id} cannot be read, so nobody can use it; delete it and add it again.`;
      problems.push({ server: row.id, message });
      continue;
    }
    // The column is what runbooks and the admin API switch; the definition only repeats it.
    const definition = { ...parsed.data, enabled: row.enabled };
    servers.set(row.id, {
      id: row.id as ServerId, // The database checks the shape of every server id.
      definition,
      managedBy: managedBy.parse(row.managed_by),
      updatedAt: row.updated_at,
      rule: compileToolPatterns(definition.tools ?? ['*']),
      origin: storedOrigin.safeParse(row.origin).data ?? null,
    });
  }
  return servers;
}

function groupsOf(rows: SnapshotRows, grants: ReadonlyMap<string, Grants>): Map<string, Group> {
  return new Map(
    rows.groups.map((row) => [
      row.name,
      {
        name: row.name,
        displayName: row.display_name,
        admin: row.is_admin,
        tenant: row.tenant_id as TenantId | null, // A foreign key to ids whose shape is checked.
        externalIds: row.external_ids,
        grants: grants.get(row.name) ?? noGrants,
        // Texts only, so a row that no longer makes sense costs its texts and nothing else.
        toolOverrides: groupToolOverrides.catch({}).parse(row.tool_overrides),
      },
    ]),
  );
}

function membersOf(
  rows: SnapshotRows,
  groups: ReadonlyMap<string, Group>,
  grants: ReadonlyMap<string, Grants>,
): Map<string, Member> {
  const memberships = new Map<string, Membership[]>();
  const lasting = new Map<string, Membership>();
  for (const row of rows.memberships) {
    const group = groups.get(row.group_name);
    if (group !== undefined)
      append(memberships, row.user_email, shared(lasting, group, row.source, row.expires_at));
  }
  const identities = new Map<string, Identity[]>();
  for (const { user_email, issuer, subject } of rows.identities)
    append(identities, user_email, { issuer, subject });
  return new Map(
    rows.users.map((row) => [
      row.email,
      {
        id: row.email,
        disabled: row.disabled,
        defaultTenant: row.default_tenant as TenantId | null, // A foreign key to ids whose shape is checked.
        memberships: memberships.get(row.email) ?? nothing,
        grants: grants.get(row.email) ?? noGrants,
        identities: identities.get(row.email) ?? nothing,
      },
    ]),
  );
}

/** 60,000 memberships are mostly a few groups times a few sources that never expire. */
function shared(
  lasting: Map<string, Membership>,
  group: Group,
  source: string,
  expires: Date | null,
): Membership {
  if (expires !== null) return { group, source, expiresAt: expires.getTime() };
  const key = `${source}\n${group.name}`;
  const known = lasting.get(key) ?? { group, source, expiresAt: null };
  lasting.set(key, known);
  return known;
}

function grantsByHolder(
  rows: SnapshotRows['groupGrants'],
  rule: (tools: readonly string[]) => ToolRule,
): Map<string, Map<string, ToolRule>> {
  const byHolder = new Map<string, Map<string, ToolRule>>();
  for (const row of rows) {
    const held = byHolder.get(row.holder) ?? new Map<string, ToolRule>();
    byHolder.set(row.holder, held.set(row.server_id, rule(row.tools)));
  }
  return byHolder;
}

function ruleCache(): (tools: readonly string[]) => ToolRule {
  const rules = new Map<string, ToolRule>();
  return (tools) => {
    const key = JSON.stringify(tools);
    const rule = rules.get(key) ?? compileToolPatterns(tools);
    rules.set(key, rule);
    return rule;
  };
}

function endpointFrom(row: SnapshotRows['endpoints'][number]): Endpoint {
  return { url: row.endpoint_url, managedBy: row.source === 'file' ? 'file' : 'admin' };
}

function variablesOf({ variables }: SnapshotRows): Snapshot['variableOf'] {
  const placeOf = (server: string, name: string) => `${server} ${name}`; // Neither holds a space.
  const found = nested(
    variables.map((row): [string, string, Variable] => [
      row.tenant_id,
      placeOf(row.server_id ?? everyServer, row.name),
      { value: row.value, managedBy: row.source === 'file' ? 'file' : 'admin' },
    ]),
  );
  return (tenant, server, name) => {
    const own = found.get(tenant);
    return own?.get(placeOf(server, name)) ?? own?.get(placeOf(everyServer, name));
  };
}
