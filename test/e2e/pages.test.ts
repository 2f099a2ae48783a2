// Two people connect accounts in a real browser, each in a window of their own.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chromiumProgram } from '../../scripts/chromium.mjs';
import { startOAuthServer } from '../fakes/oauth-mcp-server.ts';
import { startSignInService } from '../fakes/sign-in-service.ts';
import { toolClients } from './clients.ts';
import { startGate } from './gate.ts';

const people = ['alice@acme.com', 'bob@acme.com'] as const;
const [alice, bob] = people;
const oauth = await startOAuthServer();
const company = await startSignInService();
const { origin: issuer, clientId, clientSecret } = company;
const gate = await startGate({
  config: {
    identity: {
      issuers: [
        {
          ...{ name: 'acme', kind: 'generic', issuer, audience: ['api'] },
          signIn: { clientId, clientSecret, label: 'Acme' },
        },
      ],
    },
    mcpServers: {
      desk: {
        ...{ url: oauth.url, displayName: 'Service Desk', account: { kind: 'oauth' } },
        description: 'Tickets, changes and who is on call. Everything that you do there is done as yourself.',
      },
      wiki: {
        ...{ url: 'http://127.0.0.1:9/mcp', headers: { Authorization: 'Bearer ${credential}' } },
        displayName: 'Wiki <img src=x onerror=alert(1)>',
      },
    },
    groups: { Everyone: { servers: ['desk', 'wiki'] }, A: { tenant: 'acme' }, B: { tenant: 'bolt' } },
    tenants: { acme: { displayName: 'Acme Corporation' }, bolt: { displayName: 'Bolt' } },
    users: {
      [alice]: { groups: ['Everyone'] },
      [bob]: { groups: ['Everyone', 'A', 'B'], defaultTenant: 'acme' },
    },
    network: { allow: ['127.0.0.0/8'] },
  },
});
const link = /http:\/\/localhost:\d+\/gateway\/connect\?link=[\w-]+/;

let browser: Browser;
let pictures: string;
beforeAll(async () => {
  pictures = await mkdtemp(path.join(tmpdir(), 'toolgate-pages-'));
  const executablePath = chromiumProgram();
  if (!executablePath) throw new Error('There is no Chromium: `npm test` installs one, or says how.');
  // Chromium has no sandbox for the superuser, as whom containers run.
  browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await oauth.close();
  await company.close();
});

/** What pages complain of: what their policy keeps from running is told there. */
const complaints: string[] = [];

/** A window of this person's; both sign-in services know who is at it. */
async function windowOf(person: string, options: BrowserContextOptions): Promise<Page> {
  const context = await browser.newContext({ ...options, extraHTTPHeaders: { 'x-person': person } });
  const page = await context.newPage();
  page.on('console', (message) => {
    // A page that refuses says so by its status, which is noted here as well.
    const isRefusal = message.text().includes('status of 403');
    if (message.type() === 'error' && !isRefusal) complaints.push(message.text());
  });
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return page;
}

let taken = 0;
async function shot(page: Page, name: string): Promise<void> {
  await page.screenshot({
    path: path.join(pictures, `${String(++taken).padStart(2, '0')}-${name}.png`),
    fullPage: true,
  });
}

async function whoami(person: string): Promise<string> {
  const connect = toolClients['sdk 1.x'];
  if (!connect) throw new Error('there is such a client');
  const chat = await connect(`${gate.url}/mcp/desk`, await gate.tokenFor(person));
  return (await chat.call('whoami', {})).text;
}

async function linkFor(person: string): Promise<string> {
  return link.exec(await whoami(person))?.[0] ?? '';
}

test('two people connect from links in their chats, on a telephone in the dark and at a desk', async () => {
  const phone = await windowOf(alice, { viewport: { width: 360, height: 740 }, colorScheme: 'dark' });
  const desk = await windowOf(bob, { viewport: { width: 1200, height: 800 }, colorScheme: 'light' });
  for (const [page, person, look] of [
    [phone, alice, 'phone-dark'],
    [desk, bob, 'desk-light'],
  ] as const) {
    await page.goto(await linkFor(person));
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.getByText('Use an API token instead').click();
    await shot(page, `sign-in-${look}`);
    await page.getByRole('link', { name: 'Sign in with Acme' }).click();
    await page.getByRole('heading', { name: 'Service Desk is connected' }).waitFor();
    await shot(page, `connected-${look}`);
    expect(await whoami(person)).toBe(person);
  }

  // Somebody else's link, in one's own browser.
  await phone.goto('/gateway/accounts'.replace(/^/, gate.url.replace('127.0.0.1', 'localhost')));
  await phone.getByRole('button', { name: 'Disconnect' }).click();
  await phone.getByRole('status').waitFor();
  const alices = await linkFor(alice);
  await desk.goto(alices);
  await desk.getByRole('heading', { name: 'This link is for somebody else' }).waitFor();
  await shot(desk, 'somebody-else');
  expect(await whoami(alice)).toMatch(link);
  expect(complaints).toEqual([]);
}, 90_000);

test('people see their accounts and keys, for each tenant, and set a key of their own', async () => {
  const page = await windowOf(bob, { viewport: { width: 1200, height: 800 }, colorScheme: 'light' });
  const site = gate.url.replace('127.0.0.1', 'localhost');
  await page.goto(`${site}/gateway/accounts`);
  await page.getByRole('link', { name: 'Sign in with Acme' }).click();
  const wiki = page.getByRole('region', { name: 'Wiki' });
  await wiki.getByText('Add your key').click();
  await wiki.getByLabel('Your key').fill('my-own-key-1234');
  await shot(page, 'accounts-desk-light');
  await wiki.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Your key is saved.').waitFor();
  await wiki.getByText('your own key', { exact: true }).waitFor();
  await shot(page, 'key-saved');
  await page.getByRole('link', { name: 'Bolt' }).click();
  await wiki.getByText('no key', { exact: true }).waitFor();
  await page.setViewportSize({ width: 360, height: 740 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await shot(page, 'accounts-phone-dark');
  // Nothing is wider than the screen.
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  await page.goto(`${site}/gateway/sessions`);
  await page.getByRole('heading', { name: 'Where you are signed in' }).waitFor();
  await shot(page, 'sessions-phone-dark');
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  await page.getByRole('button', { name: 'Sign out everywhere' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  expect(complaints).toEqual([]);
}, 90_000);

test('everything can be reached and used with the keyboard alone', async () => {
  const page = await windowOf(alice, { viewport: { width: 800, height: 600 } });
  await page.goto(`${gate.url.replace('127.0.0.1', 'localhost')}/gateway/sign-in`);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Your accounts' }).waitFor();
  await shot(page, 'accounts-keyboard');
  expect(complaints).toEqual([]);
}, 60_000);
