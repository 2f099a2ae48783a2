import path from 'node:path';
import { LRUCache } from 'lru-cache';
import { writeAudit } from '../../audit/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Changes, Database } from '../../platform/db/index.ts';
import { messageOf } from '../../platform/errors.ts';
import { createGuardedFetch, type GuardedFetch } from '../../platform/guarded-fetch.ts';
import type { Log } from '../../platform/log.ts';
import type { NetGuard } from '../../platform/net-guard.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import type { Vault } from '../vault/vault.ts';
import { createAccountBook } from './account-book.ts';
import { AccountCredential, type AccountTools, problemOf, versionOf } from './account-credential.ts';
import {
  type AccountActor,
  type AccountPlace,
  type Accounts,
  callbackPath,
  type Disconnected,
} from './accounts.ts';
import { type AccountRow, deleteAccount } from './accounts-store.ts';
import { sweepAttempts } from './attempts-store.ts';
import { type Clients, createClients } from './clients/clients.ts';
import { scope } from '../scope.ts';
import { createDiscovery, type Discovery } from './protocol/discovery.ts';
import { createEndings } from './endings.ts';
import { createNextTokens } from './next-tokens.ts';
import { createOpenAccounts, type OpenAccounts } from './open-accounts.ts';
import { metadataDocument } from './protocol/gate-identity.ts';
import { createPendingTokens } from './pending-tokens.ts';
import { createRenewals } from './renewals.ts';
import { revokeAll } from './protocol/revoke.ts';
import { createSignIns } from './sign-ins.ts';
import { createUnsavedTokens } from './unsaved-tokens.ts';

export interface AccountsOptions {
  readonly database: Pick<Database, 'db' | 'forTenant'>;
  readonly changes: Changes;
  readonly box: SecretBox;
  readonly vault: Pick<Vault, 'find'>;
  readonly guard: NetGuard;
  readonly publicUrl: string;
  readonly dataDir: string;
  readonly log: Log;
  readonly clock: Clock;
  /** How often to look for accounts that went away with a user, a server or a tenant; tests are in a hurry. */
  readonly endingsEveryMs?: number;
}

const sweepEveryMs = 10 * 60_000;
const mostCredentials = 20_000;

/** People's accounts at servers, from memory; what earlier processes could not store is stored first. */
export async function createAccounts(o: AccountsOptions): Promise<Accounts> {
  const { database, box, clock, log } = o;
  const { db } = database;
  const fetch = createGuardedFetch({ guard: o.guard });
  const gate = { publicUrl: o.publicUrl, redirectUri: new URL(callbackPath, o.publicUrl).href };
  const discovery = createDiscovery(fetch, clock);
  const clients = createClients({ database, box, vault: o.vault, fetch, gate, clock });
  const open = createOpenAccounts(box);
  const unsaved = createUnsavedTokens(path.join(o.dataDir, 'unsaved-tokens'), log);
  const book = await createAccountBook({ db, changes: o.changes, log, clock });
  const next = createNextTokens({ db, box, fetch, clients, discovery, open, clock });
  const pending = createPendingTokens({ database, book, next, unsaved, box, log, clock });
  const renewals = createRenewals({ database, book, next, unsaved, pending, log, clock });
  const { redirectUri } = gate;
  const signIns = createSignIns({ database, box, fetch, clients, discovery, clock, redirectUri });
  await pending.salvage();
  const timer = setInterval(() => void sweep(db, log), sweepEveryMs).unref();
  const endings = createEndings({ db, box, fetch, clients, discovery, log, everyMs: o.endingsEveryMs });
  const tools: AccountTools = { book, open, renewals, log, clock };
  return {
    ...lookups(tools),
    begin: (attempt) => signIns.begin(attempt, book.at({ ...attempt, server: attempt.server.id })),
    async finish(answer) {
      const { finished, row } = await signIns.finish(answer);
      book.accept(row);
      return finished;
    },
    async disconnect(place, actor) {
      const row = await forget(database, place, actor);
      if (!row) return { existed: false, revoked: 'unsupported' };
      book.drop(row.id);
      return { existed: true, revoked: await takenBack(row, { fetch, clients, discovery, open, log }) };
    },
    async unsavedUnder(masterKey) {
      const left = await unsaved.left();
      return left.filter(({ sealed }) => box.keyIdOf(sealed) === masterKey).length;
    },
    redirectUri,
    issuerOf: async (server) => (await discovery.ofServer(server)).server.issuer,
    clientMetadata: (at) => metadataDocument(gate, at),
    refresh: () => book.refresh(),
    onChange: (listener) => book.onChange(listener),
    staleSince: () => book.staleSince(),
    async close() {
      clearInterval(timer);
      await renewals.close();
      await pending.close();
      await endings.close();
      book.close();
      open.clear();
      await fetch.close();
    },
  };
}

async function sweep(db: Database['db'], log: Log): Promise<void> {
  try {
    await sweepAttempts(db);
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'cannot remove sign-ins that nobody finished');
  }
}

function lookups(tools: AccountTools): Pick<Accounts, 'find' | 'stateOf' | 'listFor'> {
  const credentials = new LRUCache<string, AccountCredential>({ max: mostCredentials });
  return {
    find(q) {
      const row = tools.book.at(q);
      if (!row) return null;
      const key = `${row.id} ${versionOf(row)} ${q.resource} ${q.issuer ?? ''}`;
      const known = credentials.get(key);
      if (known) return known;
      const found = new AccountCredential(row, q, tools);
      credentials.set(key, found);
      return found;
    },
    stateOf(q) {
      const row = tools.book.at(q);
      if (!row) return { state: 'none' };
      const problem = problemOf(row, q);
      if (problem !== null) return { state: 'reconnect', problem };
      return { state: 'connected', scopes: row.scopes, connectedAt: row.connectedAt };
    },
    listFor: (user) =>
      tools.book
        .of(user)
        .map(({ tenant, server, state, problem, issuer, scopes, connectedAt, refreshedAt }) => ({
          ...{ tenant, server, state, problem, issuer, scopes, connectedAt, refreshedAt },
        }))
        .sort((one, other) =>
          compare(`${one.server} ${one.tenant ?? ''}`, `${other.server} ${other.tenant ?? ''}`),
        ),
  };
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** Deleted first, so that it is forgotten whatever the authorization server does. */
async function forget(
  database: AccountsOptions['database'],
  place: AccountPlace,
  actor: AccountActor,
): Promise<AccountRow | null> {
  const { tenant, user, server } = place;
  return scope(database, tenant)
    .transaction()
    .execute(async (trx) => {
      const row = await deleteAccount(trx, place);
      if (!row) return null;
      await writeAudit(trx, {
        ...{ actor: actor.id, requestId: actor.requestId ?? null, clientIp: actor.clientIp ?? null, tenant },
        ...{ action: 'account.disconnect', targetKind: 'account', targetId: `${user} ${server}` },
        before: { user, server, issuer: row.issuer, scopes: row.scopes },
      });
      return row;
    });
}

async function takenBack(
  row: AccountRow,
  o: {
    fetch: GuardedFetch;
    clients: Clients;
    discovery: Discovery;
    open: OpenAccounts;
    log: Log;
  },
): Promise<Disconnected['revoked']> {
  try {
    const secret = o.open.secretOf(row);
    const { issuer, trustedOrigin } = secret;
    const client = await o.clients.same(row, secret);
    if (!client) return 'no';
    const server = await o.discovery.ofIssuer(issuer, trustedOrigin);
    return await revokeAll({ fetch: o.fetch, server, client, trustedOrigin }, secret);
  } catch (error) {
    o.log.warn(
      { account: row.id, error: messageOf(error) },
      'tokens of a disconnected account could not be taken back',
    );
    return 'no';
  }
}
