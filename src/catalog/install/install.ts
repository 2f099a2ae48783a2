import { type Installed, installServer, type StoredServer } from '../../access/index.ts';
import { writeAudit } from '../../audit/index.ts';
import type { Actor } from '../../platform/contract.ts';
import type { Db } from '../../platform/db/index.ts';
import type { InstallInput } from '../contract.ts';
import { sorted } from './check-values.ts';
import { decisionOf, type InstallDeps, type Plan, planned } from './install-plan.ts';
import { nextSteps } from './next-steps.ts';

/** Makes a server of an entry, or gives one that is there further values. All of it or nothing; one audit entry. */
export async function install(deps: InstallDeps, entryId: string, input: InstallInput, actor: Actor) {
  const plan = await planned(deps, entryId, input);
  const { form, id, tenant } = plan;
  const values = sorted(form, input.values);
  const { installed, keys } = await deps.db.transaction().execute(async (trx) => {
    const decide = (found: StoredServer | undefined) => decisionOf(plan, found);
    const { variables } = values;
    const installed = await installServer(trx, { id, decide, tenant, variables, groups: input.groups });
    const keys = [];
    for (const [name, value] of Object.entries(values.credentials))
      keys.push(await deps.storeKey(trx, { tenant, server: id, name, value }, actor.id));
    if (plan.client) await deps.storeClient(trx, { tenant, server: id }, plan.client, actor.id);
    await audit(trx, { plan, installed, keys, actor });
    return { installed, keys };
  });
  await deps.changed();
  const { after: server, created } = installed;
  const open = (server.origin?.fields ?? []).filter((name) => !Object.hasOwn(input.values, name));
  const { redirectUri } = deps;
  return {
    ...{ server, created },
    credentials: keys.map(({ name }) => name),
    variables: Object.keys(values.variables),
    groups: input.groups,
    next: nextSteps({ form, input, server, created, open, redirectUri }),
  };
}

interface Change {
  readonly plan: Plan;
  readonly installed: Installed;
  readonly keys: readonly { name: string; lastFour: string }[];
  readonly actor: Actor;
}

async function audit(trx: Db, { plan, installed, keys, actor }: Change): Promise<void> {
  const { entry, id, tenant, client, input } = plan;
  const { before, after } = installed;
  const oauthClient = client && { issuer: client.issuer, clientId: client.clientId };
  await writeAudit(trx, {
    ...{ actor: actor.id, requestId: actor.requestId, clientIp: actor.clientIp },
    ...{ action: 'server.install', targetKind: 'server', targetId: id, tenant, before },
    after: { server: after, entry: entry.id, keys, oauthClient, groups: input.groups },
  });
}
