import type { Db } from '../../platform/db/index.ts';
import { AppError, messageOf } from '../../platform/errors.ts';
import type { GuardedFetch } from '../../platform/guarded-fetch.ts';
import type { Log } from '../../platform/log.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import { openClient } from './clients/client-seal.ts';
import type { Clients } from './clients/clients.ts';
import type { GateClient } from './clients/gate-client.ts';
import {
  dropEnding,
  endedClient,
  type EndingRow,
  isConnectedAnew,
  putOffEnding,
  sweepEndings,
  takeEndings,
} from './endings-store.ts';
import type { Discovery } from './protocol/discovery.ts';
import { revokeAll } from './protocol/revoke.ts';
import { type AccountSecret, openAccount } from './tokens.ts';

export interface EndingsOptions {
  readonly db: Db;
  readonly box: SecretBox;
  readonly fetch: Pick<GuardedFetch, 'fetch'>;
  readonly clients: Clients;
  readonly discovery: Discovery;
  readonly log: Log;
  readonly everyMs?: number | undefined;
}

/** Takes tokens back of accounts that went away with their user, server or tenant: in the background, as far as it goes. */
export interface Endings {
  close(): Promise<void>;
}

const defaultEveryMs = 15_000;
const atOnce = 10;
// Longer than an authorization server may take for all that it is asked.
const leaseSeconds = 120;
const mostTries = 5;
const firstWaitSeconds = 60;
/** What is not taken back by then has mostly ended by itself. */
const mostHours = 24;

export function createEndings(o: EndingsOptions): Endings {
  let running: Promise<void> | undefined;
  let isFailing = false;
  let closed = false;
  const look = async () => {
    try {
      await sweepEndings(o.db, mostHours);
      for (;;) {
        const rows = closed ? [] : await takeEndings(o.db, { limit: atOnce, leaseSeconds });
        if (rows.length === 0) break;
        await Promise.all(rows.map((row) => end(o, row)));
      }
      isFailing = false;
    } catch (error) {
      if (!isFailing) o.log.warn({ error: messageOf(error) }, 'cannot look for accounts that went away');
      isFailing = true;
    }
  };
  const start = () => {
    running ??= look().finally(() => (running = undefined));
  };
  const timer = setInterval(start, o.everyMs ?? defaultEveryMs).unref();
  start();
  return {
    async close() {
      closed = true;
      clearInterval(timer);
      await running;
    },
  };
}

async function end(o: EndingsOptions, row: EndingRow): Promise<void> {
  const { id, server, tries } = row;
  // Where a provider takes a whole grant back (RFC 7009 2.1), the account of today would end with the one of before.
  if (await isConnectedAnew(o.db, row)) {
    o.log.info({ server }, 'an account that went away was connected anew: its old tokens end by themselves');
    return dropEnding(o.db, id);
  }
  const result = await takenBack(o, row);
  if (result === 'again' && tries < mostTries)
    return putOffEnding(o.db, id, firstWaitSeconds * 4 ** (tries - 1));
  if (result === 'done') o.log.info({ server }, 'tokens of an account that went away were taken back');
  else
    o.log.warn(
      { server },
      'tokens of an account that went away could not be taken back; they end by themselves',
    );
  return dropEnding(o.db, id);
}

async function takenBack(o: EndingsOptions, row: EndingRow): Promise<'done' | 'again' | 'never'> {
  try {
    const secret = openAccount(o.box, row, row.sealed);
    const client = (await o.clients.same(row, secret)) ?? (await clientThen(o, row, secret));
    if (!client) return 'never';
    const { issuer, trustedOrigin } = secret;
    const server = await o.discovery.ofIssuer(issuer, trustedOrigin);
    const revoked = await revokeAll({ fetch: o.fetch, server, client, trustedOrigin }, secret);
    return revoked === 'no' ? 'again' : 'done';
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.code === 'credential_unreadable' ? 'never' : 'again';
  }
}

/** An administrator's client that went away with the server or the tenant. */
async function clientThen(
  { db, box }: EndingsOptions,
  { server }: EndingRow,
  { client, issuer }: AccountSecret,
): Promise<GateClient | null> {
  const { source, id: clientId, tenant } = client;
  if (source !== 'stored') return null;
  const sealed = await endedClient(db, { tenant, server, issuer, clientId });
  if (sealed === null) return null;
  const { secret, method } = openClient(box, { tenant, server, source, issuer, clientId, sealed });
  return { source, id: clientId, secret, method, tenant };
}
