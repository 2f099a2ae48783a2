import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../../platform/db/index.ts';
import { AppError } from '../../platform/errors.ts';
import type { GuardedFetch } from '../../platform/guarded-fetch.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import type { AccountRow } from './accounts-store.ts';
import type { Clients } from './clients/clients.ts';
import type { GateClient } from './clients/gate-client.ts';
import { forgetRegistration } from './clients/clients-store.ts';
import type { Discovery } from './protocol/discovery.ts';
import { clientRefused, renewalFailed } from './errors.ts';
import type { OpenAccounts } from './open-accounts.ts';
import { revokeAll } from './protocol/revoke.ts';
import {
  type Granted,
  GrantRefused,
  GrantUnclear,
  renewTokens,
  type Way,
} from './protocol/token-endpoint.ts';
import { type AccountSecret, holdable, openAccount, sealAccount } from './tokens.ts';
import type { KeptTokens } from './unsaved-tokens.ts';

export interface NextTokensOptions {
  readonly db: Db;
  readonly box: SecretBox;
  readonly fetch: Pick<GuardedFetch, 'fetch'>;
  readonly clients: Clients;
  readonly discovery: Discovery;
  readonly open: OpenAccounts;
  readonly clock: Clock;
}

/** The next tokens, sealed and as they are. */
export interface NextOnes {
  readonly renewed: KeptTokens;
  readonly secret: AccountSecret;
}

/** Asks authorization servers for the next tokens of an account: at the same one, as the same client, for the same address. */
export interface NextTokens {
  /** Finds out what takes time, so that `get` asks the token endpoint and nobody else. */
  prepare(row: AccountRow): Promise<void>;
  /** `over`: a sentence; only its owner can go on. Rejects with an AppError while that is not known. */
  get(row: AccountRow, why: AccountSecret['why']): Promise<NextOnes | { over: string }>;
  /** The same under the master key in force; null where they are under it, or cannot be opened here. */
  sealedAnew(
    row: AccountRow,
    tokens: { readonly renewed: KeptTokens; readonly secret?: AccountSecret | undefined },
  ): KeptTokens | null;
  /** Takes tokens back that nobody will use. Never rejects. */
  discard(row: AccountRow, renewed: KeptTokens): Promise<void>;
}

// RFC 6749 5.2 and RFC 9110: everything else says that asking again would not help.
const mayPass = new Set(['server_error', 'temporarily_unavailable', 'slow_down', 'authorization_pending']);
const aboutTheGate = new Set(['invalid_client', 'unauthorized_client']);

export function createNextTokens(o: NextTokensOptions): NextTokens {
  const wayOf = async (secret: AccountSecret, client: GateClient): Promise<Way> => {
    const { trustedOrigin } = secret;
    return {
      fetch: o.fetch,
      client,
      trustedOrigin,
      server: await o.discovery.ofIssuer(secret.issuer, trustedOrigin),
    };
  };
  return {
    async prepare(row) {
      const { issuer, trustedOrigin } = o.open.secretOf(row);
      await o.discovery.ofIssuer(issuer, trustedOrigin);
    },
    async get(row, why) {
      const secret = o.open.secretOf(row);
      const { refreshToken, indicator } = secret;
      if (refreshToken === null) return { over: `${secret.issuer} gave no way to renew it.` };
      const client = await o.clients.same(row, secret);
      if (!client) return { over: `The gate signs in at ${secret.issuer} as another client than before.` };
      // What could not be sealed afterwards is not asked for: the answer would be lost.
      sealAccount(o.box, row, secret);
      const obtainedAt = o.clock();
      const way = await wayOf(secret, client);
      try {
        const granted = await renewTokens(way, { refreshToken, indicator });
        const next = { ...after(secret, granted, obtainedAt), why };
        return { renewed: renewedOf(o.box, row, next), secret: next };
      } catch (error) {
        return failed(o.db, row, error, way);
      }
    },
    sealedAnew(row, { renewed, secret }) {
      try {
        const sealed = sealAccount(o.box, row, secret ?? openAccount(o.box, row, renewed.sealed));
        return o.box.keyIdOf(sealed) === o.box.keyIdOf(renewed.sealed) ? null : { ...renewed, sealed };
      } catch (error) {
        if (error instanceof AppError) return null;
        throw error;
      }
    },
    async discard(row, renewed) {
      try {
        const secret = openAccount(o.box, row, renewed.sealed);
        const client = await o.clients.same(row, secret);
        if (client) await revokeAll(await wayOf(secret, client), secret);
      } catch {
        // They end by themselves; nothing here would know how to go on.
      }
    },
  };
}

/** The account's secret with what was granted. What the server leaves out stays as it was (RFC 6749 5.1, 6). */
export function after(secret: AccountSecret, granted: Granted, obtainedAt: number): AccountSecret {
  const { accessToken, refreshToken, scopes, lifetime } = granted;
  return {
    ...secret,
    accessToken,
    refreshToken: refreshToken ?? secret.refreshToken,
    scopes: [...(scopes ?? secret.scopes)],
    obtainedAt,
    expiresAt: lifetime === null ? null : holdable(obtainedAt + lifetime),
  };
}

function renewedOf(box: SecretBox, row: AccountRow, secret: AccountSecret): KeptTokens {
  const { id, tenant, generation } = row;
  const { scopes, expiresAt } = secret;
  return { id, tenant, generation, sealed: sealAccount(box, row, secret), scopes, expiresAt };
}

async function failed(
  db: Db,
  row: AccountRow,
  error: unknown,
  { server, client }: Way,
): Promise<{ over: string }> {
  if (error instanceof AppError) throw error;
  if (error instanceof GrantUnclear) throw renewalFailed(row.server, `${server.issuer}: ${error.message}`);
  if (!(error instanceof GrantRefused)) throw error;
  const { code } = error;
  if (mayPass.has(code))
    throw renewalFailed(row.server, `${server.issuer} cannot do it at the moment (${code})`);
  if (!aboutTheGate.has(code)) return { over: `${server.issuer} ended the access (${code}).` };
  // A registration that is not known any more is never coming back; any other client an administrator can mend.
  if (client.source !== 'registered') throw clientRefused(server.issuer, code);
  await forgetRegistration(db, { server: row.server, issuer: server.issuer, clientId: client.id });
  return { over: `${server.issuer} does not know the gate any more (${code}).` };
}
