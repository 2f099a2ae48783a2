import { type Actor, type Route, route } from '../platform/contract.ts';
import type { z } from 'zod';
import { api, type ServerDefinition, serverDefinition, type serverPatch } from './contract.ts';
import { type Edit, edit, existing, type RouteDeps } from './edit.ts';
import { checkServer, fittingServer, lookUp, refusePlaceholders } from './check-addresses.ts';
import { alreadyExists, keptInFile, notARemoteServer, notFound, serverUnreadable } from './errors.ts';
import { refuseEnv } from './refuse-env.ts';
import { refuseLongNames } from './refuse-long-names.ts';
import * as store from './servers-store.ts';

export function serversRoutes(deps: RouteDeps): Route[] {
  const change: Change = (actor, action, id, act) =>
    edit(deps, { actor, action, id, find: store.findServer, show: store.viewOf, change: act });
  return [...readServers(deps), createServer(deps, change), patchServer(deps, change), deleteServer(change)];
}

type Change = (
  actor: Actor,
  action: `server.${string}`,
  id: string,
  act: Edit<store.StoredServer>['change'],
) => Promise<store.StoredServer | undefined>;

type Patch = z.infer<typeof serverPatch>;

function readServers({ db }: RouteDeps): Route[] {
  return [
    route(api.listServers, ({ query }) => store.listServers(db, query)),
    route(api.getServer, async ({ params: { id } }) => shown(await store.findServer(db, id), id)),
  ];
}

function createServer(deps: RouteDeps, change: Change): Route {
  return route(api.createServer, async ({ body, actor }) => {
    const { id, ...definition } = body;
    refuseEnv(definition);
    refusePlaceholders(definition);
    refuseLongNames({ [id]: definition.toolOverrides ?? {} });
    await checkServer(deps, { id, definition, managedBy: 'admin' });
    await checkIssuer(deps, definition.account);
    const made = await change(actor, 'server.create', id, async (trx) => {
      if (!(await store.insertServer(trx, id, definition))) throw alreadyExists('server', id);
    });
    return shown(made, id);
  });
}

function patchServer(deps: RouteDeps, change: Change): Route {
  return route(api.patchServer, async ({ params: { id }, body, actor }) => {
    refuseEnv(body);
    refusePlaceholders(body);
    refuseLongNames({ [id]: body.toolOverrides ?? {} });
    // Before the transaction: it looks names up, and nothing should wait for that with a lock in hand.
    await checkPatch(deps, id, body);
    await checkIssuer(deps, body.account);
    const changed = await change(actor, 'server.update', id, async (trx, before) => {
      const { definition, managedBy } = existing(before, notFound('server', id));
      if (definition === null) throw serverUnreadable(id);
      if (definition.type === 'stdio' && managedBy === 'file' && body.variables !== undefined)
        throw keptInFile(id, 'variables');
      const keeper = changesAddress(body) ? 'admin' : managedBy;
      await store.updateServer(trx, id, { definition: patched(id, definition, body), managedBy: keeper });
    });
    return shown(changed, id);
  });
}

/**
 * The operator's own URLs may lead into private networks. What is changed here may not, whatever stood there before; nor
 * may the authorization server that people and their tokens are led to.
 */
function changesAddress({ url, variables, account, headers = {} }: Patch): boolean {
  return (
    url !== undefined ||
    account !== undefined ||
    variables !== undefined ||
    Object.keys(headers).some((name) => /^host$/i.test(name))
  );
}

async function checkPatch(deps: RouteDeps, id: string, patch: Patch): Promise<void> {
  const current = deps.snapshot().servers.get(id);
  if (!current || current.definition.type === 'stdio') {
    if (patch.url !== undefined) await deps.checkUrl(patch.url);
    return;
  }
  if (!changesAddress(patch) && patch.headers === undefined) return;
  const managedBy = changesAddress(patch) ? 'admin' : current.managedBy;
  const definition = patched(id, current.definition, patch);
  const urls = fittingServer(deps.snapshot(), { id, definition, managedBy });
  if (changesAddress(patch)) await lookUp(deps, urls);
}

async function checkIssuer(deps: RouteDeps, account: Patch['account']): Promise<void> {
  if (account?.issuer !== undefined) await deps.checkUrl(account.issuer);
}

function deleteServer(change: Change): Route {
  return route(api.deleteServer, async ({ params: { id }, actor }) => {
    await change(actor, 'server.delete', id, async (trx, before) => {
      existing(before, notFound('server', id));
      await store.deleteServer(trx, id);
    });
    return undefined;
  });
}

function patched(id: string, definition: ServerDefinition, patch: Patch): ServerDefinition {
  const remoteOnly = [patch.url, patch.headers, patch.account].some((one) => one !== undefined);
  if (definition.type === 'stdio' && remoteOnly) throw notARemoteServer(id);
  const merged = Object.entries({ ...definition, ...patch });
  // Null takes an optional setting away.
  return serverDefinition.parse(Object.fromEntries(merged.filter(([, value]) => value !== null)));
}

function shown(server: store.StoredServer | undefined, id: string): store.ServerView {
  const view = store.viewOf(existing(server, notFound('server', id)));
  if (view === null) throw serverUnreadable(id);
  return view;
}
