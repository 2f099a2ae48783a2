// Accounts on a database of their own: two tenants, some people, and servers that tests start.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { onTestFinished } from 'vitest';
import type { Clock } from '../src/platform/clock.ts';
import { systemClock } from '../src/platform/clock.ts';
import { type Database, openDatabase, watchChanges } from '../src/platform/db/index.ts';
import { createLog } from '../src/platform/log.ts';
import { createNetGuard } from '../src/platform/net-guard.ts';
import type { AccountServer, OAuthSettings } from '../src/secrets/accounts/accounts.ts';
import { createAccounts } from '../src/secrets/accounts/create-accounts.ts';
import type { FoundCredential } from '../src/secrets/credential.ts';
import { MasterKey } from '../src/secrets/master-keys/master-key.ts';
import { createSecretBox, type SecretBox } from '../src/secrets/sealing/secret-box.ts';
import { testDatabase } from './database.ts';
import { type OAuthServer, startOAuthServer } from './fakes/oauth-mcp-server.ts';
import type { OAuthServerOptions } from './fakes/oidc-configuration.ts';

export const publicUrl = 'https://gate.example.com';
export const alice = 'alice@acme.com';
export const bob = 'bob@acme.com';
/** For clients that are registered by hand. */
export const redirectUri = `${publicUrl}/gateway/connect/callback`;
/** For all others. */
export function redirectUriAt({ issuer }: Pick<OAuthServer, 'issuer'>, gate = publicUrl): string {
  const mark = createHash('sha256').update(issuer).digest('base64url').slice(0, 22);
  return `${gate}/gateway/oauth/callback/${mark}`;
}

/** The tables that accounts lean on, filled. */
export async function accountsDatabase(url?: string): Promise<Database> {
  const database = url === undefined ? await testDatabase() : await opened(url);
  const { db } = database;
  await sql`insert into mcp_proxy.tenants (id, display_name) values ('acme', 'Acme'), ('globex', 'Globex')`.execute(
    db,
  );
  await sql`insert into mcp_proxy.servers (id, definition) values ('notes', '{}'), ('mail', '{}')`.execute(
    db,
  );
  await sql`insert into mcp_proxy.users (email) values (${alice}), (${bob})`.execute(db);
  return database;
}

async function opened(url: string): Promise<Database> {
  const database = await openDatabase({ url, dataDir: '', log: createLog('silent') });
  onTestFinished(() => database.close());
  await database.walls.raise();
  return database;
}

/** The same for all processes of a test. */
export const masterKey = randomBytes(32);
export const box = createSecretBox(new MasterKey(masterKey));

/** A clock that stands still until somebody moves it. */
export function handClock(): Clock & { forward(milliseconds: number): void } {
  let now = Date.now();
  const forward = (milliseconds: number) => {
    now += milliseconds;
  };
  return Object.assign(() => now, { forward });
}

export interface OpenOptions {
  readonly dataDir?: string;
  readonly publicUrl?: string;
  readonly clock?: Clock;
  readonly allow?: readonly string[];
  readonly find?: () => FoundCredential | null;
  readonly box?: SecretBox;
  readonly endingsEveryMs?: number;
}

/** The accounts of one process; two of them on one database are two replicas. */
export async function openAccounts(database: Database, o: OpenOptions = {}) {
  const lines: string[] = [];
  const log = createLog('debug', { write: (line) => void lines.push(line) });
  const clock = o.clock ?? systemClock;
  const changes = await watchChanges(database, { log, clock });
  const options = {
    ...{ database, changes, box: o.box ?? box, log, clock, publicUrl: o.publicUrl ?? publicUrl },
    vault: { find: o.find ?? (() => null) },
    guard: createNetGuard({ allow: o.allow ?? ['127.0.0.1'] }),
    dataDir: o.dataDir ?? (await temporaryDirectory()),
    endingsEveryMs: o.endingsEveryMs ?? 60_000,
  };
  const accounts = await createAccounts(options);
  const close = async () => {
    await accounts.close();
    await changes.close();
  };
  onTestFinished(close);
  return { ...options, accounts, lines, close };
}

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'toolgate-accounts-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export async function oauthServer(options: OAuthServerOptions = {}): Promise<OAuthServer> {
  const server = await startOAuthServer(options);
  onTestFinished(() => server.close());
  return server;
}

export function accountServer(
  { url }: Pick<OAuthServer, 'url'>,
  settings: OAuthSettings = {},
  more: Partial<AccountServer> = {},
): AccountServer {
  return { id: 'notes', displayName: 'Notes', url, settings, trusted: false, elsewhere: false, ...more };
}

type Opened = Awaited<ReturnType<typeof openAccounts>>;

/** The whole way: begin, sign in at the authorization server, come back. */
export async function connect(
  { accounts }: Pick<Opened, 'accounts'>,
  server: OAuthServer,
  o: { user?: string; tenant?: string | null; settings?: OAuthSettings } = {},
) {
  const user = o.user ?? alice;
  const tenant = o.tenant === undefined ? 'acme' : o.tenant;
  const { url } = await accounts.begin({
    ...{ tenant, user, server: accountServer(server, o.settings), returnTo: '/gateway/connect' },
  });
  const back = await server.signIn(url, user);
  const finished = await accounts.finish({ path: back.pathname, query: back.searchParams, user });
  return { finished, authorization: new URL(url), back, question: questionOf(server, user, tenant) };
}

export function questionOf({ url }: Pick<OAuthServer, 'url'>, user = alice, tenant: string | null = 'acme') {
  return { tenant, user, server: 'notes', resource: url };
}
