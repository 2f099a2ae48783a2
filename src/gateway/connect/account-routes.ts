import type { Browser, BrowserSession } from '../../identity/index.ts';
import { AppError } from '../../platform/errors.ts';
import type { Mount } from '../../platform/http/server.ts';
import { sendJson } from '../../platform/http/server.ts';
import { html } from '../../platform/html/html.ts';
import { redirect, sendPage } from '../../platform/html/page.ts';
import { pageMount, type PageRequest, type PageRoutes } from '../../platform/html/page-routes.ts';
import { keyValue } from '../../secrets/contract.ts';
import {
  callbackPath,
  clientMetadataPath,
  ConnectFailed,
  type Finished,
  issuerCallback,
  issuerMetadata,
} from '../../secrets/index.ts';
import type { Log } from '../../platform/log.ts';
import type { Gate } from '../call.ts';
import { accountServer, hasSecretAddress, nameOf } from './account-of.ts';
import { accountsPage, outcomePage } from './account-pages.ts';
import { type ConnectPlace, connectPath, linkParameter } from './links.ts';
import { leftoverServers, ownServers, type Person, personFor, placeOf, reachedBy } from './person.ts';
import { texts } from './texts.ts';

/** Keys that people set for themselves. */
export interface OwnKeys {
  /** Rejects with AppErrors whose sentences are for people. */
  set(place: OwnKeyPlace, value: string, actor: PageActor): Promise<void>;
  remove(place: OwnKeyPlace, actor: PageActor): Promise<void>;
}

export interface OwnKeyPlace {
  readonly user: string;
  readonly tenant: string | null;
  readonly server: string;
  readonly name: string;
}

export interface PageActor {
  readonly id: string;
  readonly requestId: string;
  readonly clientIp: string;
}

export interface ConnectPagesOptions {
  readonly gate: Gate;
  readonly browser: Browser;
  readonly keys: OwnKeys;
  readonly publicUrl: string;
  readonly log: Log;
}

const home = '/gateway/accounts';

/** The pages on which people connect their accounts, and where authorization servers send them back to. */
export function connectMount(o: ConnectPagesOptions): Mount {
  return pageMount({ routes: routesOf(o), publicUrl: o.publicUrl, log: o.log });
}

function routesOf(o: ConnectPagesOptions): PageRoutes['routes'] {
  return {
    [`GET ${home}`]: signedIn(o, (session, request) => showAccounts(o, session, request)),
    [`POST ${home}/disconnect`]: signedIn(o, (session, request) => disconnect(o, session, request)),
    [`POST ${home}/key`]: signedIn(o, (session, request) => setKey(o, session, request)),
    [`POST ${home}/key/remove`]: signedIn(o, (session, request) => removeKey(o, session, request)),
    [`GET ${connectPath}`]: (request) => connect(o, request),
    [`GET ${callbackPath}`]: signedIn(o, (session, request) => finish(o, session, request)),
    [`GET ${issuerCallback}*`]: signedIn(o, (session, request) => finish(o, session, request)),
    [`GET ${clientMetadataPath}`]: (request) => sendMetadata(o, request),
    [`GET ${issuerMetadata}*`]: (request) => sendMetadata(o, request),
  };
}

type Handler = (session: BrowserSession, request: PageRequest) => Promise<void> | void;

/** Whoever is not signed in does that first, and comes back; a form has to be filled in once more. */
function signedIn({ browser }: ConnectPagesOptions, handle: Handler) {
  return async (request: PageRequest): Promise<void> => {
    const session = await browser.whoIs(request.req);
    if (session) return handle(session, request);
    const here = request.req.method === 'GET' ? (request.req.url ?? home) : home;
    return redirect(request.res, browser.signInPath(here));
  };
}

function showAccounts(
  o: ConnectPagesOptions,
  session: BrowserSession,
  { res, query }: PageRequest,
  problem?: string,
): void {
  const { gate, browser } = o;
  const person = personFor(gate, session.principal, query.get('tenant'));
  const page = accountsPage({
    ...{ person, problem, servers: ownServers(gate, person), done: query.get('done') },
    leftovers: leftoverServers(gate, person),
    ...{ who: browser.who(session), field: browser.field(session) },
    linkTo: (server) => pathOf(gate.connect.links.urlFor(placeOf(person, server))),
  });
  return sendPage(res, problem === undefined ? 200 : 400, page);
}

/** A link from a chat, or a button of the page above. It says who and where; the browser has to be that person's. */
async function connect(o: ConnectPagesOptions, request: PageRequest): Promise<void> {
  const { gate, browser } = o;
  const { req, res, query } = request;
  const opened = gate.connect.links.open(query.get(linkParameter) ?? '');
  if (!opened) return sendPage(res, 400, outcomePage({ ...texts.connect.notOurs, mood: 'bad' }));
  const session = await browser.whoIs(req);
  if (!session) return redirect(res, browser.signInPath(req.url ?? home));
  const who = browser.who(session);
  const { id: user } = session.principal;
  if (opened.place.user !== user) {
    const { title, text, as } = texts.connect.notYours;
    const action = browser.switchForm(session, as, req.url ?? home);
    return sendPage(res, 403, outcomePage({ title, text: text(user), mood: 'warn', who, action }));
  }
  if (opened.isOver) return sendPage(res, 410, outcomePage({ ...texts.connect.isOver, mood: 'warn', who }));
  return begin(o, session, opened.place, request);
}

async function begin(
  { gate, browser }: ConnectPagesOptions,
  session: BrowserSession,
  place: ConnectPlace,
  { res }: PageRequest,
): Promise<void> {
  const who = browser.who(session);
  const person = personFor(gate, session.principal, place.tenant);
  const reached = reachedBy(person, place.server);
  const server = reached && accountServer(reached);
  // The tenant of the link, or none: an account never ends up with another one.
  const isTheirs = (person.tenant?.id ?? null) === place.tenant;
  if (isTheirs && reached && hasSecretAddress(reached))
    return failed({ gate, browser }, session, { res, place, message: texts.secretAddress(place.server) });
  if (!server || !isTheirs)
    return sendPage(res, 404, outcomePage({ ...texts.connect.gone, mood: 'warn', who }));
  if (place.scopes?.length && !place.isSeen) return showFurther({ gate, browser }, session, { res, place });
  try {
    const { tenant, user, scopes: further } = place;
    const returnTo = withTenant(home, tenant);
    const { url } = await gate.connect.accounts.begin({ tenant, user, server, returnTo, further });
    return redirect(res, url);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return failed({ gate, browser }, session, { res, place, message: error.message });
  }
}

/** Whoever opened a link in a chat sees what it is for, before the service may give it without another question. */
function showFurther(
  { gate, browser }: Pick<ConnectPagesOptions, 'gate' | 'browser'>,
  session: BrowserSession,
  { res, place }: { readonly res: PageRequest['res']; readonly place: ConnectPlace },
): void {
  const { title, text, go } = texts.connect.further;
  const onward = pathOf(gate.connect.links.urlFor({ ...place, isSeen: true }));
  const page = {
    ...{ title: title(labelOf(gate, place)), text: text(place.scopes ?? []), mood: 'warn' as const },
    ...{ who: browser.who(session), action: html`<a class="button" href="${onward}">${go}</a>` },
  };
  return sendPage(res, 200, outcomePage(page));
}

async function finish(
  o: ConnectPagesOptions,
  session: BrowserSession,
  { res, query, arrival }: PageRequest,
): Promise<void> {
  const { gate, browser } = o;
  const { id: user } = session.principal;
  try {
    const { path } = arrival;
    const actor = actorOf(user, arrival);
    const finished = await gate.connect.accounts.finish({ path, query, user, actor });
    const title = texts.connect.done(labelOf(gate, finished));
    return sendPage(
      res,
      200,
      outcomePage({ title, text: texts.connect.back, mood: 'good', who: browser.who(session) }),
    );
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const place = error instanceof ConnectFailed ? { ...error.at, user } : undefined;
    return failed({ gate, browser }, session, { res, place, message: error.message });
  }
}

interface Failure {
  readonly res: PageRequest['res'];
  /** What was being connected, where that is known. */
  readonly place: ConnectPlace | undefined;
  readonly message: string;
}

function failed(
  { gate, browser }: Pick<ConnectPagesOptions, 'gate' | 'browser'>,
  session: BrowserSession,
  { res, place, message }: Failure,
): void {
  const title = place ? texts.connect.failed(labelOf(gate, place)) : texts.connect.failedSomewhere;
  const again = place && pathOf(gate.connect.links.urlFor(place));
  const action =
    again === undefined ? undefined : html`<a class="button" href="${again}">${texts.connect.again}</a>`;
  return sendPage(
    res,
    400,
    outcomePage({ title, text: message, mood: 'bad', who: browser.who(session), action }),
  );
}

async function disconnect(
  o: ConnectPagesOptions,
  session: BrowserSession,
  { req, res, arrival }: PageRequest,
): Promise<void> {
  const { gate } = o;
  const fields = await o.browser.readForm(req, session);
  const person = personFor(gate, session.principal, fields.get('tenant'));
  const server = fields.get('server') ?? '';
  const place = placeOf(person, server);
  const isKnown = gate.connect.accounts.listFor(place.user).some((one) => one.server === server);
  if (!isKnown) return done(res, person, 'disconnected');
  const { revoked } = await gate.connect.accounts.disconnect(place, actorOf(place.user, arrival));
  return done(res, person, revoked === 'no' ? 'disconnected-here' : 'disconnected');
}

function setKey(o: ConnectPagesOptions, session: BrowserSession, request: PageRequest): Promise<void> {
  return changeKey(o, session, request, async (place, fields, actor) => {
    const value = keyValue.safeParse(fields.get('value')?.trim());
    if (!value.success) throw new AppError('form_invalid', 400, texts.accounts.keyUnfit);
    await o.keys.set(place, value.data, actor);
    return 'key-saved';
  });
}

function removeKey(o: ConnectPagesOptions, session: BrowserSession, request: PageRequest): Promise<void> {
  return changeKey(o, session, request, async (place, _fields, actor) => {
    await o.keys.remove(place, actor);
    return 'key-removed';
  });
}

async function changeKey(
  o: ConnectPagesOptions,
  session: BrowserSession,
  request: PageRequest,
  change: (place: OwnKeyPlace, fields: URLSearchParams, actor: PageActor) => Promise<string>,
): Promise<void> {
  const { gate } = o;
  const fields = await o.browser.readForm(request.req, session);
  const person = personFor(gate, session.principal, fields.get('tenant'));
  const [server, name] = [fields.get('server') ?? '', fields.get('name') ?? ''];
  // Only what the page offers: a key under any other name is used by nobody, or by a server that is not theirs.
  const offered = ownServers(gate, person)
    .find((one) => one.server.id === server)
    ?.keys.has(name);
  if (!offered) return sendPage(request.res, 404, outcomePage({ ...texts.connect.gone, mood: 'warn' }));
  try {
    const place = { ...placeOf(person, server), name };
    const what = await change(place, fields, actorOf(place.user, request.arrival));
    return done(request.res, person, what);
  } catch (error) {
    if (!(error instanceof AppError) || error.status >= 500) throw error;
    return showAccounts(o, session, request, error.message);
  }
}

function done(res: PageRequest['res'], { tenant }: Person, what: string): void {
  const query = new URLSearchParams({ ...(tenant && { tenant: tenant.id }), done: what });
  redirect(res, `${home}?${query}`);
}

function sendMetadata({ gate }: ConnectPagesOptions, { res, arrival }: PageRequest): void {
  const document = gate.connect.accounts.clientMetadata(arrival.path);
  if (!document) throw new AppError('not_found', 404, 'There is nothing at this address.');
  sendJson(res, 200, document, { 'cache-control': 'public, max-age=300' });
}

function actorOf(id: string, { requestId, clientIp }: PageRequest['arrival']): PageActor {
  return { id, requestId, clientIp };
}

function labelOf(gate: Gate, { server }: Pick<Finished, 'server'>): string {
  const found = gate.snapshot().servers.get(server);
  return found ? nameOf(found) : server;
}

function withTenant(path: string, tenant: string | null): string {
  return tenant === null ? path : `${path}?${new URLSearchParams({ tenant })}`;
}

function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}
