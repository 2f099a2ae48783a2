import { catalogRoutes } from '../catalog/index.ts';
import { probe } from '../gateway/index.ts';
import { systemClock as clock } from '../platform/clock.ts';
import type { Route } from '../platform/contract.ts';
import { sharedOwner, storeClient, storeKey, tenantOwner } from '../secrets/index.ts';
import type { Parts } from './build.ts';

/** The catalog, with what it asks of the features beside it. */
export function catalogOf(parts: Parts): Route[] {
  const { database, access, accounts, box, vault, toolPins, netGuard, gateway, entries, registries, seals } =
    parts;
  return catalogRoutes({
    ...{ db: database.db, clock, seals, pins: toolPins, entries, registries },
    checkUrl: (url) => netGuard.checkUrl(url),
    storeKey: (trx, { tenant, server, name, value }, by) => {
      const owner = tenant === null ? sharedOwner : tenantOwner(tenant);
      return storeKey(trx, { box, by }, { tenant, owner, server, name }, value);
    },
    storeClient: async (trx, place, client, by) => void (await storeClient(trx, { box, by }, place, client)),
    issuerOf: (server) => accounts.issuerOf({ ...server, settings: {}, trusted: false, elsewhere: false }),
    redirectUri: accounts.redirectUri,
    probe: (server) => probe(gateway.gate, server),
    changed: async () => {
      await access.live.refresh();
      await vault.refresh();
    },
  });
}
