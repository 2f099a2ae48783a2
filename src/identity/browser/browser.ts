// People at Toolgate's own pages: how they sign in with a browser, and who is at it.
import type { IncomingMessage } from 'node:http';
import type { Principal } from '../../access/contract.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../../platform/db/index.ts';
import type { Log } from '../../platform/log.ts';
import { type OwnCookie, cookieIn, ownCookie } from '../../platform/http/cookies.ts';
import type { Mount } from '../../platform/http/server.ts';
import { html, type Markup } from '../../platform/html/html.ts';
import { pageMount } from '../../platform/html/page-routes.ts';
import type { Sealer } from '../../platform/sealer.ts';
import type { Identity } from '../authenticate.ts';
import type { OidcIssuer } from '../contract.ts';
import type { Directory } from '../directory.ts';
import { createForms, type Forms } from './forms.ts';
import { createOidcSignIn } from './oidc-sign-in.ts';
import { whoIsSignedIn } from './pages.ts';
import { signInPath } from './return-path.ts';
import { type BrowserSession, createSessions, sessionName } from './sessions.ts';
import { signInRoutes } from './sign-in-routes.ts';
import type { SignIns } from './sign-ins.ts';
import { createVisitors } from './visitors.ts';

export interface BrowserDeps {
  readonly db: Db;
  readonly identity: Identity & SignIns;
  readonly issuers: () => readonly OidcIssuer[];
  readonly directory: () => Directory;
  /** People have Open WebUI at the same address: its session cookie may say who they are. */
  readonly hasOpenWebUi: boolean;
  readonly publicUrl: string;
  readonly sealerFor: (purpose: string) => Sealer;
  readonly log: Log;
  readonly clock: Clock;
  readonly fetch?: typeof fetch;
}

/** Who is at a browser, for the pages of other features. */
export interface Browser {
  /** The pages for signing in and out. */
  readonly mount: Mount;
  /**
   * The person who is signed in with the browser that sent this; undefined: nobody, or somebody who is disabled.
   * Rejects when that cannot be found out at the moment.
   */
  whoIs(req: IncomingMessage): Promise<BrowserSession | undefined>;
  /** Where to sign in; the browser comes back to `returnTo`, a path of this program. `anew`: as somebody else. */
  signInPath(returnTo: string, o?: { readonly anew: boolean }): string;
  /** Hidden field of the forms on a page for this session. */
  field(session: BrowserSession): Markup;
  /** A form that signs out, and leads to signing in as somebody else and back to `returnTo`. */
  switchForm(session: BrowserSession, label: string, returnTo: string): Markup;
  /** Name and way out, for the head of a page. */
  who(session: BrowserSession): Markup;
  /** The fields of a form that this session's page sent. Rejects with AppErrors for anything else. */
  readForm(req: IncomingMessage, session: BrowserSession): Promise<URLSearchParams>;
}

/** Open WebUI's own cookie. */
const openWebUiCookie = 'token';

export function createBrowser(deps: BrowserDeps): Browser {
  const { db, clock, publicUrl, sealerFor, log, identity } = deps;
  const isSecure = publicUrl.startsWith('https:');
  const cookie = ownCookie('toolgate_session', isSecure);
  const sessions = createSessions({ db, clock, sealer: sealerFor('browser-session') });
  const visitors = createVisitors({
    ...{ clock, sealer: sealerFor('browser-visitor') },
    cookie: ownCookie('toolgate_visitor', isSecure),
  });
  const forms = createForms({ sealer: sealerFor('browser-form'), publicUrl });
  const openWebUiUser = (req: IncomingMessage) =>
    deps.hasOpenWebUi ? userOfOpenWebUi(identity, req) : Promise.resolve(undefined);
  const whoIs = (req: IncomingMessage) =>
    find(req, { cookie, sessions, openWebUiUser, directory: deps.directory });
  const oidc = createOidcSignIn({ publicUrl, clock, log, fetch: deps.fetch ?? fetch });
  const routes = signInRoutes({ ...deps, cookie, sessions, visitors, forms, oidc, whoIs, openWebUiUser });
  return {
    mount: pageMount({ routes, publicUrl, log }),
    whoIs,
    signInPath,
    ...faceOf(forms),
  };
}

function faceOf(forms: Forms): Pick<Browser, 'field' | 'switchForm' | 'who' | 'readForm'> {
  const field = (session: BrowserSession) => forms.field(sessionName(session));
  return {
    field,
    switchForm: (
      session,
      label,
      returnTo,
    ) => html`<form method="post" action="/gateway/sign-out">${field(session)}
<input type="hidden" name="return" value="${returnTo}"><button>${label}</button></form>`,
    who: (session) => whoIsSignedIn(session.principal.id, field(session)),
    readForm: (req, session) => forms.read(req, sessionName(session)),
  };
}

async function find(
  req: IncomingMessage,
  o: {
    cookie: OwnCookie;
    sessions: ReturnType<typeof createSessions>;
    openWebUiUser: (req: IncomingMessage) => Promise<Principal | undefined>;
    directory: () => Directory;
  },
): Promise<BrowserSession | undefined> {
  const held = o.cookie.read(req);
  const session = held === undefined ? undefined : await o.sessions.find(held);
  if (!session || o.directory().members.get(session.principal.id)?.disabled) return undefined;
  // It lasts as long as the one of Open WebUI that it was begun with: only that one knows when it is over.
  if (session.how === 'open-webui' && (await o.openWebUiUser(req))?.id !== session.principal.id)
    return undefined;
  return session;
}

/** The person whose session of Open WebUI this browser holds; undefined: nobody. */
async function userOfOpenWebUi(identity: Identity, req: IncomingMessage): Promise<Principal | undefined> {
  const token = cookieIn(req, openWebUiCookie);
  if (token === undefined || token === '') return undefined;
  const header = (name: string) => (name === 'authorization' ? `Bearer ${token}` : undefined);
  try {
    const principal = await identity.authenticate({ header, clientIp: '', path: '/gateway/sign-in' });
    // Whatever else may be in a cookie of that name is no session of Open WebUI.
    return principal.authSource === 'open-webui' ? principal : undefined;
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'status' in error && error.status === 401;
}
