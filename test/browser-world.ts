// The pages for signing in behind a real HTTP server, on a database of their own.
import { randomBytes } from 'node:crypto';
import { afterAll } from 'vitest';
import { createBrowser } from '../src/identity/index.ts';
import { createSessions } from '../src/identity/browser/sessions.ts';
import { caller } from './access-world.ts';
import { oidcIssuer, type OidcIssuer } from '../src/identity/contract.ts';
import { listen } from '../src/platform/http/listen.ts';
import { createOriginGuard } from '../src/platform/http/origin-guard.ts';
import { createHttpServer, type Mount } from '../src/platform/http/server.ts';
import { createSealer } from '../src/platform/sealer.ts';
import { identityWorld } from './identity-world.ts';
import { webClient } from './web-client.ts';

export type BrowserWorld = Awaited<ReturnType<typeof browserWorld>>;

/** Closed after the test file. `more`: further parts that know who is at the browser. */
export async function browserWorld(
  o: {
    openWebUiUrl?: string;
    publicUrl?: string;
    more?: (browser: ReturnType<typeof createBrowser>) => Mount[];
  } = {},
) {
  const world = await identityWorld(o.openWebUiUrl === undefined ? {} : { openWebUiUrl: o.openWebUiUrl });
  const key = randomBytes(32);
  const sealerFor = (purpose: string) => createSealer(key, purpose);
  let issuers: readonly OidcIssuer[] = [];
  const mounts: Mount[] = [];
  // The address is known once it listens; the pages are made of it.
  const server = createHttpServer({
    mounts: [
      {
        takes: (path) => mountFor(path) !== undefined,
        serve: (req, res, arrival) => mountFor(arrival.path)?.serve(req, res, arrival),
      },
    ],
    guard: createOriginGuard({
      bindHost: '0.0.0.0',
      publicUrl: o.publicUrl ?? 'http://127.0.0.1',
      allowed: ['*'],
    }),
    limit: () => 0,
    log: world.log,
  });
  const mountFor = (path: string) => mounts.find((mount) => mount.takes(path));
  const port = await listen(server, '127.0.0.1', 0);
  const origin = `http://127.0.0.1:${port}`;
  const publicUrl = o.publicUrl ?? origin;
  const make = () =>
    createBrowser({
      ...{ db: world.db, identity: world.identity, sealerFor, publicUrl, log: world.log, clock: world.clock },
      issuers: () => issuers,
      directory: () => world.snapshot.current(),
      hasOpenWebUi: o.openWebUiUrl !== undefined,
    });
  const browser = make();
  mounts.push(browser.mount, ...(o.more?.(browser) ?? []));
  afterAll(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  return {
    ...world,
    ...{ browser, origin, make, sealerFor },
    client: () => webClient(origin),
    /** What a browser holds in which this person, who is stored already, has signed in. */
    signInAs: (user: string) =>
      createSessions({ db: world.db, clock: world.clock, sealer: sealerFor('browser-session') }).begin({
        principal: caller(user, { authSource: 'open-webui' }),
        displayName: '',
        how: 'test',
        userAgent: 'test',
      }),
    /** Sign-in services, as in the config file. */
    signInAt(...all: Record<string, unknown>[]) {
      issuers = all.map((one) => oidcIssuer.parse(one));
      world.trust(...all);
    },
  };
}
