import { type Route, route } from '../platform/contract.ts';
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
    route(api.explain, async ({ query }) => explain(deps.snapshot(), query, deps.clock(), deps.withheld)),
  ];
}
