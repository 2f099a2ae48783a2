// Pages on which people connect accounts and set keys. They run no scripts; whatever came from elsewhere is text.
import { html, type Markup } from '../../platform/html/html.ts';
import type { Page } from '../../platform/html/page.ts';
import type { AccountState, FoundCredential } from '../../secrets/index.ts';
import { nameOf } from './account-of.ts';
import type { OwnServer, Person } from './person.ts';
import { texts } from './texts.ts';

export interface AccountsPage {
  readonly person: Person;
  readonly servers: readonly OwnServer[];
  /** Accounts at servers that the person may not use any more. */
  readonly leftovers: readonly string[];
  readonly who: Markup;
  /** Hidden field of the forms. */
  readonly field: Markup;
  /** What was just done: a key of the catalogue. */
  readonly done: string | null;
  readonly problem?: string | undefined;
  /** The path that begins a connection. */
  linkTo(server: string): string;
}

const words = texts.accounts;

export function accountsPage(o: AccountsPage): Page {
  const told = o.done === null || !Object.hasOwn(words.done, o.done) ? undefined : words.done[o.done];
  return {
    title: words.title,
    who: o.who,
    body: html`
${o.problem !== undefined && html`<p class="note bad" role="alert">${o.problem}</p>`}
${told !== undefined && html`<p class="note good" role="status">${told}</p>`}
<p>${words.lead}</p>
${tenantChoice(o.person)}
${o.servers.length + o.leftovers.length === 0 && html`<p class="card soft">${words.nothing}</p>`}
${o.servers.map((one) => serverCard(one, o))}
${o.leftovers.map((server) => leftoverCard(server, o))}`,
  };
}

function tenantChoice({ tenant, tenants }: Person): Markup | undefined {
  if (tenants.length < 2) return undefined;
  const items = tenants.map(({ id, displayName }) => {
    const current = id === tenant?.id ? html` aria-current="page"` : undefined;
    return html`<li><a href="/gateway/accounts?tenant=${id}"${current}>${displayName || id}</a></li>`;
  });
  return html`<nav aria-label="${words.tenants}"><p class="soft">${words.tenants}</p><ul>${items}</ul></nav>`;
}

function serverCard(one: OwnServer, page: AccountsPage): Markup {
  const { definition } = one.server;
  return html`<section class="card" aria-label="${nameOf(one.server)}">
<div class="row"><h2>${nameOf(one.server)}</h2>${one.account && stateBadge(one.account)}</div>
${definition.description !== undefined && html`<p class="soft">${definition.description}</p>`}
${one.account && accountPart(one, one.account, page)}
${[...one.keys].map(([name, found]) => keyPart(one, { name, found }, page))}
</section>`;
}

function leftoverCard(server: string, page: AccountsPage): Markup {
  return html`<section class="card" aria-label="${server}"><h2>${server}</h2><p class="soft">${words.leftover}</p>
<div class="actions">${postButton(page, { action: 'disconnect', server, label: words.disconnect })}</div></section>`;
}

const badges = { connected: 'good', reconnect: 'warn', none: '' } as const;

function stateBadge({ state }: AccountState): Markup {
  return html`<span class="badge ${badges[state]}">${words.states[state]}</span>`;
}

function accountPart({ server }: OwnServer, account: AccountState, page: AccountsPage): Markup {
  const isThere = account.state !== 'none';
  const label = isThere ? words.reconnect(nameOf(server)) : words.connect(nameOf(server));
  const kind = account.state === 'connected' ? 'button plain' : 'button';
  return html`
${account.state === 'reconnect' && html`<p>${account.problem}</p>`}
${account.state === 'connected' && html`<p class="soft">${words.since} ${dayOf(account.connectedAt)}</p>`}
<div class="actions"><a class="${kind}" href="${page.linkTo(server.id)}">${label}</a>
${isThere && postButton(page, { action: 'disconnect', server: server.id, label: words.disconnect })}</div>`;
}

function keyPart(
  { server }: OwnServer,
  { name, found }: { name: string; found: FoundCredential | null },
  page: AccountsPage,
): Markup {
  const isOwn = found?.owner === 'user';
  const id = `key-${server.id}-${name}`;
  return html`
<div class="row"><span>${name === 'default' ? words.keys : words.keyNamed(name)}</span>
<span class="badge ${found ? 'good' : 'warn'}">${words.whose[found?.owner ?? 'none']}</span></div>
<details><summary>${isOwn ? words.replaceKey : words.addKey}</summary>
<form method="post" action="/gateway/accounts/key">${hidden(page, { server: server.id, name })}
<label for="${id}">${words.keyLabel}</label>
<input id="${id}" name="value" type="password" required maxlength="20000" autocomplete="off" spellcheck="false">
<p><small>${words.keyHint}</small></p><button>${words.saveKey}</button></form></details>
${isOwn && html`<div class="actions">${postButton(page, { action: 'key/remove', server: server.id, name, label: words.removeKey })}</div>`}`;
}

function postButton(
  page: AccountsPage,
  o: { readonly action: string; readonly server: string; readonly name?: string; readonly label: string },
): Markup {
  const { action, label, ...fields } = o;
  return html`<form method="post" action="/gateway/accounts/${action}">${hidden(page, fields)}<button class="danger">${label}</button></form>`;
}

function hidden({ field, person }: AccountsPage, fields: Readonly<Record<string, string>>): Markup {
  const all = { ...fields, ...(person.tenant && { tenant: person.tenant.id }) };
  return html`${field}${Object.entries(all).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )}`;
}

function dayOf(at: Date): Markup {
  const day = at.toISOString().slice(0, 10);
  return html`<time datetime="${day}">${day}</time>`;
}

/** A page that says how it went, and where to go from here. */
export function outcomePage(o: {
  readonly title: string;
  readonly text: string;
  readonly mood: 'good' | 'bad' | 'warn';
  readonly who?: Markup | undefined;
  readonly action?: Markup | undefined;
}): Page {
  return {
    title: o.title,
    who: o.who,
    body: html`<p class="note ${o.mood}" role="${o.mood === 'good' ? 'status' : 'alert'}">${o.text}</p>
<div class="actions">${o.action}<a class="button plain" href="/gateway/accounts">${texts.connect.toAccounts}</a></div>`,
  };
}
