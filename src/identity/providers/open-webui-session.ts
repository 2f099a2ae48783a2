// Sessions of Open WebUI. Its tokens name no issuer and no address, and only Open WebUI knows whether one was revoked, so
// it is asked. Checking them here as well, with WEBUI_SECRET_KEY and its Redis, makes forged and ended ones known sooner. It
// cannot replace asking: a session also ends by a stamp in its database from 0.12 on, and says so with a claim.
import { LRUCache } from 'lru-cache';
import type { Principal } from '../../access/contract.ts';
import { isAhead } from '../../platform/clock.ts';
import { messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import type { Directory } from '../directory.ts';
import { readEmail } from '../email-address.ts';
import { CredentialRefused, openWebUiUnreachable } from '../errors.ts';
import { mapGroups } from '../oidc/mapping.ts';
import { Questions } from '../open-webui/questions.ts';
import type { Account, AccountAnswer, GroupsAnswer, SessionApi } from '../open-webui/session-api.ts';
import type { SessionCheck } from '../open-webui/session-check.ts';
import { sessionClaims } from '../open-webui/session-claims.ts';
import type { Provisioning } from '../provisioning.ts';
import type { Credential, Provider } from './provider.ts';

const source = 'open-webui';
const invalid = 'This Open WebUI session is unknown or has ended; sign in to Open WebUI again.';
/** How long an answer counts: so much later does a sign-out there reach here, and the sockets that are looked at every 5 s. */
const knownMs = 55_000;
/** For the last part of its time an answer goes on counting while another one is asked for. */
const renewMs = 15_000;
const renewEveryMs = 5_000;
const refusedMs = 10_000;
const clockToleranceMs = 60_000;
const warnEveryMs = 60_000;
/** Where ended sessions are told of in another way, only address and role have to be asked for. */
const checkedKnownMs = 10 * 60_000;
/** How long a look into Redis counts. */
const checkedMs = 5_000;

const apiKey = /^sk-[0-9a-f]{32}$/;
/** Those that Open WebUI lets in (`VERIFIED_USER_ROLES`); `pending` waits for an administrator there. */
const roles = ['user', 'admin'];

/** What this way in needs. */
export interface OpenWebUiDeps {
  readonly sessions: SessionApi;
  /** Looks at sessions here, too; undefined: only Open WebUI is asked. */
  readonly check?: SessionCheck | undefined;
  /** Do the groups that people are in there count here? */
  readonly groupsCount: () => boolean;
  readonly directory: () => Directory;
  readonly provisioning: Provisioning;
  readonly log: Log;
}

/** What Open WebUI said. */
interface Stated {
  readonly account: Account;
  readonly email: string;
  readonly groups: GroupsAnswer;
}

interface Known extends Stated {
  /** Milliseconds since the epoch. */
  readonly askedAt: number;
  until: number;
  /** When it is looked at here again. */
  checkAt: number;
  /** Not held: thousands of people who came once would keep as many pictures in memory. */
  directory: WeakRef<Directory>;
  principal: Principal;
  /** When it may be asked for anew. */
  renewAt: number;
}

interface Refused {
  readonly error: CredentialRefused;
  readonly until: number;
}

/** Somebody whom Open WebUI knows. */
export interface Visitor {
  readonly principal: Principal;
  /** As they are called there. */
  readonly displayName: string;
}

export interface OpenWebUiSessions extends Provider {
  /** The same as `authenticate`, with the name. */
  visitor(credential: Credential): Promise<Visitor>;
  /** The next question about the token with this hash goes to Open WebUI. */
  forget(digest: string): void;
}

/** The session of a person in Open WebUI, or their API key there. The role there means nothing here. */
export function openWebUiSessions(deps: OpenWebUiDeps): OpenWebUiSessions {
  const known = new LRUCache<string, Known>({ max: 20_000 });
  const refused = new LRUCache<string, Refused>({ max: 20_000 });
  const lookUp = createLookUp(deps);
  const questions = new Questions<Known>({
    lookUp,
    isKnown: (digest) => known.has(digest),
    keep: (digest, found) => void known.set(digest, found),
    refused({ digest, now }, error) {
      known.delete(digest);
      refused.set(digest, { error, until: now + refusedMs });
    },
  });

  async function ask(credential: Credential): Promise<Principal> {
    return (await questions.ask(credential)).principal;
  }

  /** Asks anew before the answer ends, so that nobody waits who comes often, nor is sent away when it takes longer. */
  function renewed(entry: Known, credential: Credential): Principal {
    const { now } = credential;
    if (now >= Math.max(entry.until - renewMs, entry.renewAt)) {
      entry.renewAt = now + renewEveryMs;
      // A failure is told when the answer has ended.
      ask(credential).catch(() => undefined);
    }
    return current(entry);
  }

  /** A group that came or went since, in this program, counts at once. */
  function current(entry: Known): Principal {
    const directory = deps.directory();
    if (entry.directory.deref() !== directory) {
      entry.directory = new WeakRef(directory);
      entry.principal = principalOf(entry, directory);
      sight(deps, entry);
    }
    return entry.principal;
  }

  /** A session that has ended since, says so before Open WebUI is asked again. */
  async function recheck(entry: Known, credential: Credential, check: SessionCheck): Promise<Principal> {
    const { digest, token, now } = credential;
    const state = await check.stateOf(token, now);
    entry.checkAt = now + checkedMs;
    if (state === 'unsure') entry.until = Math.min(entry.until, entry.askedAt + knownMs);
    if (state === 'in-force' || (state === 'unsure' && now < entry.until)) return renewed(entry, credential);
    if (state !== 'unsure') known.delete(digest);
    return ask(credential);
  }

  function authenticate(credential: Credential): Principal | Promise<Principal> {
    const { digest, now } = credential;
    const entry = known.get(digest);
    // Asked later than now: the clock was set back, and so long nothing is believed.
    if (entry && now < entry.until && now >= entry.askedAt) {
      return deps.check && now >= entry.checkAt
        ? recheck(entry, credential, deps.check)
        : renewed(entry, credential);
    }
    const no = refused.get(digest);
    if (no && isAhead(no.until, now, refusedMs)) throw no.error;
    return ask(credential);
  }

  return {
    name: source,
    forAdmin: false,
    invalid,
    recognises: ({ token, digest }) =>
      known.has(digest) || apiKey.test(token) || sessionClaims(token) !== undefined,
    authenticate,
    async visitor(credential) {
      const principal = await authenticate(credential);
      return { principal, displayName: known.get(credential.digest)?.account.name ?? '' };
    },
    forget(digest) {
      known.delete(digest);
      questions.forget(digest);
    },
  };
}

function createLookUp(deps: OpenWebUiDeps): (credential: Credential) => Promise<Known> {
  let warnedAt = Number.NEGATIVE_INFINITY;

  function unreachable(error: unknown, now: number): Error {
    if (now >= warnedAt + warnEveryMs) {
      warnedAt = now;
      deps.log.warn({ error: messageOf(error) }, 'Open WebUI cannot be asked whose sessions these are');
    }
    return openWebUiUnreachable(error);
  }

  return async ({ token, now }) => {
    const claims = sessionClaims(token);
    const end = claims?.exp === undefined ? Number.POSITIVE_INFINITY : claims.exp * 1000 + clockToleranceMs;
    if (end <= now) throw new CredentialRefused('session_expired', invalid);
    const state = deps.check && claims ? await deps.check.stateOf(token, now) : 'unsure';
    if (state === 'forged') throw new CredentialRefused('session_forged', invalid);
    if (state === 'ended') throw new CredentialRefused('session_ended', invalid);
    const answer = await deps.sessions.accountOf(token).catch((error: unknown) => {
      throw unreachable(error, now);
    });
    const stated = {
      ...checked(answer, claims?.id),
      groups: deps.groupsCount() ? await deps.sessions.groupsOf(token) : none,
    };
    const directory = deps.directory();
    const principal = principalOf(stated, directory);
    const lastsMs = state === 'in-force' && !claims?.isStamped ? checkedKnownMs : knownMs;
    const until = Math.min(now + lastsMs, end);
    const checkAt = now + checkedMs;
    const found: Known = {
      ...stated,
      askedAt: now,
      until,
      checkAt,
      directory: new WeakRef(directory),
      principal,
      renewAt: 0,
    };
    sight(deps, found);
    return found;
  };
}

function sight({ provisioning }: OpenWebUiDeps, { account, principal, groups, askedAt }: Known): void {
  provisioning.sighted({
    id: principal.id,
    source,
    displayName: account.name,
    identity: null,
    groups: groups.state === 'present' ? principal.assertedGroups : null,
    issuedAt: Math.floor(askedAt / 1000),
  });
}

/** Said when groups there do not count: then those that were stored while they did are to go. */
const none: GroupsAnswer = { state: 'present', values: [] };

function principalOf({ account, email, groups }: Stated, directory: Directory): Principal {
  const isStated = groups.state === 'present';
  return {
    kind: 'user',
    id: email,
    assertedGroups: isStated ? mapGroups(groups.values, directory) : [],
    assertedBy: isStated ? source : null,
    tokenTenant: null,
    authSource: source,
    credentialId: `${source}:${account.id}`,
  };
}

function checked(answer: AccountAnswer, id: string | undefined): { account: Account; email: string } {
  if (answer === 'unknown') throw new CredentialRefused('session_unknown', invalid);
  if (answer === 'forbidden')
    throw new CredentialRefused(
      'session_forbidden',
      'Open WebUI does not say whose token this is; sign in there as a person, or use an API token of this gateway.',
    );
  // A cache between the two could mix up answers: they are about whoever the token names, or nobody.
  if (id !== undefined && answer.id !== id) throw new CredentialRefused('session_of_another', invalid);
  const facts = { account: answer.id };
  if (!roles.includes(answer.role))
    throw new CredentialRefused(
      'account_pending',
      'Your Open WebUI account has not been approved yet; ask an administrator.',
      facts,
    );
  const email = readEmail(answer.email);
  if (email === undefined)
    throw new CredentialRefused('no_email', 'Your Open WebUI account has no e-mail address.', facts);
  return { account: answer, email };
}
