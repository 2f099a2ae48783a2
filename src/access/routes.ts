import type { z } from 'zod';
import { writeAudit } from '../audit/index.ts';
import { type Actor, type Route, route } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { AppError } from '../platform/errors.ts';
import { api } from './contract.ts';
import type { RouteDeps } from './edit.ts';
import { explain } from './explain.ts';
import { groupsRoutes } from './groups-routes.ts';
import { serversRoutes } from './servers-routes.ts';
import { tenantsRoutes } from './tenants-routes.ts';
import { usersRoutes } from './users-routes.ts';

/** Every admin endpoint of this feature. They span all tenants, so the app lets operators only reach them. */
export function accessRoutes(deps: RouteDeps): Route[] {
  return [
    ...usersRoutes(deps),
    ...groupsRoutes(deps),
    ...serversRoutes(deps),
    ...tenantsRoutes(deps),
    route(api.explain, async ({ query, actor }) => {
      const answer = explain(deps.snapshot(), query, deps.clock(), deps.withheld);
      await noteExplained(deps.db, query, actor);
      return answer;
    }),
  ];
}

/** Somebody's rights were looked into. While the database is away the answer is needed most, and comes without the record. */
async function noteExplained(db: Db, query: z.infer<typeof api.explain.query>, actor: Actor): Promise<void> {
  const { user, tenant = null, ...after } = query;
  try {
    await writeAudit(db, {
      ...{ actor: actor.id, requestId: actor.requestId, clientIp: actor.clientIp },
      ...{ action: 'access.explain', targetKind: 'user', targetId: user, tenant, after },
    });
  } catch (error) {
    if (!(error instanceof AppError && error.status === 503)) throw error;
  }
}
