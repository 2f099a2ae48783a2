import { type Route, route } from '../../platform/contract.ts';
import { type Binding, groupOwner, sharedOwner, tenantOwner, userOwner } from '../binding.ts';
import { type KeyDeps, removeGroupKey, removeKey, setGroupKey, setKey } from './change-key.ts';
import { api } from '../contract.ts';
import { groupNotFound, tenantNotFound, userNotFound } from '../errors.ts';
import { importKeys } from '../import/import-keys.ts';
import { missingKeys } from './missing.ts';
import { scope } from '../scope.ts';
import * as store from './store.ts';

/** The keys of users, groups and tenants, and the shared ones. Values come in and never go out again. */
export function secretRoutes(deps: KeyDeps): Route[] {
  return [
    ...tenantKeys(deps),
    ...groupKeys(deps),
    ...userKeys(deps),
    ...sharedKeys(deps),
    route(api.listMissingKeys, ({ query }) => listMissing(deps, query.tenant)),
    route(api.importKeys, ({ body, actor }) => importKeys(deps, body, actor)),
  ];
}

function tenantKeys(deps: KeyDeps): Route[] {
  const keyOf = (id: string, server: string, name: string): Binding => ({
    ...{ tenant: id, owner: tenantOwner(id), server, name },
  });
  return [
    route(api.listTenantKeys, async ({ params: { id } }) => {
      const within = scope(deps.database, id);
      if (!(await store.tenantExists(within, id))) throw tenantNotFound(id);
      return { items: await store.listKeys(within, tenantOwner(id)), nextCursor: null };
    }),
    route(api.putTenantKey, ({ params: { id, server }, body, actor }) =>
      setKey(deps, keyOf(id, server, body.name), body.value, actor),
    ),
    route(api.deleteTenantKey, ({ params: { id, server }, query, actor }) =>
      removeKey(deps, keyOf(id, server, query.name), actor),
    ),
  ];
}

function groupKeys(deps: KeyDeps): Route[] {
  const { db } = deps.database;
  return [
    route(api.listGroupKeys, async ({ params: { name } }) => {
      if ((await store.groupTenant(db, name)) === undefined) throw groupNotFound(name);
      return { items: await store.listKeys(db, groupOwner(name)), nextCursor: null };
    }),
    route(api.putGroupKey, ({ params, body, actor }) =>
      setGroupKey(deps, { group: params.name, server: params.server, name: body.name }, body.value, actor),
    ),
    route(api.deleteGroupKey, ({ params, query, actor }) =>
      removeGroupKey(deps, { group: params.name, server: params.server, name: query.name }, actor),
    ),
  ];
}

function userKeys(deps: KeyDeps): Route[] {
  const { db } = deps.database;
  const keyOf = (email: string, tenant: string | undefined): Pick<Binding, 'tenant' | 'owner'> => ({
    tenant: tenant ?? null,
    owner: userOwner(email),
  });
  return [
    route(api.listUserKeys, async ({ params: { email }, query: { tenant = null } }) => {
      if (!(await store.userExists(db, email))) throw userNotFound(email);
      const items = await store.listKeys(scope(deps.database, tenant), userOwner(email), tenant);
      return { items, nextCursor: null };
    }),
    route(api.putUserKey, ({ params: { email, server }, query, body: { name, value }, actor }) =>
      setKey(deps, { ...keyOf(email, query.tenant), server, name }, value, actor),
    ),
    route(api.deleteUserKey, ({ params: { email, server }, query: { tenant, name }, actor }) =>
      removeKey(deps, { ...keyOf(email, tenant), server, name }, actor),
    ),
  ];
}

function sharedKeys(deps: KeyDeps): Route[] {
  const keyOf = (server: string, name: string): Binding => ({
    ...{ tenant: null, owner: sharedOwner, server, name },
  });
  return [
    route(api.listSharedKeys, async () => {
      return { items: await store.listKeys(deps.database.db, sharedOwner), nextCursor: null };
    }),
    route(api.putSharedKey, ({ params: { server }, body, actor }) =>
      setKey(deps, keyOf(server, body.name), body.value, actor),
    ),
    route(api.deleteSharedKey, ({ params: { server }, query, actor }) =>
      removeKey(deps, keyOf(server, query.name), actor),
    ),
  ];
}

async function listMissing({ database: { db }, needs }: KeyDeps, tenant: string | undefined) {
  if (tenant !== undefined && !(await store.tenantExists(db, tenant))) throw tenantNotFound(tenant);
  const tenants = tenant === undefined ? await store.enabledTenants(db) : [tenant];
  const stored = await store.countKeys(db);
  const items = await missingKeys(needs, stored, { tenants, shared: tenant === undefined });
  return { items, nextCursor: null };
}
