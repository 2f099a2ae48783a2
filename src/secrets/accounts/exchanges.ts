import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { LRUCache } from 'lru-cache';
import { type Clock, isAhead } from '../../platform/clock.ts';
import type { Changes, Db } from '../../platform/db/index.ts';
import { AppError } from '../../platform/errors.ts';
import { createGuardedFetch, type GuardedFetch } from '../../platform/guarded-fetch.ts';
import type { Log } from '../../platform/log.ts';
import type { NetGuard } from '../../platform/net-guard.ts';
import type { ChangingToken, FoundCredential } from '../credential.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import type { Vault } from '../vault/vault.ts';
import type { ExchangeQuestion, Exchanges } from './accounts.ts';
import { openClient } from './clients/client-seal.ts';
import type { GateClient } from './clients/gate-client.ts';
import type { ClientRow } from './clients/clients-store.ts';
import { configuredSecret } from './clients/configured-client.ts';
import { createStoredClients, type StoredClients } from './clients/stored-clients.ts';
import { exchangeFailed, exchangeNeedsSignIn } from './errors.ts';
import { exchangeWords } from './protocol/exchange-words.ts';
import { isBoundTo } from './protocol/token-audience.ts';
import { type Granted, GrantRefused, GrantUnclear, otherGrant } from './protocol/token-endpoint.ts';
import { lifeOf } from './tokens.ts';

export interface ExchangesOptions {
  readonly db: Db;
  readonly changes: Changes;
  readonly log: Log;
  readonly box: SecretBox;
  readonly vault: Pick<Vault, 'find'>;
  readonly guard: NetGuard;
  readonly clock: Clock;
}

const most = 20_000;
const holdMs = 10_000;
const hopelessMs = 60_000;
// Where the server does not say how long its token lasts.
const assumedLifeMs = 5 * 60_000;

/** Tokens that are got for a person by exchanging the one that they came with. In memory, never stored. */
export async function createExchanges(o: ExchangesOptions): Promise<Exchanges> {
  const stored = await createStoredClients(o);
  const fetch = createGuardedFetch({ guard: o.guard });
  const known = new LRUCache<string, ExchangedToken>({ max: most });
  return {
    find(q) {
      const key = keyOf(q);
      const token = known.get(key) ?? new ExchangedToken(q, key, { ...o, stored, fetch });
      if (!known.has(key)) known.set(key, token);
      token.bring(q.subjectToken);
      return token;
    },
    async close() {
      known.clear();
      stored.close();
      await fetch.close();
    },
  };
}

/** Who came with nothing to exchange never gets what was exchanged for the same person at another time. */
function keyOf({
  tenant,
  user,
  server,
  resource,
  settings,
  trusted,
  elsewhere,
  subjectToken,
}: ExchangeQuestion): string {
  const has = subjectToken !== undefined;
  return JSON.stringify([tenant, user, server, resource, settings, trusted, elsewhere, has]);
}

type Tools = ExchangesOptions & { readonly stored: StoredClients; readonly fetch: GuardedFetch };

interface Held {
  readonly accessToken: string;
  readonly obtainedAt: number;
  readonly expiresAt: number;
  readonly why: 'expiry' | 'refusal';
}

class ExchangedToken implements FoundCredential {
  readonly id: string;
  readonly owner = 'user';
  readonly ownerId: string;
  readonly version: string;
  readonly changing: ChangingToken;
  readonly #q: ExchangeQuestion;
  readonly #tools: Tools;
  #subject: string | undefined;
  #held: Held | undefined;
  #running: Promise<Held> | undefined;
  /** The last failure, with what it was asked with: the same is not asked again at once. */
  #failure: { readonly subject: string; readonly until: number; readonly error: AppError } | undefined;

  constructor(q: ExchangeQuestion, key: string, tools: Tools) {
    this.id = `exchanged-${q.server}`;
    this.ownerId = q.user;
    this.version = createHash('sha256').update(key).digest('base64url').slice(0, 16);
    // The subject token is kept apart, where it is replaced.
    this.#q = { ...q, subjectToken: undefined };
    this.#tools = tools;
    this.changing = { current: () => this.#current(), refused: (token) => this.#refused(token) };
  }

  bring(subject: string | undefined): void {
    this.#subject = subject;
  }

  open(): never {
    throw new Error('an exchanged token changes: it is asked for, not kept');
  }

  toString(): string {
    return `[${this.id}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }

  #current(): string | Promise<string> {
    const held = this.#held;
    if (held && lifeOf(held, this.#tools.clock()) !== 'over') return held.accessToken;
    return this.#next('expiry').then(({ accessToken }) => accessToken);
  }

  async #refused(token: string): Promise<boolean> {
    const held = this.#held;
    if (held?.accessToken !== token) return held !== undefined;
    if (held.why === 'refusal' && this.#tools.clock() - held.obtainedAt < hopelessMs) return false;
    try {
      return (await this.#next('refusal')).accessToken !== token;
    } catch (error) {
      if (error instanceof AppError) return false;
      throw error;
    }
  }

  #next(why: Held['why']): Promise<Held> {
    const subject = this.#subject;
    if (subject === undefined) return Promise.reject(exchangeNeedsSignIn(this.#q.server));
    const failure = this.#failure;
    if (failure?.subject === subject && isAhead(failure.until, this.#tools.clock(), holdMs))
      return Promise.reject(failure.error);
    this.#running ??= this.#exchange(subject, why).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #exchange(subject: string, why: Held['why']): Promise<Held> {
    const { clock } = this.#tools;
    const obtainedAt = clock();
    try {
      const { accessToken, lifetime } = await ask(this.#tools, this.#q, subject);
      this.#held = { accessToken, obtainedAt, expiresAt: obtainedAt + (lifetime ?? assumedLifeMs), why };
      return this.#held;
    } catch (error) {
      if (error instanceof AppError) this.#failure = { subject, error, until: clock() + holdMs };
      throw error;
    }
  }
}

async function ask(tools: Tools, q: ExchangeQuestion, subject: string): Promise<Granted> {
  const { tokenUrl } = q.settings;
  const { client, isTenants } = clientFor(tools, q);
  if (q.elsewhere && !isTenants && !isForAddress(q)) throw exchangeFailed(q.server, notElsewhere);
  const trustedOrigin = q.trusted ? new URL(tokenUrl).origin : null;
  // The operator wrote the address of the token endpoint: there is nothing to discover.
  const server = { issuer: new URL(tokenUrl).origin, token_endpoint: tokenUrl };
  const { grantType, parameters } =
    q.settings.kind === 'on-behalf-of' ? onBehalfOf(q, subject) : exchange(q, subject);
  try {
    const way = { fetch: tools.fetch, server, client, trustedOrigin };
    const granted = await otherGrant(way, grantType, parameters);
    if (q.elsewhere && !isTenants && !isBoundTo(granted.accessToken, q.resource))
      throw exchangeFailed(q.server, notBound);
    return granted;
  } catch (error) {
    if (error instanceof GrantRefused) throw exchangeFailed(q.server, exchangeWords(error));
    if (error instanceof GrantUnclear) throw exchangeFailed(q.server, error.message);
    throw error;
  }
}

interface Asked {
  readonly grantType: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';

/** RFC 8693 2.1. */
function exchange({ server, settings, resource: dialled }: ExchangeQuestion, subject: string): Asked {
  const { audience, scopes, resource = dialled } = settings;
  if (resource === null) throw exchangeFailed(server, secretAddress);
  return {
    grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
    parameters: {
      subject_token: subject,
      subject_token_type: accessTokenType,
      requested_token_type: accessTokenType,
      resource,
      ...(audience === undefined ? {} : { audience }),
      ...(scopes === undefined ? {} : { scope: scopes.join(' ') }),
    },
  };
}

/** Microsoft identity platform, on-behalf-of flow: the scopes say for which application. */
function onBehalfOf({ settings: { scopes = [] } }: ExchangeQuestion, subject: string): Asked {
  return {
    grantType: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    parameters: { assertion: subject, requested_token_use: 'on_behalf_of', scope: scopes.join(' ') },
  };
}

interface Chosen {
  readonly client: GateClient;
  /** An administrator stored the secret for the tenant. */
  readonly isTenants: boolean;
}

/** From memory alone: a call waits for no database. */
function clientFor(tools: Tools, q: ExchangeQuestion): Chosen {
  const { kind, clientId: id } = q.settings;
  const place = { tenant: q.tenant, user: null, groups: [], server: q.server, elsewhere: q.elsewhere };
  const found = tools.vault.find({ ...place, name: configuredSecret });
  const stored = found ? undefined : storedClient(tools, q);
  const secret = found?.open() ?? (stored && openClient(tools.box, stored).secret) ?? null;
  // Microsoft describes the secret in the body, RFC 6749 prefers the header.
  const method = kind === 'on-behalf-of' ? 'client_secret_post' : 'client_secret_basic';
  return {
    client: { source: 'configured', id, secret, method, tenant: q.tenant },
    isTenants: found?.owner === 'tenant' || (stored !== undefined && stored.tenant !== null),
  };
}

/** A client that an administrator stored, when it is the one of the settings. */
function storedClient({ stored }: Tools, q: ExchangeQuestion): ClientRow | undefined {
  const { tenant, server, settings } = q;
  return (tenant === null ? [null] : [tenant, null])
    .map((owner) => stored.at({ tenant: owner, server }))
    .find((row) => row?.clientId === settings.clientId);
}

const secretAddress =
  'its address holds a key or a value of the gate’s environment, which the token endpoint would be told; an operator has to state "resource" in its account settings';
const notElsewhere =
  'your tenant has it at an address of its own, and the audience, resource or scopes in its account settings are of everybody’s server; an administrator has to store the tenant’s own client secret';
const notBound =
  'your tenant has it at an address of its own, and the token endpoint did not bind the token to that address (its "aud"); an administrator has to store the tenant’s own client secret';

/** Asked for the dialled address and nothing else, so the token may go there, if it turns out to be bound to it. */
function isForAddress({ settings: { kind, audience, resource } }: ExchangeQuestion): boolean {
  return kind === 'token-exchange' && audience === undefined && resource === undefined;
}
