import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '../../access/contract.ts';
import { AppError } from '../../platform/errors.ts';
import type { OwnCookie } from '../../platform/http/cookies.ts';
import { redirect, sendPage } from '../../platform/html/page.ts';
import type { PageRequest, PageRoutes } from '../../platform/html/page-routes.ts';
import type { Identity } from '../authenticate.ts';
import type { OidcIssuer } from '../contract.ts';
import { CredentialRefused } from '../errors.ts';
import { looksLikeOurs } from '../token-format.ts';
import type { Forms } from './forms.ts';
import { canSignIn, type OidcSignIn, signInCallback } from './oidc-sign-in.ts';
import { sessionsPage, signInPage } from './pages.ts';
import { ownPath, signInPath } from './return-path.ts';
import { type BrowserSession, type BrowserSessions, sessionName, sessionSeconds } from './sessions.ts';
import type { SignIns } from './sign-ins.ts';
import { texts } from './texts.ts';
import type { Visitor, Visitors } from './visitors.ts';

const home = '/gateway/accounts';

interface Parts {
  readonly identity: Identity & SignIns;
  readonly issuers: () => readonly OidcIssuer[];
  readonly cookie: OwnCookie;
  readonly sessions: BrowserSessions;
  readonly visitors: Visitors;
  readonly forms: Forms;
  readonly oidc: OidcSignIn;
  readonly whoIs: (req: IncomingMessage) => Promise<BrowserSession | undefined>;
  readonly openWebUiUser: (req: IncomingMessage) => Promise<Principal | undefined>;
}

/** Ways in and out, and the list of sessions. */
export function signInRoutes(parts: Parts): PageRoutes['routes'] {
  return {
    'GET /gateway/sign-in': (request) => showSignIn(parts, request),
    'POST /gateway/sign-in/token': (request) => withToken(parts, request),
    'POST /gateway/sign-in/open-webui': (request) => withOpenWebUi(parts, request),
    'GET /gateway/sign-in/oidc': (request) => toIssuer(parts, request),
    [`GET ${signInCallback}`]: (request) => fromIssuer(parts, request),
    'POST /gateway/sign-out': (request) => signOut(parts, request),
    'GET /gateway/sessions': (request) => showSessions(parts, request),
    'POST /gateway/sessions/end': (request) => endSessions(parts, request),
  };
}

interface Told {
  readonly status?: number;
  readonly problem?: string;
  readonly note?: string;
  /** Where a form said that it goes on. */
  readonly returnTo?: string;
}

async function showSignIn(parts: Parts, { req, res, query }: PageRequest, told: Told = {}): Promise<void> {
  const returnTo = told.returnTo ?? ownPath(query.get('return'), home);
  const anew = query.get('anew') === '1';
  if (!anew && told.problem === undefined && (await parts.whoIs(req))) return redirect(res, returnTo);
  const visitor = parts.visitors.of(req) ?? parts.visitors.made();
  const openWebUi = await parts.openWebUiUser(req).catch(() => undefined); // The other ways in are still there.
  const note = told.note ?? (query.has('signed-out') ? texts.signedOut : undefined);
  const page = signInPage({
    ...{ returnTo, anew, note, problem: told.problem, openWebUi: openWebUi?.id },
    field: parts.forms.field(visitorName(visitor)),
    services: parts
      .issuers()
      .filter(canSignIn)
      .map(({ name, signIn }) => ({ name, label: signIn.label ?? name })),
  });
  return sendPage(res, told.status ?? 200, page, { 'set-cookie': parts.visitors.cookie(visitor) });
}

async function withToken(parts: Parts, request: PageRequest): Promise<void> {
  const fields = await readVisitorForm(parts, request);
  const returnTo = ownPath(fields.get('return'), home);
  const token = (fields.get('token') ?? '').trim();
  const refuse = () => showSignIn(parts, request, { status: 401, problem: texts.tokenRefused, returnTo });
  // Nothing else is pasted here: an access token is made for programs, and lasts minutes.
  if (!looksLikeOurs(token)) return refuse();
  const header = (name: string) => (name === 'authorization' ? `Bearer ${token}` : undefined);
  const { clientIp } = request.arrival;
  try {
    const principal = await parts.identity.authenticate({ header, clientIp, path: '/gateway/sign-in' });
    if (principal.kind !== 'user') return await refuse();
    return await enter(parts, request, { principal, displayName: '', how: 'api-token', returnTo });
  } catch (error) {
    if (error instanceof AppError && error.status === 401) return refuse();
    throw error;
  }
}

async function withOpenWebUi(parts: Parts, request: PageRequest): Promise<void> {
  const fields = await readVisitorForm(parts, request);
  const returnTo = ownPath(fields.get('return'), home);
  const principal = await parts.openWebUiUser(request.req);
  if (!principal)
    return showSignIn(parts, request, { status: 401, problem: texts.openWebUiRefused, returnTo });
  return enter(parts, request, { principal, displayName: '', how: 'open-webui', returnTo });
}

async function toIssuer(parts: Parts, { req, res, query }: PageRequest): Promise<void> {
  const issuer = parts.issuers().find(({ name }) => name === query.get('issuer'));
  if (!issuer || !canSignIn(issuer)) return redirect(res, signInPath(ownPath(query.get('return'), home)));
  const { url, ...rest } = await parts.oidc.begin(issuer, { anew: query.get('anew') === '1' });
  const visitor = parts.visitors.trying(parts.visitors.of(req) ?? parts.visitors.made(), {
    ...rest,
    issuer: issuer.name,
    returnTo: ownPath(query.get('return'), home),
  });
  res.setHeader('set-cookie', parts.visitors.cookie(visitor));
  return redirect(res, url);
}

async function fromIssuer(parts: Parts, request: PageRequest): Promise<void> {
  const visitor = parts.visitors.of(request.req);
  const attempt = parts.visitors.attempt(visitor, request.query.get('state') ?? '');
  const issuer = parts.issuers().find(({ name }) => name === attempt?.issuer);
  if (!attempt || !issuer || !canSignIn(issuer))
    return showSignIn(parts, request, { status: 400, problem: texts.notBegun });
  const { returnTo } = attempt;
  try {
    const claims = await parts.oidc.finish(issuer, attempt, request.query);
    const person = parts.identity.personOf(issuer.issuer, claims);
    if (person.principal.kind !== 'user') throw new CredentialRefused('program', '');
    return await enter(parts, request, { ...person, how: `oidc:${issuer.name}`, returnTo });
  } catch (error) {
    const problem = problemOf(error);
    if (problem === undefined) throw error;
    return showSignIn(parts, request, { status: 403, problem, returnTo });
  }
}

function problemOf(error: unknown): string | undefined {
  if (error instanceof AppError && error.code === 'sign_in_failed') return error.message;
  if (!(error instanceof CredentialRefused)) return undefined;
  return texts.refused[error.reason] ?? texts.refused['other'];
}

/** A session of its own for each sign-in: whatever the browser held before counts no longer. */
async function enter(
  parts: Parts,
  { req, res }: PageRequest,
  o: { principal: Principal; displayName: string; how: string; returnTo: string },
): Promise<void> {
  await endOwn(parts, req);
  const held = await parts.sessions.begin({ ...o, userAgent: req.headers['user-agent'] });
  setCookies(res, [parts.cookie.set(held, sessionSeconds), parts.visitors.forget()]);
  redirect(res, o.returnTo);
}

async function signOut(parts: Parts, { req, res }: PageRequest): Promise<void> {
  const session = await parts.whoIs(req);
  if (!session) return redirect(res, '/gateway/sign-in');
  const fields = await parts.forms.read(req, sessionName(session));
  await endOwn(parts, req);
  setCookies(res, [parts.cookie.clear(), parts.visitors.forget()]);
  const next = ownPath(fields.get('return'), '');
  return redirect(res, next === '' ? '/gateway/sign-in?signed-out' : signInPath(next, { anew: true }));
}

async function endOwn({ cookie, sessions }: Parts, req: IncomingMessage): Promise<void> {
  const held = cookie.read(req);
  const session = held === undefined ? undefined : await sessions.find(held);
  if (!session) return;
  const { id: user } = session.principal;
  await sessions.end({ user, only: session.id, actor: user });
}

async function showSessions(parts: Parts, { req, res }: PageRequest): Promise<void> {
  const session = await parts.whoIs(req);
  if (!session) return redirect(res, signInPath('/gateway/sessions'));
  const all = await parts.sessions.listOf(session.principal.id);
  return sendPage(res, 200, sessionsPage(session, all, parts.forms.field(sessionName(session))));
}

async function endSessions(parts: Parts, { req, res }: PageRequest): Promise<void> {
  const session = await parts.whoIs(req);
  if (!session) return redirect(res, signInPath('/gateway/sessions'));
  const fields = await parts.forms.read(req, sessionName(session));
  const { id: user } = session.principal;
  await parts.sessions.end({ user, only: fields.get('session') ?? undefined, actor: user });
  return redirect(res, '/gateway/sessions');
}

function readVisitorForm({ visitors, forms }: Parts, { req }: PageRequest): Promise<URLSearchParams> {
  return forms.read(req, visitorName(visitors.of(req)));
}

function visitorName(visitor: Visitor | undefined): string {
  return `visitor ${visitor?.id}`;
}

function setCookies(res: ServerResponse, cookies: readonly string[]): void {
  res.setHeader('set-cookie', [...cookies]);
}
