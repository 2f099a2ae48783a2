import { type Actor, type Route, route } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { api } from './contract.ts';
import { asIs, type Edit, edit, existing, ok, type RouteDeps } from './edit.ts';
import {
  alreadyExists,
  grantNotFound,
  membershipFromProvider,
  membershipNotFound,
  notFound,
} from './errors.ts';
import { findGroup } from './groups-store.ts';
import { findServer } from './servers-store.ts';
import { findTenant } from './tenants-store.ts';
import * as store from './users-store.ts';

export function usersRoutes(deps: RouteDeps): Route[] {
  const change: Change = (actor, action, id, act) =>
    edit(deps, {
      ...{ actor, action, id, find: store.findUser, show: asIs },
      change: async (trx, before) => {
        await store.lockUsers(trx, [id]);
        await act(trx, before);
      },
    });
  return [...readUsers(deps), ...writeUsers(change), ...writeMemberships(change), ...writeGrants(change)];
}

type Change = (
  actor: Actor,
  action: `user.${string}`,
  id: string,
  act: Edit<store.UserView>['change'],
) => Promise<store.UserView | undefined>;

function readUsers({ db }: RouteDeps): Route[] {
  return [
    route(api.listUsers, ({ query }) => store.listUsers(db, query)),
    route(api.getUser, async ({ params: { email } }) =>
      existing(await store.findUser(db, email), notFound('user', email)),
    ),
  ];
}

function writeUsers(change: Change): Route[] {
  return [
    route(api.createUser, async ({ body, actor }) => {
      const { email, groups, displayName, defaultTenant } = body;
      const made = await change(actor, 'user.create', email, async (trx) => {
        if (defaultTenant !== null) await tenantMustExist(trx, defaultTenant);
        for (const group of groups) await groupMustExist(trx, group);
        if (!(await store.insertUser(trx, email, 'admin'))) throw alreadyExists('user', email);
        await store.updateUser(trx, email, { displayName, defaultTenant });
        for (const group of groups) await store.addMembership(trx, email, group);
      });
      return existing(made, notFound('user', email));
    }),
    route(api.patchUser, async ({ params: { email }, body, actor }) => {
      const changed = await change(actor, 'user.update', email, async (trx, before) => {
        existing(before, notFound('user', email));
        if (body.defaultTenant) await tenantMustExist(trx, body.defaultTenant);
        await store.updateUser(trx, email, body);
      });
      return existing(changed, notFound('user', email));
    }),
  ];
}

function writeMemberships(change: Change): Route[] {
  return [
    // Makes the user as well: access can be prepared before the first sign-in.
    route(api.addToGroup, async ({ params: { email, group }, actor }) => {
      await change(actor, 'user.add_to_group', email, async (trx) => {
        await groupMustExist(trx, group);
        await store.insertUser(trx, email, 'admin');
        await store.addMembership(trx, email, group);
      });
      return ok;
    }),
    // A membership that a sign-in provider states too goes on until that provider ends it; when nobody else
    // states it there is nothing to remove here, and saying "done" would be a lie.
    route(api.removeFromGroup, async ({ params: { email, group }, actor }) => {
      await change(actor, 'user.remove_from_group', email, async (trx, before) => {
        const user = existing(before, notFound('user', email));
        await groupMustExist(trx, group);
        if (await store.removeMembership(trx, email, group)) return;
        const stated = user.groups.some((membership) => membership.group === group);
        throw stated ? membershipFromProvider(email, group) : membershipNotFound(email, group);
      });
      return undefined;
    }),
  ];
}

function writeGrants(change: Change): Route[] {
  return [
    route(api.grantToUser, async ({ params: { email, server }, body, actor }) => {
      await change(actor, 'user.grant', email, async (trx) => {
        existing(await findServer(trx, server), notFound('server', server));
        await store.insertUser(trx, email, 'admin');
        await store.putUserGrant(trx, email, server, body.tools);
      });
      return ok;
    }),
    route(api.revokeFromUser, async ({ params: { email, server }, actor }) => {
      await change(actor, 'user.revoke', email, async (trx, before) => {
        existing(before, notFound('user', email));
        if (!(await store.deleteUserGrant(trx, email, server))) throw grantNotFound(email, server);
      });
      return undefined;
    }),
  ];
}

async function groupMustExist(trx: Db, name: string): Promise<void> {
  existing(await findGroup(trx, name), notFound('group', name));
}

async function tenantMustExist(trx: Db, id: string): Promise<void> {
  existing(await findTenant(trx, id), notFound('tenant', id));
}
