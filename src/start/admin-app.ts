// The admin API: every feature's routes, and who may call them.
import { accessRoutes, planFile, rightsOf } from '../access/index.ts';
import { type AdminApp, type ApplyOptions, configRoutes, createAdminApp } from '../admin/index.ts';
import { auditRoutes } from '../audit/index.ts';
import { catalogRoutes } from '../catalog/index.ts';
import { readConfigFile } from '../config.ts';
import { gatewayRoutes } from '../gateway/index.ts';
import { identityRoutes } from '../identity/index.ts';
import { systemClock as clock } from '../platform/clock.ts';
import { secretRoutes } from '../secrets/index.ts';
import type { Parts } from './build.ts';
import { version } from './program.ts';

export function adminApp({
  config,
  log,
  database: { db },
  access,
  box,
  vault,
  identity,
  toolPins,
  netGuard,
  gateway,
  use,
}: Parts): AdminApp {
  const apply = async ({ dryRun, prune }: ApplyOptions) => {
    const next = await readConfigFile(config.TOOLGATE_CONFIG, config.variables);
    return dryRun ? planFile(db, next, { prune }) : use(next, prune);
  };
  const routes = [
    ...accessRoutes({
      db,
      clock,
      snapshot: () => access.snapshot(),
      changed: () => access.live.refresh(),
      checkUrl: (url) => netGuard.checkUrl(url),
      withheld: (question) => gateway.withheld(question),
    }),
    ...gatewayRoutes(gateway.gate, { db, publicUrl: config.PUBLIC_URL }),
    ...secretRoutes({ db, box, changed: () => vault.refresh() }),
    ...identityRoutes({ db, clock, changed: () => identity.refreshTokens() }),
    ...auditRoutes({ db }),
    ...catalogRoutes({ db, pins: toolPins }),
    ...configRoutes({ apply }),
  ];
  const authenticate = async (request: Request) => {
    const header = (key: string) => request.headers.get(key) ?? undefined;
    const principal = await identity.authenticateAdmin({ header, clientIp: '', path: '/mcp' });
    const isAdmin =
      principal.authSource === 'admin-token' || rightsOf(access.snapshot(), principal, clock()).admin;
    return { principal, isAdmin };
  };
  return createAdminApp({ routes, authenticate, log, version, publicUrl: config.PUBLIC_URL });
}
