// Which keys servers ask for, and where: what the feature that stores them cannot know.
import { type Filled, filledFor, type Snapshot, type SnapshotServer } from '../access/index.ts';
import { credentialNames, type EnvPlace, type Needs, type ServerNeeds } from '../secrets/index.ts';
import { headersOf } from './connect/account-headers.ts';

/** Where a client secret of the gate is kept: the name that `account` settings of a server give it. */
const clientSecret = 'oauth-client-secret';

/** A name of an environment that an entry of the catalog takes a secret from. */
export interface CatalogName {
  readonly entry: string;
  /** The id that a server of this entry usually gets. */
  readonly server: string;
  readonly env: string;
}

export function wantedKeys(
  snapshot: () => Snapshot,
  catalogNames: () => readonly CatalogName[] = () => [],
): Needs {
  return {
    forTenant: (tenant) => needsFor(snapshot(), tenant),
    namesOf: (server) => namesOf(snapshot(), server),
    envPlaces: () => envPlaces([...snapshot().servers.values()], catalogNames()),
  };
}

function needsFor(snapshot: Snapshot, tenant: string | null): ServerNeeds[] {
  const granted = grantedServers(snapshot);
  return [...snapshot.servers.values()].map((server) => {
    const { id, definition } = server;
    const account = definition.type === 'stdio' ? undefined : definition.account;
    const names = new Map(usesOf(textsFor(snapshot, server, tenant)));
    if (account && account.kind !== 'oauth' && account.kind !== 'signed')
      names.set(clientSecret, ['account']);
    return {
      ...{ server: id, displayName: definition.displayName ?? id, enabled: definition.enabled },
      ...{ granted: granted.has(id), names },
      // Whoever connects an account needs no key.
      optional: account ? ['default'] : [],
    };
  });
}

/** Of every tenant: a tenant's own address may ask for names that the definition does not. */
function namesOf(snapshot: Snapshot, id: string): readonly string[] | undefined {
  const server = snapshot.servers.get(id);
  if (server === undefined) return undefined;
  const own = [...snapshot.tenants.keys()].flatMap((tenant) => snapshot.endpointOf(tenant, id)?.url ?? []);
  const texts = [...textsOf(server), ...own.map((url) => ({ where: 'url', text: url }))];
  const hasAccount = server.definition.type !== 'stdio' && server.definition.account !== undefined;
  return [...new Set([...usesOf(texts).keys(), ...(hasAccount ? [clientSecret] : [])])].sort();
}

function grantedServers({ groups, members, patterns }: Snapshot): Set<string> {
  const holders = [...groups.values(), ...members.values(), ...patterns.values()];
  return new Set(holders.flatMap(({ grants }) => (grants.size === 0 ? [] : [...grants.keys()])));
}

interface Text {
  /** For people: `header Authorization`. */
  readonly where: string;
  readonly text: string;
}

function textsFor(snapshot: Snapshot, server: SnapshotServer, tenant: string | null): Text[] {
  const filled = filledFor(snapshot, server, tenant === null ? null : (snapshot.tenants.get(tenant) ?? null));
  return filled.ok ? filledTexts(server, filled) : textsOf(server);
}

function textsOf(server: SnapshotServer): Text[] {
  const { definition } = server;
  if (definition.type === 'stdio')
    return [...argumentTexts(definition.args), ...named('variable', definition.env)];
  const { url, headers } = definition;
  return [{ where: 'url', text: url }, ...named('header', headersOf(server, headers, url))];
}

function filledTexts(server: SnapshotServer, { url, headers, args, env }: Filled): Text[] {
  const own = url === undefined ? [] : [{ where: 'url', text: url }];
  const sent = named('header', headersOf(server, headers, url));
  return [...own, ...sent, ...argumentTexts(args), ...named('variable', env)];
}

function named(kind: string, texts: Readonly<Record<string, string>>): Text[] {
  return Object.entries(texts).map(([name, text]) => ({ where: `${kind} ${name}`, text }));
}

function argumentTexts(args: readonly string[]): Text[] {
  return args.map((text, at) => ({ where: `argument ${at + 1}`, text }));
}

/** Names of credentials, and where they are asked for. What cannot be understood asks for none. */
function usesOf(texts: readonly Text[]): Map<string, string[]> {
  const uses = new Map<string, string[]>();
  for (const { where, text } of texts) {
    for (const name of namesIn(text)) uses.set(name, [...(uses.get(name) ?? []), where]);
  }
  return uses;
}

function namesIn(text: string): string[] {
  try {
    return credentialNames([text]);
  } catch {
    return [];
  }
}

/** A text that is one credential and what stands around it. */
const aroundOne = /^(.*?)\$\{credential(?::([A-Za-z0-9_.-]{1,64}))?\}(.*)$/s;

/**
 * Which keys the names of a `.env` file stand for: what definitions say themselves, then what the catalog says of the
 * server, then what such names are usually made of. What was said first of a name and a server holds.
 */
function envPlaces(servers: readonly SnapshotServer[], catalog: readonly CatalogName[]): EnvPlace[] {
  const found = new Map<string, EnvPlace>();
  const all = [
    ...servers.flatMap(environmentOf),
    ...servers.flatMap(envReferences),
    ...catalog.flatMap((name) => catalogPlaces(name, servers)),
    ...servers.flatMap(usualNames),
  ];
  for (const place of all) {
    const key = `${place.server} ${place.env}`;
    if (!found.has(key)) found.set(key, place);
  }
  return [...found.values()];
}

function environmentOf({ id, definition }: SnapshotServer): EnvPlace[] {
  const env = definition.type === 'stdio' ? definition.env : {};
  return Object.entries(env).flatMap(([name, text]) => {
    const [, before = '', key = 'default', after = ''] = aroundOne.exec(text) ?? [];
    if (namesIn(text).length !== 1 || (before + after).includes('${') || !aroundOne.test(text)) return [];
    return [{ ...placeOf(id, name, key), before, after }];
  });
}

function envReferences(server: SnapshotServer): EnvPlace[] {
  const texts = textsOf(server).map(({ text }) => text);
  const used = texts.flatMap((text) => [...text.matchAll(/(?<!\$)\$\{env:([^}]+)\}/g)]);
  const names = [...new Set(used.map(([, name = '']) => name))];
  return names.map((env) => {
    const name = names.length === 1 && usesOf(textsOf(server)).size === 0 ? 'default' : env;
    const written = name === 'default' ? '${credential}' : `\${credential:${name}}`;
    const note = `The definition of ${server.id} takes it from the environment: write ${written} there instead of \${env:${env}}.`;
    return { ...placeOf(server.id, env, name), note };
  });
}

function catalogPlaces({ entry, server, env }: CatalogName, servers: readonly SnapshotServer[]): EnvPlace[] {
  const installed = servers.filter(({ id, origin }) => id === server || origin?.entry === entry);
  if (installed.length === 0) return [{ ...placeOf(server, env, 'default'), exists: false }];
  return installed.flatMap((one) => onlyName(one).map((name) => placeOf(one.id, env, name)));
}

/** What comes after the name of a server in the names that most programs give its key. */
const endings = [
  'TOKEN',
  'API_KEY',
  'API_TOKEN',
  'KEY',
  'BOT_TOKEN',
  'ACCESS_TOKEN',
  'PERSONAL_ACCESS_TOKEN',
  'PAT',
];

function usualNames(server: SnapshotServer): EnvPlace[] {
  const begin = server.id.toUpperCase().replaceAll('-', '_');
  const note = `Taken for the key of ${server.id} because of its name.`;
  return onlyName(server).flatMap((name) =>
    endings.map((ending) => ({ ...placeOf(server.id, `${begin}_${ending}`, name), note })),
  );
}

/** Of a server that asks for several keys nobody knows which one is meant. */
function onlyName(server: SnapshotServer): string[] {
  const names = [...usesOf(textsOf(server)).keys()];
  return names.length === 1 ? names : [];
}

function placeOf(server: string, env: string, name: string): EnvPlace {
  return { env, server, name, before: '', after: '', note: null, exists: true };
}
