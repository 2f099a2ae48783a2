import { html, type Markup } from '../../platform/html/html.ts';
import type { Page } from '../../platform/html/page.ts';
import type { BrowserSession } from './sessions.ts';
import type { SessionView } from './session-store.ts';
import { texts } from './texts.ts';

export interface SignInPage {
  readonly returnTo: string;
  /** Hidden field of the forms. */
  readonly field: Markup;
  readonly services: readonly { readonly name: string; readonly label: string }[];
  /** Whom the browser's session of Open WebUI is of. */
  readonly openWebUi: string | undefined;
  /** Not as whoever was signed in before. */
  readonly anew: boolean;
  readonly problem?: string | undefined;
  readonly note?: string | undefined;
}

export function signInPage(o: SignInPage): Page {
  const hasOther = o.services.length > 0 || o.openWebUi !== undefined;
  const token = tokenForm(o, hasOther ? 'plain' : '');
  return {
    title: texts.title,
    body: html`
${o.problem !== undefined && html`<p class="note bad" role="alert">${o.problem}</p>`}
${o.note !== undefined && html`<p class="note good" role="status">${o.note}</p>`}
<div class="card">
<p>${leadOf(o.anew, hasOther)}</p>
${o.services.map((one) => serviceLink(one, o))}
${o.openWebUi !== undefined && openWebUiForm(o, o.openWebUi)}
${hasOther ? html`<details><summary>${texts.useToken}</summary>${token}</details>` : token}
</div>`,
  };
}

function leadOf(anew: boolean, hasOther: boolean): string {
  if (!hasOther) return texts.noWay;
  return anew ? texts.asSomeoneElse : texts.lead;
}

function serviceLink(
  { name, label }: SignInPage['services'][number],
  { returnTo, anew }: SignInPage,
): Markup {
  const query = new URLSearchParams({ issuer: name, return: returnTo, ...(anew && { anew: '1' }) });
  return html`<a class="button wide" href="/gateway/sign-in/oidc?${query.toString()}">${texts.with(label)}</a>`;
}

function openWebUiForm({ field, returnTo }: SignInPage, user: string): Markup {
  return html`<form method="post" action="/gateway/sign-in/open-webui">${field}
<input type="hidden" name="return" value="${returnTo}">
<button class="wide">${texts.openWebUi(user)}</button>
<small>${texts.openWebUiHint}</small>
</form>`;
}

function tokenForm({ field, returnTo }: SignInPage, look: string): Markup {
  return html`<form method="post" action="/gateway/sign-in/token">${field}
<input type="hidden" name="return" value="${returnTo}">
<label for="token">${texts.tokenLabel}</label>
<input id="token" name="token" type="password" required autocomplete="off" spellcheck="false" aria-describedby="token-hint">
<p><small id="token-hint">${texts.tokenHint}</small></p>
<button class="${look}">${texts.tokenButton}</button>
</form>`;
}

/** For the head of every page of somebody who is signed in. */
export function whoIsSignedIn(user: string, field: Markup): Markup {
  return html`<a href="/gateway/sessions">${user}</a>
<form method="post" action="/gateway/sign-out">${field}<button class="link">${texts.signOut}</button></form>`;
}

export function sessionsPage(
  { id: own, principal }: BrowserSession,
  sessions: readonly SessionView[],
  field: Markup,
): Page {
  const words = texts.sessions;
  const cards = sessions.map(
    ({ id, userAgent, createdAt, lastSeenAt }) => html`<section class="card">
<div class="row"><h2>${browserName(userAgent ?? '')}</h2>${id === own && html`<span class="badge good">${words.thisOne}</span>`}</div>
<p class="soft">${words.since} ${timeOf(createdAt)}<br>${words.seen} ${timeOf(lastSeenAt)}</p>
<div class="actions"><form method="post" action="/gateway/sessions/end">${field}
<input type="hidden" name="session" value="${id}"><button class="plain">${words.end}</button></form></div></section>`,
  );
  return {
    title: words.title,
    who: whoIsSignedIn(principal.id, field),
    body: html`${cards}
<div class="actions">
<form method="post" action="/gateway/sessions/end">${field}<button class="danger">${words.endAll}</button></form>
</div>
<p><a href="/gateway/accounts">${words.back}</a></p>`,
  };
}

const browsers = ['Edg', 'OPR', 'Firefox', 'Chrome', 'Safari'];
const names: Readonly<Record<string, string>> = { Edg: 'Edge', OPR: 'Opera' };
const systems = ['Android', 'iPhone', 'iPad', 'Windows', 'Mac OS', 'CrOS', 'Linux'];

/** What people call a browser: its header names every other one as well. */
function browserName(userAgent: string): string {
  const browser = browsers.find((name) => userAgent.includes(`${name}/`));
  const system = systems.find((name) => userAgent.includes(name));
  if (browser === undefined) return texts.sessions.unknown;
  return texts.sessions.named(names[browser] ?? browser, system);
}

function timeOf(at: Date): Markup {
  const iso = at.toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')} UTC</time>`;
}
