import { type Actor, type Route, route } from '../platform/contract.ts';
import { api, everyServer } from './contract.ts';
import { type Edit, edit, existing, ok, type RouteDeps } from './edit.ts';
import { checkEndpoint, checkVariables, refusePlaceholders } from './check-addresses.ts';
import { alreadyExists, endpointNotFound, notARemoteServer, notFound, variablesNotFound } from './errors.ts';
import { refuseEnv } from './refuse-env.ts';
import { findServer } from './servers-store.ts';
import * as store from './tenants-store.ts';

export function tenantsRoutes(deps: RouteDeps): Route[] {
  const tenant = { find: store.findTenant, show: store.shownTenant };
  const change: Change = (actor, action, id, act) =>
    edit(deps, { ...tenant, actor, action, id, change: act });
  const changeWithin: Change = (actor, action, id, act) =>
    edit(deps, { ...tenant, actor, action, id, change: act, within: deps.forTenant(id) });
  return [
    ...readTenants(deps),
    ...writeTenants(change),
    putEndpoint(deps, changeWithin),
    deleteEndpoint(changeWithin),
    ...variablesRoutes(deps, changeWithin),
  ];
}

type Change = (
  actor: Actor,
  action: `tenant.${string}`,
  id: string,
  act: Edit<store.TenantView>['change'],
) => Promise<store.TenantView | undefined>;

function readTenants({ db, forTenant }: RouteDeps): Route[] {
  return [
    route(api.listTenants, ({ query }) => store.listTenants(db, query)),
    route(api.getTenant, async ({ params: { id } }) => shown(await store.findTenant(forTenant(id), id), id)),
  ];
}

function writeTenants(change: Change): Route[] {
  return [
    route(api.createTenant, async ({ body, actor }) => {
      const made = await change(actor, 'tenant.create', body.id, async (trx) => {
        if (!(await store.insertTenant(trx, body))) throw alreadyExists('tenant', body.id);
      });
      return shown(made, body.id);
    }),
    route(api.patchTenant, async ({ params: { id }, body, actor }) => {
      const changed = await change(actor, 'tenant.update', id, async (trx, before) => {
        existing(before, notFound('tenant', id));
        await store.updateTenant(trx, id, body);
      });
      return shown(changed, id);
    }),
    route(api.deleteTenant, async ({ params: { id }, actor }) => {
      await change(actor, 'tenant.delete', id, async (trx, before) => {
        existing(before, notFound('tenant', id));
        await store.deleteTenant(trx, id);
      });
      return undefined;
    }),
  ];
}

function putEndpoint(deps: RouteDeps, change: Change): Route {
  return route(api.putEndpoint, async ({ params: { id, server }, body: { url }, actor }) => {
    refuseEnv({ url });
    refusePlaceholders({ url });
    await checkEndpoint(deps, { tenant: id, server, endpoint: { url, managedBy: 'admin' } });
    await change(actor, 'tenant.set_endpoint', id, async (trx, before) => {
      existing(before, notFound('tenant', id));
      const { definition } = existing(await findServer(trx, server), notFound('server', server));
      if (definition?.type === 'stdio') throw notARemoteServer(server);
      await store.putEndpoint(trx, id, server, url);
    });
    return ok;
  });
}

function deleteEndpoint(change: Change): Route {
  return route(api.deleteEndpoint, async ({ params: { id, server }, actor }) => {
    await change(actor, 'tenant.remove_endpoint', id, async (trx, before) => {
      existing(before, notFound('tenant', id));
      if (!(await store.deleteEndpoint(trx, id, server))) throw endpointNotFound(id, server);
    });
    return undefined;
  });
}

function variablesRoutes(deps: RouteDeps, change: Change): Route[] {
  return [
    route(api.getVariables, async ({ params: { id, server } }) => {
      const { variables } = existing(await store.findTenant(deps.forTenant(id), id), notFound('tenant', id));
      return { values: existing(variables[server], variablesNotFound(id, server)) };
    }),
    route(api.putVariables, async ({ params: { id, server }, body: { values }, actor }) => {
      await checkVariables(deps, { tenant: id, server, values });
      await change(actor, 'tenant.set_variables', id, async (trx, before) => {
        existing(before, notFound('tenant', id));
        if (server !== everyServer) existing(await findServer(trx, server), notFound('server', server));
        await store.putVariables(trx, id, server, values);
      });
      return ok;
    }),
    route(api.deleteVariables, async ({ params: { id, server }, actor }) => {
      await change(actor, 'tenant.remove_variables', id, async (trx, before) => {
        existing(before, notFound('tenant', id));
        if (!(await store.deleteVariables(trx, id, server))) throw variablesNotFound(id, server);
      });
      return undefined;
    }),
  ];
}

function shown(tenant: store.TenantView | undefined, id: string): store.TenantView {
  return store.shownTenant(existing(tenant, notFound('tenant', id)));
}
