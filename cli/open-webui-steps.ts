// The connection that `toolgate openwebui install` writes, its key, and a look at what arrives through it.
import { setTimeout as sleep } from 'node:timers/promises';
import { api as audit } from '../src/audit/contract.ts';
import { api as gateway } from '../src/gateway/contract.ts';
import { api as identity } from '../src/identity/contract.ts';
import { type Call, request } from './call.ts';
import type { OpenWebUi, ToolServer } from './open-webui-api.ts';
import {
  type ConnectionKind,
  connectionFor,
  connectionId,
  mergeInto,
  pathOf,
  type Scope,
} from './open-webui-connection.ts';
import type { Forwarding } from './open-webui-settings.ts';
import { CallError, plain } from './terminal.ts';

/** One thing that was installed. */
export interface Step {
  readonly what: string;
  readonly change: 'added' | 'updated' | 'unchanged' | 'would be added' | 'would be updated' | 'failed';
  readonly detail: string;
}

export interface Ends {
  readonly owui: OpenWebUi;
  /** Toolgate's admin API. */
  readonly call: Call;
  /** Toolgate as Open WebUI reaches it. */
  readonly gateUrl: string;
  /** Toolgate as this program reaches it. */
  readonly adminUrl: string;
}

export interface ConnectionInput {
  readonly kind: ConnectionKind;
  readonly scope: Scope;
  /** A connection key that the operator brought. */
  readonly given: string | undefined;
  readonly dryRun: boolean;
}

/** Adds or renews one entry of Open WebUI's list, then has Open WebUI try it. */
export async function installConnection(ends: Ends, input: ConnectionInput): Promise<Step> {
  const { kind, scope, given, dryRun } = input;
  const id = connectionId(kind, scope);
  const what = `${kind === 'mcp' ? 'MCP' : 'OpenAPI'} connection "${id}"`;
  const url = `${ends.gateUrl}${pathOf(kind, scope)}`;
  const was = find(await ends.owui.toolServers(), id);
  const key = given ?? (await usableKey(ends.adminUrl, was));
  const document = kind === 'mcp' ? '' : await usableDocument(ends.adminUrl, scope, was);
  if (dryRun) {
    if (was === undefined) return { what, change: 'would be added', detail: url };
    const isComplete = key !== undefined && document !== undefined;
    const one = isComplete && connectionFor({ kind, gateUrl: ends.gateUrl, scope, key, document }, was);
    const same = one !== false && mergeInto([was], one).change === 'none';
    return { what, change: same ? 'unchanged' : 'would be updated', detail: url };
  }
  const ready = {
    ...{ kind, gateUrl: ends.gateUrl, scope },
    key: key ?? (await makeKey(ends, scope)),
    document: document ?? (await makeDocument(ends, scope)),
  };
  // Read again as late as possible: the whole list is replaced, and somebody else may have changed it.
  const list = await ends.owui.toolServers();
  const one = connectionFor(ready, find(list, id));
  const { list: merged, change } = mergeInto(list, one);
  if (change !== 'none') await ends.owui.saveToolServers(merged);
  const done = { add: 'added', update: 'updated', none: 'unchanged' } as const;
  return tried(ends, one, { what, change: done[change], detail: url });
}

async function tried({ owui, adminUrl }: Ends, one: ToolServer, step: Step): Promise<Step> {
  try {
    const tools = await owui.verify(one);
    const shown =
      one.type === 'mcp' ? 'gives each person their own tools' : `shows ${tools} tools to everybody`;
    return { ...step, detail: `${step.detail} answers Open WebUI, and ${shown}` };
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    // Open WebUI says no more than that it failed; what Toolgate says to us helps, unless it is well.
    const why =
      one.type === 'mcp' ? undefined : await complaint(`${adminUrl}${new URL(one.url).pathname}/${one.path}`);
    const mend = why ?? 'give --gateway-url an address that works on the machine of Open WebUI.';
    return { ...step, change: 'failed', detail: `${error.message}. Saved, but not usable: ${mend}` };
  }
}

/** Why Toolgate does not show a document; undefined when it does. */
async function complaint(url: string): Promise<string | undefined> {
  const response = await request(url);
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return undefined;
  const { detail } = Object(body);
  const said = typeof detail === 'string' ? detail : Object(detail).message;
  return typeof said === 'string' ? plain(said) : `Toolgate answers HTTP ${response.status}.`;
}

function find(list: readonly ToolServer[], id: string): ToolServer | undefined {
  return list.find(({ info }) => info?.id === id);
}

/** The key of an earlier installation, unless Toolgate does not know it any more. */
async function usableKey(adminUrl: string, was: ToolServer | undefined): Promise<string | undefined> {
  if (!was?.key) return undefined;
  const response = await request(`${adminUrl}/servers`, { headers: { authorization: `Bearer ${was.key}` } });
  await response.body?.cancel();
  return response.status === 401 ? undefined : was.key;
}

/** The link to the document of an earlier installation, while it counts. */
async function usableDocument(
  adminUrl: string,
  scope: Scope,
  was: ToolServer | undefined,
): Promise<string | undefined> {
  if (!was?.path) return undefined;
  const response = await request(`${adminUrl}${pathOf('openapi', scope)}/${was.path}`);
  await response.body?.cancel();
  return response.ok ? was.path : undefined;
}

/** Open WebUI fetches the document once for everybody, so it gets a link that shows it and calls nothing. */
async function makeDocument({ call }: Ends, { tenant, group, server }: Scope): Promise<string> {
  const body = {
    ...(tenant !== undefined && { tenant }),
    ...(group !== undefined && { group }),
    ...(server !== undefined && { server }),
  };
  const { url } = await call(gateway.createOpenApiLink, { body });
  return url.slice(url.indexOf('/openapi.json?') + 1);
}

async function makeKey({ call, owui }: Ends, { tenant }: Scope): Promise<string> {
  const name = `Open WebUI at ${new URL(owui.url).host}`.slice(0, 100);
  const body = { service: 'open-webui', name, mayForwardUsers: 'signed' as const, tenant: tenant ?? null };
  return (await call(identity.createToken, { body })).token;
}

const waitMs = 6_000;

/**
 * Has Open WebUI list the tools once, and reads in Toolgate's records whom it named. Undefined when nothing can be
 * seen: Open WebUI before 0.12, records switched off, or no admin token of Toolgate at hand.
 */
export async function seeForwarding(
  owui: OpenWebUi,
  call: Call,
  id: string,
  email: string | undefined,
): Promise<Forwarding> {
  const newest = async () => (await call(audit.listAnalytics, { query: { limit: 50 } })).items;
  const old = await newest().catch(nothingToSee);
  if (old === undefined) return undefined;
  const before = new Set(old.map((record) => record.id));
  const listed = await owui.listAsMe(id).catch((error: unknown) => {
    // Open WebUI says 502 when Toolgate refused: that is what is being looked for.
    if (error instanceof CallError) return true;
    throw error;
  });
  if (!listed) return undefined;
  for (const deadline = Date.now() + waitMs; Date.now() < deadline; await sleep(200)) {
    const seen = (await newest()).filter(
      (record) => !before.has(record.id) && record.endpoint.includes('/mcp'),
    );
    const found = seen.map(({ authSource, user, outcome }) =>
      forwardingOf({ authSource, user, outcome }, email),
    );
    const first = found.find((one) => one !== undefined);
    if (first !== undefined) return first;
  }
  return undefined;
}

function nothingToSee(error: unknown): undefined {
  if (!(error instanceof CallError)) throw error;
  return undefined;
}

function forwardingOf(
  record: { authSource: string | null; user: string | null; outcome: string },
  email: string | undefined,
): Forwarding {
  if (record.outcome === 'unauthenticated') return 'unverified';
  if (record.authSource === 'connection-key') return 'nobody';
  // Others may be calling at the same time.
  if (email !== undefined && record.user !== email.toLowerCase()) return undefined;
  if (record.authSource === 'connection-key+signed') return 'signed';
  return record.authSource === 'connection-key+plain' ? 'plain' : undefined;
}
