import { didYouMean, type Mistake } from '../platform/mistakes.ts';
import { type AccessFile, everyServer, ownVariable, type ServerId, type TenantId } from './contract.ts';
import { fillIn, type Place } from './filled.ts';
import { faultInText, faultInUrl, variableNames } from './placeholders.ts';
import type { Variable } from './snapshot.ts';

type ServerEntry = AccessFile['mcpServers'][ServerId];
type TenantEntry = AccessFile['tenants'][TenantId];
type Path = Mistake['path'];

/** A text of the file that may hold placeholders. */
interface Text {
  readonly text: string;
  readonly path: Path;
  readonly isUrl: boolean;
}

/**
 * Placeholders of the file that are misspelled, variables that nothing in the file gives a value to, and values that
 * do not fit where they would stand. Pure.
 */
export function variableMistakes(file: AccessFile): Mistake[] {
  const servers = Object.entries(file.mcpServers);
  const tenants = Object.entries(file.tenants);
  return [
    ...servers.flatMap(([id, server]) => textsOf(id, server).flatMap(faultsIn)),
    ...tenants.flatMap(([id, tenant]) => endpointsOf(id, tenant).flatMap(faultsIn)),
    ...servers.flatMap(([id, server]) => undeclared(file, id, server)),
    ...tenants.flatMap(([id, tenant]) => unset(file, id, tenant)),
    ...servers.flatMap(([id, server]) => unfit(file, id, server)),
  ];
}

function textsOf(id: string, server: ServerEntry): Text[] {
  const at = (key: string, texts: Readonly<Record<string, string>> | readonly string[]) =>
    Object.entries(texts).map(([name, text]) => ({
      text,
      path: ['mcpServers', id, key, Array.isArray(texts) ? Number(name) : name],
      isUrl: false,
    }));
  if (server.type === 'stdio') return [...at('args', server.args), ...at('env', server.env)];
  const url = { text: server.url, path: ['mcpServers', id, 'url'], isUrl: true };
  return [url, ...at('headers', server.headers)];
}

function endpointsOf(id: string, tenant: TenantEntry): Text[] {
  return Object.entries(tenant.endpoints).map(([server, text]) => ({
    text,
    path: ['tenants', id, 'endpoints', server],
    isUrl: true,
  }));
}

function faultsIn({ text, path, isUrl }: Text): Mistake[] {
  const message = isUrl ? faultInUrl(text) : faultInText(text);
  return message === undefined ? [] : [{ path, message }];
}

/** What a server asks for must be named in its own `variables`, or have a value for some tenant. */
function undeclared(file: AccessFile, id: string, server: ServerEntry): Mistake[] {
  const named = [
    ...Object.keys(server.variables ?? {}),
    ...Object.values(file.tenants).flatMap((tenant) => namesFor(tenant, id)),
  ];
  const texts = textsOf(id, server).filter((text) => !isFaulty(text));
  return texts.flatMap(({ text, path }) =>
    variableNames([text])
      .filter((name) => name !== ownVariable && !named.includes(name))
      .map((name) => ({
        path,
        message: `asks for the variable ${JSON.stringify(name)}, which neither "variables" of the server nor a tenant names${didYouMean(name, named)}`,
      })),
  );
}

/** What a tenant's own address asks for must have a value for this very tenant. */
function unset(file: AccessFile, id: string, tenant: TenantEntry): Mistake[] {
  return Object.entries(tenant.endpoints).flatMap(([server, url]) => {
    const own = Object.entries(recordOf(file.mcpServers)[server]?.variables ?? {});
    const named = [
      ...own.flatMap(([name, value]) => (value === '' ? [] : [name])),
      ...namesFor(tenant, server),
    ];
    return variableNames([url])
      .filter((name) => name !== ownVariable && !named.includes(name))
      .map((name) => ({
        path: ['tenants', id, 'endpoints', server],
        message: `asks for the variable ${JSON.stringify(name)}, which has no value for this tenant${didYouMean(name, named)}`,
      }));
  });
}

function namesFor(tenant: TenantEntry, server: string): string[] {
  return [server, everyServer].flatMap((key) => Object.keys(valuesOf(tenant, key)));
}

function valuesOf({ variables = {} }: TenantEntry, server: string): Readonly<Record<string, string>> {
  return Object.hasOwn(variables, server) ? (variables[server] ?? {}) : {};
}

function unfit(file: AccessFile, id: string, server: ServerEntry): Mistake[] {
  const alone = mistakeWith(id, server, undefined);
  if (alone) return [alone];
  return Object.entries(file.tenants).flatMap((entry) => mistakeWith(id, server, entry) ?? []);
}

function mistakeWith(
  id: string,
  definition: ServerEntry,
  entry: readonly [string, TenantEntry] | undefined,
): Mistake | undefined {
  const place = placeOf(id, entry);
  const filled = fillIn({ definition, managedBy: 'file' }, place);
  if (filled.ok || filled.kind !== 'unfit') return undefined;
  // What is wrong with a text itself has been told.
  if ([...textsOf(id, definition), ...(entry ? endpointsOf(...entry) : [])].some(isFaulty)) return undefined;
  const texts = textsOf(id, definition).map(({ text }) => text);
  const used = variableNames([...texts, ...(place.override ? [place.override.url] : [])]);
  const names = filled.variable === undefined ? used : [filled.variable];
  return { path: givenAt(id, names, entry), message: `does not fit: the server ${id} ${filled.why}` };
}

function isFaulty(text: Text): boolean {
  return faultsIn(text).length > 0;
}

function placeOf(server: string, entry: readonly [string, TenantEntry] | undefined): Place {
  if (!entry) return { tenant: null, override: undefined, variableOf: () => undefined };
  const [id, tenant] = entry;
  const url = Object.hasOwn(tenant.endpoints, server) ? recordOf(tenant.endpoints)[server] : undefined;
  const variableOf = (name: string): Variable | undefined => {
    const given = [server, everyServer]
      .map((key) => valuesOf(tenant, key))
      .find((values) => Object.hasOwn(values, name));
    return given && { value: given[name] ?? '', managedBy: 'file' };
  };
  return {
    tenant: { id, managedBy: 'file' },
    override: url === undefined ? undefined : { url, managedBy: 'file' },
    variableOf,
  };
}

/** The same by plain ids: what a name in the file may not be is told elsewhere. */
function recordOf<T>(byId: Readonly<Record<string, T>>): Readonly<Record<string, T | undefined>> {
  return byId;
}

/** Where the value stands that is to blame; where that is not known, the first of several. */
function givenAt(
  server: string,
  names: readonly string[],
  entry: readonly [string, TenantEntry] | undefined,
): Path {
  const [id, tenant] = entry ?? [];
  for (const key of tenant ? [server, everyServer] : []) {
    const name = tenant && names.find((one) => Object.hasOwn(valuesOf(tenant, key), one));
    if (name !== undefined && id !== undefined) return ['tenants', id, 'variables', key, name];
  }
  return ['mcpServers', server, 'variables'];
}
