// Everything that tells who is calling, on a database of its own, with a clock that tests set.
import { afterAll } from 'vitest';
import type { Principal } from '../src/access/contract.ts';
import { loadSnapshot } from '../src/access/snapshot.ts';
import { type OidcIssuer, oidcIssuer } from '../src/identity/contract.ts';
import { createIdentity, type SessionCheck } from '../src/identity/index.ts';
import { createLive, watchChanges } from '../src/platform/db/index.ts';
import { systemClock } from '../src/platform/clock.ts';
import { AppError } from '../src/platform/errors.ts';
import { createLog } from '../src/platform/log.ts';
import { testDatabase } from './database.ts';

export const publicUrl = 'https://gate.example.com';

type Headers = Readonly<Record<string, string>>;

/** Closed after the test file. */
export async function identityWorld(
  o: {
    adminToken?: string;
    openWebUiJwtSecret?: string;
    openWebUiUrl?: string;
    sessionCheck?: SessionCheck;
    gatewayInFront?: { url: string; audience: string };
  } = {},
) {
  const database = await testDatabase();
  const { db } = database;
  const logs: string[] = [];
  const log = createLog('trace', { write: (line: string) => void logs.push(line) });
  const changes = await watchChanges(database, { log, clock: systemClock });
  const snapshot = await createLive({
    topic: 'access',
    changes,
    load: () => loadSnapshot(db),
    log,
    clock: systemClock,
  });
  let ahead = 0;
  let issuers: readonly OidcIssuer[] = [];
  let groupsOfOpenWebUi = false;
  let unnamedKeysOfOpenWebUi = false;
  const clock = () => Date.now() + ahead;
  const start = () =>
    createIdentity({
      db,
      changes,
      directory: () => snapshot.current(),
      issuers: () => issuers,
      openWebUi: () => ({ groups: groupsOfOpenWebUi, unnamedKeys: unnamedKeysOfOpenWebUi }),
      settings: {
        ...{ publicUrl, adminToken: o.adminToken, openWebUiJwtSecret: o.openWebUiJwtSecret },
        openWebUiUrl: o.openWebUiUrl,
        ...{ sessionCheck: o.sessionCheck, gatewayInFront: o.gatewayInFront },
      },
      log,
      clock,
    });
  let identity = await start();
  afterAll(async () => {
    await identity.close();
    snapshot.close();
    await changes.close();
  });

  const request = (headers: Headers, path: string) => ({
    header: (name: string) => headers[name],
    clientIp: '127.0.0.1',
    path,
  });
  const from = (credential: string | Headers): Headers =>
    typeof credential === 'string' ? { authorization: `Bearer ${credential}` } : credential;
  const world = {
    db,
    log,
    logs,
    clock,
    snapshot,
    get identity() {
      return identity;
    },
    /** Moves the clock of identity on. */
    pass(ms: number) {
      ahead += ms;
    },
    trust(...all: Record<string, unknown>[]) {
      issuers = all.map((one) => oidcIssuer.parse(one));
    },
    /** Whether groups of Open WebUI count from now on. */
    countGroupsOfOpenWebUi(count: boolean) {
      groupsOfOpenWebUi = count;
    },
    /** Whether keys that Open WebUI does not tell about go on from now on. */
    letUnnamedKeysOfOpenWebUi(go: boolean) {
      unnamedKeysOfOpenWebUi = go;
    },
    /** A process that knows nothing yet but what is stored. */
    async restart() {
      await identity.close();
      identity = await start();
    },
    call: async (credential: string | Headers, path = '/mcp'): Promise<Principal> =>
      identity.authenticate(request(from(credential), path)),
    callAdmin: async (credential: string | Headers): Promise<Principal> =>
      identity.authenticateAdmin(request(from(credential), '/mcp-admin/api')),
    /** The error that the call ends with. */
    refused: async (credential: string | Headers, path = '/mcp'): Promise<AppError> => {
      const principal = await world.call(credential, path).catch((error: unknown) => error);
      if (principal instanceof AppError) return principal;
      throw new Error(`was not refused: ${JSON.stringify(principal)}`, { cause: principal });
    },
  };
  return world;
}

/** What the log is told about a refusal. */
export function reasonOf(error: AppError): unknown {
  return (error.detail as { reason: unknown }).reason;
}
