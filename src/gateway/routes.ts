import { writeAudit } from '../audit/index.ts';
import { type Actor, type Route, route } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Gate } from './call.ts';
import { api } from './contract.ts';
import { explainCredentials } from './explain-credential.ts';
import { linkRoute } from './faces/openapi/link-route.ts';
import type { Known } from './lists/known.ts';
import { namesGiven } from './lists/names-given.ts';
import { type AsWhom, targetAs } from './reach-as.ts';
import { upstreamFailed } from './refusals.ts';
import { isObject } from './rpc/message.ts';
import type { Target } from './upstreams/target.ts';

/** What an admin may ask the data plane: a server's tools, whether it can be reached, and whose keys it would get. */
export function gatewayRoutes(gate: Gate, o: { db: Db; publicUrl: string }): Route[] {
  return [
    route(api.listServerTools, async ({ params: { id }, query, actor }) => {
      const target = targetAs(gate, id, query);
      await recordEyes(o.db, id, query, actor);
      const known = await gate.lists.reload(target, 'legacy', '{}').catch((error: unknown) => {
        throw new AppError('upstream_unavailable', 502, upstreamFailed(id, error).message, { cause: error });
      });
      return { items: toolsOf(gate, known), nextCursor: null };
    }),
    route(api.testServer, async ({ params: { id }, query, actor }) => {
      const target = targetAs(gate, id, query);
      await recordEyes(o.db, id, query, actor);
      return testServer(gate, id, target);
    }),
    route(api.explainCredential, async ({ params: { id }, query }) => explainCredentials(gate, id, query)),
    linkRoute(gate, o),
  ];
}

/** An administrator used what may be somebody's own key, and that somebody may ask who did. */
async function recordEyes(db: Db, id: string, { user, tenant }: AsWhom, actor: Actor): Promise<void> {
  if (user === undefined) return;
  await writeAudit(db, {
    ...{
      actor: actor.id,
      action: 'server.test_as',
      targetKind: 'server',
      targetId: id,
      tenant: tenant ?? null,
    },
    ...{ before: null, after: { user }, requestId: actor.requestId, clientIp: actor.clientIp },
  });
}

async function testServer(gate: Gate, id: string, target: Target) {
  const began = gate.clock();
  const nothing = { era: null, protocolVersion: null, name: null, tools: 0 };
  try {
    const known = await gate.lists.reload(target, 'legacy', '{}');
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
