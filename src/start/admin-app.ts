// The admin API: every feature's routes, and who may call them.
import { accessRoutes, planFile, rightsOf } from '../access/index.ts';
import { type AdminApp, type ApplyOptions, configRoutes, createAdminApp } from '../admin/index.ts';
import { auditRoutes, personalRoutes } from '../audit/index.ts';
import { readConfigFile } from '../config.ts';
import { gatewayRoutes, limitStatsRoute, runnerRoute, stateRoutes, wantedKeys } from '../gateway/index.ts';
import { identityRoutes } from '../identity/index.ts';
import { systemClock as clock } from '../platform/clock.ts';
import { masterKeyRoutes, secretRoutes } from '../secrets/index.ts';
import { accountsOf } from './accounts.ts';
import type { Parts } from './build.ts';
import { catalogOf } from './catalog.ts';
import { version } from './program.ts';

export function adminApp(parts: Parts): AdminApp {
  const { config, log, access, box, vault, identity, netGuard, gateway, rotation, use } = parts;
  const { db, forTenant } = parts.database;
  const apply = async ({ dryRun, prune }: ApplyOptions) => {
    const next = await readConfigFile(config.TOOLGATE_CONFIG, config.variables);
    return dryRun ? planFile(db, next, { prune }) : use(next, prune);
  };
  const routes = [
    // Before those of one server, whose id `state` could be.
    ...stateRoutes(gateway.gate),
    ...accessRoutes({
      db,
      forTenant,
      clock,
      snapshot: () => access.snapshot(),
      changed: () => access.live.refresh(),
      checkUrl: (url) => netGuard.checkUrl(url),
      withheld: (question) => gateway.withheld(question),
    }),
    runnerRoute(parts.stdio.runner),
    limitStatsRoute(gateway.limitStats),
    ...gatewayRoutes(gateway.gate, { db, publicUrl: config.PUBLIC_URL }),
    ...secretRoutes({
      ...{ database: { db, forTenant }, box, changed: () => vault.refresh() },
      needs: wantedKeys(
        () => access.snapshot(),
        () => secretNames(parts.entries),
      ),
    }),
    ...masterKeyRoutes(rotation),
    ...accountsOf(parts),
    ...identityRoutes({ db, clock, changed: () => identity.refreshTokens() }),
    ...auditRoutes({ db, records: parts.records }),
    ...personalRoutes({
      database: parts.database,
      namedInFile: (email) => Object.keys(parts.file().users).some((user) => user.toLowerCase() === email),
    }),
    ...catalogOf(parts),
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

/** Names of environment variables that servers of the catalog take secrets from. */
function secretNames(entries: Parts['entries']) {
  return entries.all().flatMap(({ id, serverId, auth }) => {
    const secret = auth.env.filter((one) => one.secret);
    return secret.map(({ name }) => ({ entry: id, server: serverId ?? id, env: name }));
  });
}
