import { hash, timingSafeEqual } from 'node:crypto';
import type { Principal } from '../access/contract.ts';
import type { Clock } from '../platform/clock.ts';
import { type Changes, createLive, type Db } from '../platform/db/index.ts';
import type { Log } from '../platform/log.ts';
import { createSignIns, type SignIns } from './browser/sign-ins.ts';
import { createChallenge, resourceMetadata } from './challenge.ts';
import type { OidcIssuer, OpenWebUiFile } from './contract.ts';
import type { Directory } from './directory.ts';
import { CredentialRefused, openWebUiKeyUnnamed } from './errors.ts';
import { createFetchJson, type FetchJson } from './oidc/fetch-json.ts';
import { createMapping } from './oidc/mapping.ts';
import { createTrustedIssuers } from './oidc/trusted-issuers.ts';
import { createKeySet } from './oidc/key-set.ts';
import { createSessionApi } from './open-webui/session-api.ts';
import type { SessionCheck } from './open-webui/session-check.ts';
import { type GatewaySignatureDeps, signatureIn } from './providers/gateway-signature.ts';
import { createProviders, providerOf } from './providers/index.ts';
import { signedUserHeader } from './providers/open-webui-jwt.ts';
import { type OpenWebUiSessions, openWebUiSessions, type Visitor } from './providers/open-webui-session.ts';
import type { CallerRequest, Credential, Provider } from './providers/provider.ts';
import { createProvisioning, type Provisioning } from './provisioning.ts';
import { digestOf } from './token-format.ts';
import { createTokenUsage } from './token-usage.ts';
import { loadTokens } from './tokens-store.ts';

export interface IdentityDeps {
  readonly db: Db;
  readonly changes: Changes;
  /** Usually the current access snapshot; the same object until something changed. */
  readonly directory: () => Directory;
  /** The same array until the configuration changes. */
  readonly issuers: () => readonly OidcIssuer[];
  readonly openWebUi: () => Pick<OpenWebUiFile, 'groups' | 'unnamedKeys'>;
  readonly settings: {
    readonly publicUrl: string;
    readonly adminToken: string | undefined;
    /** Open WebUI's FORWARD_USER_INFO_HEADER_JWT_SECRET. */
    readonly openWebUiJwtSecret: string | undefined;
    /** Where sessions of Open WebUI are looked up; undefined: they do not count. */
    readonly openWebUiUrl: string | undefined;
    /** Looks at sessions of Open WebUI here, beside asking it; undefined: it is asked alone. */
    readonly sessionCheck?: SessionCheck | undefined;
    /** A Toolgate in front of this one: where it is reached, and what it calls this one. */
    readonly gatewayInFront?: { readonly url: string; readonly audience: string } | undefined;
  };
  readonly log: Log;
  readonly clock: Clock;
  readonly fetch?: typeof fetch;
}

/** Tells who is calling. */
export interface Identity {
  /**
   * Whom the one bearer credential of a request stands for; synchronous when it was seen before. Throws or rejects
   * with `unauthenticated` (401, with `WWW-Authenticate`), or `identity_unavailable` (503) while an issuer's keys
   * cannot be had.
   */
  authenticate(request: CallerRequest): Principal | Promise<Principal>;
  /** The same for the admin API: also the static admin token, but no connection key. Rights are for the caller to check. */
  authenticateAdmin(request: CallerRequest): Principal | Promise<Principal>;
  /** The RFC 9728 document of a path such as `/mcp/github`. */
  protectedResourceMetadata(path: string): Record<string, unknown>;
  /**
   * Is this `Authorization` header a connection key in force? Many people are behind it, and each is limited on their
   * own: what one address may do is not for it.
   */
  speaksForMany(authorization: string | undefined): boolean;
  /**
   * Whom a token stands for at Open WebUI; undefined: nobody that is let in there. Rejects with `identity_unavailable`
   * (503) while Open WebUI cannot be asked, and with `open_webui_key_unnamed` (403) when it takes the token and does not
   * tell whose it is. Whether the person may do anything here is for the caller to check.
   */
  visitorOf(token: string, clientIp: string): Promise<Visitor | undefined>;
  /** Open WebUI is asked about this token again when it comes next. */
  forgetVisitor(token: string): void;
  /** Loads the tokens anew, so that a change made here counts at once. */
  refreshTokens(): Promise<void>;
  close(): Promise<void>;
}

/** RFC 6750 section 2.1. */
const bearer = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;
const admin: Principal = {
  kind: 'service',
  id: 'admin-token',
  assertedGroups: [],
  assertedBy: null,
  tokenTenant: null,
  authSource: 'admin-token',
  credentialId: 'admin-token',
};

export async function createIdentity(deps: IdentityDeps): Promise<Identity & SignIns> {
  const { db, clock, log, directory, settings } = deps;
  const closed = new AbortController();
  const tokens = await createLive({
    topic: 'tokens',
    changes: deps.changes,
    load: () => loadTokens(db),
    log,
    clock,
  });
  const usage = createTokenUsage(deps);
  const provisioning = createProvisioning(deps);
  const fetchJson = createFetchJson(deps.fetch ?? fetch, closed.signal);
  const trusted = createTrustedIssuers({ issuers: deps.issuers, fetchJson, clock, log });
  const signedUsers = signedUserHeader(settings.openWebUiJwtSecret);
  const { openWebUi, gatewayInFront } = neighbours(deps, { provisioning, fetchJson, closed: closed.signal });
  const providers = createProviders({
    ...{ usage, provisioning, directory, signedUsers, trusted, log, openWebUi, gatewayInFront },
  });
  const isAdminToken = tokenMatcher(settings.adminToken);
  const signatureOf = (request: CallerRequest) => (gatewayInFront ? signatureIn(request) : undefined);
  const guard = createGuard(settings.publicUrl, signatureOf);

  function credentialOf(
    request: CallerRequest,
    token = signatureOf(request) ?? bearerOf(request),
  ): Credential {
    const digest = digestOf(token);
    return { token, digest, known: tokens.current().get(digest), request, now: clock() };
  }

  return {
    authenticate: (request) =>
      guard(request, () => {
        const credential = credentialOf(request);
        return prove(providerOf(providers, credential), credential, directory);
      }),
    authenticateAdmin: (request) =>
      guard(request, () => {
        const credential = credentialOf(request);
        if (isAdminToken(credential.token)) return admin;
        const provider = providerOf(providers, credential);
        if (provider.forAdmin) return prove(provider, credential, directory);
        throw new CredentialRefused('not_for_admin', provider.invalid, { provider: provider.name });
      }),
    protectedResourceMetadata(path) {
      const issuers = deps.issuers().map(({ issuer }) => issuer);
      return resourceMetadata(settings.publicUrl, path, issuers);
    },
    speaksForMany(authorization) {
      const token = bearer.exec(authorization ?? '')?.[1];
      const key = token === undefined ? undefined : tokens.current().get(digestOf(token));
      if (key === undefined || key.mayForwardUsers === null || key.revoked) return false;
      if (directory().members.get(key.principal.id)?.disabled) return false;
      return key.expiresAt === null || clock() < key.expiresAt;
    },
    visitorOf: (token, clientIp) =>
      visitorOf(openWebUi, credentialOf({ header: () => undefined, clientIp, path: '/' }, token), deps),
    forgetVisitor: (token) => openWebUi?.forget(digestOf(token)),
    ...createSignIns({ trusted, mapping: createMapping({ provisioning, log }), directory }),
    refreshTokens: () => tokens.refresh(),
    async close() {
      closed.abort();
      tokens.close();
      await Promise.all([usage.close(), provisioning.close()]);
    },
  };
}

/** Open WebUI behind this program, and a Toolgate in front of it; undefined where there is none. */
function neighbours(
  deps: IdentityDeps,
  o: { provisioning: Provisioning; fetchJson: FetchJson; closed: AbortSignal },
): { openWebUi: OpenWebUiSessions | undefined; gatewayInFront: GatewaySignatureDeps | undefined } {
  const { clock, log, directory, settings } = deps;
  const { openWebUiUrl: url, gatewayInFront: inFront } = settings;
  const base = { provisioning: o.provisioning, directory };
  const openWebUi = url !== undefined && {
    ...{ ...base, log, check: settings.sessionCheck },
    sessions: createSessionApi({ url, fetch: deps.fetch ?? fetch, closed: o.closed }),
    groupsCount: () => deps.openWebUi().groups,
  };
  const gatewayInFront = inFront && {
    ...{ ...base, audience: inFront.audience },
    keys: createKeySet({
      ...{ issuer: inFront.url, fetchJson: o.fetchJson, clock, log },
      locate: () => Promise.resolve(`${inFront.url}/gateway/jwks.json`),
    }),
  };
  return { openWebUi: openWebUi ? openWebUiSessions(openWebUi) : undefined, gatewayInFront };
}

async function visitorOf(
  sessions: OpenWebUiSessions | undefined,
  credential: Credential,
  { openWebUi }: Pick<IdentityDeps, 'openWebUi'>,
): Promise<Visitor | undefined> {
  if (!sessions?.recognises(credential)) return undefined;
  try {
    return await sessions.visitor(credential);
  } catch (error) {
    if (!(error instanceof CredentialRefused)) throw error;
    // Somebody's who is known there: as nobody's it would let in a person who is disabled here.
    if (error.reason === 'session_forbidden' && !openWebUi().unnamedKeys) throw openWebUiKeyUnnamed();
    return undefined;
  }
}

type Decision = Principal | Promise<Principal>;

/** Turns refusals of a decision, thrown or rejected, into the 401 for this request. */
function createGuard(
  publicUrl: string,
  signatureOf: (request: CallerRequest) => string | undefined,
): (request: CallerRequest, decide: () => Decision) => Decision {
  const challenge = createChallenge(publicUrl);
  return (request, decide) => {
    if (request.header('authorization') === undefined && signatureOf(request) === undefined)
      throw challenge.missing(request.path);
    try {
      const principal = decide();
      if (!(principal instanceof Promise)) return principal;
      return principal.catch((error: unknown) => Promise.reject(challenge.refused(request.path, error)));
    } catch (error) {
      throw challenge.refused(request.path, error);
    }
  };
}

function bearerOf(request: CallerRequest): string {
  const token = bearer.exec(request.header('authorization') ?? '')?.[1];
  if (token !== undefined) return token;
  throw new CredentialRefused('header_malformed', 'The Authorization header must be "Bearer" and one token.');
}

function prove(provider: Provider, credential: Credential, directory: () => Directory): Decision {
  const principal = provider.authenticate(credential);
  if (!(principal instanceof Promise)) return enabled(principal, provider, directory());
  return principal.then((proved) => enabled(proved, provider, directory()));
}

/** The last word for every way in, so that none can forget it. */
function enabled(principal: Principal, { invalid }: Provider, directory: Directory): Principal {
  if (!directory.members.get(principal.id)?.disabled) return principal;
  const { id: user, credentialId } = principal;
  throw new CredentialRefused('user_disabled', invalid, { user, credentialId });
}

/** Hashes have one length, which is what lets them be compared in constant time. */
function tokenMatcher(expected: string | undefined): (token: string) => boolean {
  if (!expected) return () => false;
  const sha256 = (text: string) => hash('sha256', text, 'buffer');
  const digest = sha256(expected);
  return (token) => timingSafeEqual(sha256(token), digest);
}
