// People at Toolgate's own pages, and their accounts at servers.
import { accountServerFor, connectMount, wantedKeys } from '../gateway/index.ts';
import { createBrowser } from '../identity/index.ts';
import { systemClock as clock } from '../platform/clock.ts';
import type { Route } from '../platform/contract.ts';
import type { Mount } from '../platform/http/server.ts';
import { accountRoutes, removeKey, setKey, userOwner } from '../secrets/index.ts';
import type { Parts } from './build.ts';

/** Signing in with a browser, and what people do there. */
export function pagesOf(parts: Parts): Mount[] {
  const { config, database, identity, access, sealerFor, log, gateway, file } = parts;
  const publicUrl = config.PUBLIC_URL;
  const browser = createBrowser({
    ...{ db: database.db, identity, publicUrl, sealerFor, log, clock },
    issuers: () => file().identity.issuers,
    directory: () => access.snapshot(),
    hasOpenWebUi: config.OPEN_WEBUI_URL !== undefined,
  });
  const keys = keyDeps(parts);
  const bindingOf = ({
    user,
    ...rest
  }: {
    user: string;
    tenant: string | null;
    server: string;
    name: string;
  }) => ({
    ...rest,
    owner: userOwner(user),
  });
  const connect = connectMount({
    ...{ gate: gateway.gate, browser, publicUrl, log },
    keys: {
      set: async (place, value, actor) => void (await setKey(keys, bindingOf(place), value, actor)),
      remove: (place, actor) => removeKey(keys, bindingOf(place), actor),
    },
  });
  return [browser.mount, connect];
}

/** What administrators see and do of accounts. */
export function accountsOf(parts: Parts): Route[] {
  const { database, box, accounts, gateway } = parts;
  const serverOf = (tenant: string | null, server: string) => accountServerFor(gateway.gate, tenant, server);
  return accountRoutes({ database, box, accounts, serverOf });
}

function keyDeps({ database, box, vault, access }: Parts) {
  return { database, box, needs: wantedKeys(() => access.snapshot()), changed: () => vault.refresh() };
}
