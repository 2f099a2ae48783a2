import { AppError } from '../platform/errors.ts';
import { type Route, route } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import type { FoundCredential } from '../secrets/index.ts';
import type { Gate } from './call.ts';
import { api } from './contract.ts';
import { linkRoute } from './faces/openapi/link-route.ts';
import type { Known } from './lists/list-store.ts';
import { namesGiven } from './lists/names-given.ts';
import { upstreamFailed } from './refusals.ts';
import { isObject } from './rpc/message.ts';
import { makeTarget, neededCredentials, type Target } from './upstreams/target.ts';

const asWhom = 'service:toolgate';

/** What an admin may ask the data plane: a server's tools, and whether it can be reached. */
export function gatewayRoutes(gate: Gate, o: { db: Db; publicUrl: string }): Route[] {
  return [
    route(api.listServerTools, async ({ params, query }) => {
      const known = await gate.lists
        .reload(targetFor(gate, params.id, query.tenant ?? null), 'legacy', '{}')
        .catch((error: unknown) => {
          throw new AppError('upstream_unavailable', 502, upstreamFailed(params.id, error).message, {
            cause: error,
          });
        });
      return { items: toolsOf(gate, known), nextCursor: null };
    }),
    route(api.testServer, async ({ params, query }) => testServer(gate, params.id, query.tenant ?? null)),
    linkRoute(gate, o),
  ];
}

async function testServer(gate: Gate, id: string, tenant: string | null) {
  const began = gate.clock();
  const nothing = { era: null, protocolVersion: null, name: null, tools: 0 };
  try {
    const known = await gate.lists.reload(targetFor(gate, id, tenant), 'legacy', '{}');
    const tools = known.lists.get('tools')?.length ?? 0;
    const { era = null, protocolVersion = null, serverInfo } = known.hello ?? {};
    const name = isObject(serverInfo) && typeof serverInfo['name'] === 'string' ? serverInfo['name'] : null;
    return {
      ok: true,
      message: `The server answers and has ${tools} tools.`,
      era,
      protocolVersion,
      name,
      tools,
      milliseconds: gate.clock() - began,
    };
  } catch (error) {
    if (error instanceof AppError) throw error;
    return {
      ok: false,
      message: upstreamFailed(id, error).message,
      ...nothing,
      milliseconds: gate.clock() - began,
    };
  }
}

/** The server as this tenant, or as nobody in particular, reaches it. */
function targetFor(gate: Gate, id: string, tenantId: string | null): Target {
  const snapshot = gate.snapshot();
  const server = snapshot.servers.get(id);
  if (!server) throw new AppError('server_not_found', 404, `There is no server "${id}".`);
  if (!server.definition.enabled)
    throw new AppError('server_disabled', 409, `The server "${id}" is disabled; enable it first.`);
  const tenant = tenantId === null ? null : (snapshot.tenants.get(tenantId) ?? null);
  if (tenantId !== null && tenant === null)
    throw new AppError('tenant_not_found', 404, `There is no tenant "${tenantId}".`);
  const override = tenantId === null ? undefined : snapshot.endpointOf(tenantId, id);
  const credentials = new Map<string, FoundCredential>();
  for (const name of neededCredentials(server, override)) {
    const found = gate.vault.find({
      ...{ tenant: tenantId, user: null, groups: [], server: id, name },
      elsewhere: override !== undefined,
    });
    if (!found)
      throw new AppError(
        'no_credential',
        409,
        `The server "${id}" needs the key "${name}", which is not set.`,
      );
    credentials.set(name, found);
  }
  return makeTarget(server, { principal: asWhom, tenant, session: null }, override, credentials);
}

function toolsOf(gate: Gate, known: Known) {
  const items = known.lists.get('tools') ?? [];
  const given = namesGiven(gate.snapshot(), known.target.server.id, items);
  return items.map(({ key, raw }) => {
    const { warnings, ...names } = given(key);
    const tool: unknown = JSON.parse(raw);
    const { description, inputSchema } = isObject(tool) ? tool : {};
    const { flags, ...pin } = gate.pins.about(known.target, key, raw);
    return {
      name: key,
      ...names,
      warnings: [...warnings],
      description: typeof description === 'string' ? description : null,
      inputSchema: inputSchema ?? null,
      pin,
      flags: [...flags],
    };
  });
}
