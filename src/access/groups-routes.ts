import { type Actor, type Route, route } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { api, type GroupToolOverrides } from './contract.ts';
import { asIs, type Edit, edit, existing, ok, type RouteDeps } from './edit.ts';
import { alreadyExists, grantNotFound, notFound } from './errors.ts';
import * as store from './groups-store.ts';
import { refuseLongNames } from './refuse-long-names.ts';
import { findServer } from './servers-store.ts';
import { findTenant } from './tenants-store.ts';

export function groupsRoutes(deps: RouteDeps): Route[] {
  const change: Change = (actor, action, id, act) =>
    edit(deps, { actor, action, id, find: store.findGroup, show: asIs, change: act });
  return [...readGroups(deps), ...writeGroups(change), ...writeGrants(change)];
}

type Change = (
  actor: Actor,
  action: `group.${string}`,
  id: string,
  act: Edit<store.GroupView>['change'],
) => Promise<store.GroupView | undefined>;

function readGroups({ db }: RouteDeps): Route[] {
  return [
    route(api.listGroups, ({ query }) => store.listGroups(db, query)),
    route(api.getGroup, async ({ params: { name } }) =>
      existing(await store.findGroup(db, name), notFound('group', name)),
    ),
  ];
}

function writeGroups(change: Change): Route[] {
  return [
    route(api.createGroup, async ({ body, actor }) => {
      const made = await change(actor, 'group.create', body.name, async (trx) => {
        if (body.tenant !== null)
          existing(await findTenant(trx, body.tenant), notFound('tenant', body.tenant));
        await checkOverrides(trx, body.toolOverrides);
        if (!(await store.insertGroup(trx, body))) throw alreadyExists('group', body.name);
      });
      return existing(made, notFound('group', body.name));
    }),
    route(api.patchGroup, async ({ params: { name }, body, actor }) => {
      const changed = await change(actor, 'group.update', name, async (trx, before) => {
        existing(before, notFound('group', name));
        if (body.tenant) existing(await findTenant(trx, body.tenant), notFound('tenant', body.tenant));
        await checkOverrides(trx, body.toolOverrides ?? {});
        await store.updateGroup(trx, name, body);
      });
      return existing(changed, notFound('group', name));
    }),
    route(api.deleteGroup, async ({ params: { name }, actor }) => {
      await change(actor, 'group.delete', name, async (trx, before) => {
        existing(before, notFound('group', name));
        await store.deleteGroup(trx, name);
      });
      return undefined;
    }),
  ];
}

async function checkOverrides(trx: Db, overrides: GroupToolOverrides): Promise<void> {
  refuseLongNames(overrides);
  for (const server of Object.keys(overrides))
    existing(await findServer(trx, server), notFound('server', server));
}

function writeGrants(change: Change): Route[] {
  return [
    route(api.grantToGroup, async ({ params: { name, server }, body, actor }) => {
      await change(actor, 'group.grant', name, async (trx, before) => {
        existing(before, notFound('group', name));
        existing(await findServer(trx, server), notFound('server', server));
        await store.putGroupGrant(trx, name, server, body.tools);
      });
      return ok;
    }),
    route(api.revokeFromGroup, async ({ params: { name, server }, actor }) => {
      await change(actor, 'group.revoke', name, async (trx, before) => {
        existing(before, notFound('group', name));
        if (!(await store.deleteGroupGrant(trx, name, server))) throw grantNotFound(name, server);
      });
      return undefined;
    }),
  ];
}
