// The real Open WebUI behind Toolgate, in a real browser; with Caddy in front where there is one (TOOLGATE_LIVE_CADDY, or
// `caddy` on the PATH). Screenshots go to TOOLGATE_LIVE_SCREENSHOTS, or a temporary folder.
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chromiumProgram } from '../../scripts/chromium.mjs';
import { eventually, type Gate, startGate } from '../e2e/gate.ts';
import { freePort } from '../e2e/program.ts';
import { ownRedis } from '../redis.ts';
import { caddyProgram, startCaddy } from './caddy.ts';
import { openWebUiVersions, startEmptyOpenWebUi } from './open-webui-server.ts';
import { startStreamingModel, type StreamingModel } from './streaming-model.ts';

const first = 'Four score and seven ';
const rest = 'years ago our fathers brought forth a nation.';
const password = 'a long password 1';
const message = { selector: '#chat-input' };

let model: StreamingModel;
let gate: Gate;
let browser: Browser;
let page: Page;
let address: string;
let shots: string;
let owuiUrl: string;
let log: () => string;
let version: string;

beforeAll(async () => {
  [version = '0.12.4'] = openWebUiVersions;
  shots =
    process.env['TOOLGATE_LIVE_SCREENSHOTS'] ?? (await mkdtemp(path.join(tmpdir(), 'toolgate-screens-')));
  await mkdir(shots, { recursive: true });
  process.stderr.write(`Screenshots: ${shots}\n`);
  model = await startStreamingModel(first, rest);
  const redis = await ownRedis();
  await redis.start();
  const caddy = caddyProgram();
  const site = `https://localhost:${await freePort()}`;
  const owui = await startEmptyOpenWebUi(version, model.url, {
    ...{ CORS_ALLOW_ORIGIN: '*', REDIS_URL: redis.url, ENABLE_API_KEYS: 'true' },
    ...(caddy !== undefined && {
      WEBUI_URL: site,
      CORS_ALLOW_ORIGIN: site,
      WEBUI_SESSION_COOKIE_SECURE: 'true',
    }),
  });
  owuiUrl = owui.url;
  log = owui.log;
  gate = await startGate({
    embedded: true,
    env: {
      OPEN_WEBUI_URL: owui.url,
      ...(caddy !== undefined && { PUBLIC_URL: site, TRUSTED_PROXIES: '127.0.0.1,::1' }),
    },
  });
  if (caddy !== undefined) await startCaddy(caddy, { site, toolgate: new URL(gate.url).host });
  address = caddy === undefined ? gate.url : site;
  const executablePath = chromiumProgram();
  if (!executablePath) throw new Error('This test needs Chromium.');
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  browser = await chromium.launch({ executablePath, args });
  page = await (await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-US' })).newPage();
  page.setDefaultTimeout(60_000);
});

afterAll(async () => {
  await browser?.close();
});

async function shot(name: string): Promise<void> {
  await page.screenshot({ path: path.join(shots, `${name}.png`) });
}

async function step<T>(name: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    await shot(`${name}-failed`);
    process.stderr.write(`${log().slice(-3000)}\n${gate.logs().slice(-3000)}\n`);
    throw error;
  } finally {
    await shot(name);
  }
}

const sessionCookie = async () => (await page.context().cookies()).find(({ name }) => name === 'token');
const cookieToken = async () => (await sessionCookie())?.value ?? '';

test('somebody signs up', () =>
  step('1-sign-up', async () => {
    await page.goto(address);
    await page.getByRole('button', { name: 'Get started' }).click();
    await page.getByLabel('Name', { exact: true }).fill('Alice');
    await page.getByLabel('Email').fill('alice@acme.com');
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', { name: /create admin account/i }).click();
    await page.waitForSelector(message.selector);
    expect((await cookieToken()).split('.')).toHaveLength(3);
    expect((await sessionCookie())?.secure).toBe(address.startsWith('https:'));
  }));

test('the window opens its WebSocket through the gate', () =>
  step('2-socket', async () => {
    const opened = page.waitForEvent('websocket', (one) => one.url().includes('/ws/socket.io'));
    await page.reload();
    const socket = await opened;
    await socket.waitForEvent('framereceived');
    expect(socket.isClosed()).toBe(false);
    await page.waitForSelector(message.selector);
  }));

/** What is new is told once, over everything else. */
async function closeNews(): Promise<void> {
  const button = page.getByText("Okay, Let's Go!");
  await button.click({ timeout: 10_000 }).catch(() => undefined);
  await button.waitFor({ state: 'hidden' });
}

test('a chat streams', () =>
  step('4-chat', async () => {
    await closeNews();
    await page.locator(message.selector).click();
    await page.keyboard.type('How does it begin?');
    await page.keyboard.press('Enter');
    // The model has said a part of it, and waits.
    await page.getByText('Four score and seven').last().waitFor();
    await shot('3-chat-streams');
    expect(await page.getByText('brought forth').count()).toBe(0);
    model.goOn();
    await page.getByText('brought forth a nation').last().waitFor();
  }));

test('a file is uploaded', () =>
  step('5-upload', async () => {
    const file = path.join(shots, 'notes.txt');
    await writeFile(file, 'Notes about nothing in particular.\n'.repeat(20_000));
    const uploaded = page.waitForResponse(
      (one) => /\/api\/v1\/files\//.test(one.url()) && one.request().method() === 'POST',
    );
    const processed = page.waitForResponse((one) => one.url().includes('/process/status'));
    await page.locator('input[type=file]').first().setInputFiles(file);
    expect((await uploaded).status()).toBe(200);
    await page.getByText('notes.txt').first().waitFor();
    // Its progress is told by a stream of events.
    expect(await (await processed).finished()).toBeNull();
  }));

test('the requests are in the records with their person', async () => {
  const found = await eventually('the chat is recorded', async () => {
    const { body } = await gate.admin('GET', '/analytics?user=alice@acme.com&limit=200');
    const rows = body.items.filter(
      ({ endpoint }: { endpoint: string }) => endpoint === '/api/chat/completions',
    );
    return rows.length > 0 && rows;
  });
  expect(found[0]).toMatchObject({
    face: 'webui',
    method: 'POST',
    statusCode: 200,
    authSource: 'open-webui',
  });
});

test('somebody signs out, and the token counts no more; a message right after signing in is answered', () =>
  step('7-signed-in-again', async () => {
    const token = await cookieToken();
    const ask = () => fetch(`${gate.url}/servers`, { headers: { authorization: `Bearer ${token}` } });
    expect((await ask()).status).toBe(200);
    await page
      .locator('button[aria-label="User menu"], button[aria-label="Open User Profile Menu"]')
      .first()
      .click();
    await page.getByText('Sign Out').first().click();
    await page.waitForURL(/\/auth/);
    await eventually('the token is dead', async () => (await ask()).status === 401, 75);
    const direct = await fetch(`${owuiUrl}/api/v1/auths/`, { headers: { authorization: `Bearer ${token}` } });
    expect(direct.status).toBe(401);
    await page.getByLabel('Email').fill('alice@acme.com');
    await shot('6-signed-out');
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.waitForSelector(message.selector);
    // In a window that was opened before there was a session, its socket with it.
    await page.locator(message.selector).click();
    await page.keyboard.type('And again?');
    await page.keyboard.press('Enter');
    await page.getByText('brought forth a nation').last().waitFor();
  }));

test('a disabled person is out at once: requests, the socket, and API keys', () =>
  step('8-disabled', async () => {
    const token = await cookieToken();
    const made = await fetch(`${owuiUrl}/api/v1/auths/api_key`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    const { api_key: key } = (await made.json()) as { api_key: string };
    const models = () => fetch(`${gate.url}/api/models`, { headers: { authorization: `Bearer ${key}` } });
    // From 0.12 on it does not say whose key this is.
    const saysWhose = !version.startsWith('0.12');
    expect((await models()).status).toBe(saysWhose ? 200 : 403);
    const opened = page.waitForEvent('websocket', (one) => one.url().includes('/ws/socket.io'));
    await page.reload();
    const socket = await opened;
    await socket.waitForEvent('framereceived');
    await page.waitForSelector(message.selector);
    const setDisabled = (disabled: boolean) =>
      gate
        .admin('PATCH', '/users/alice@acme.com', { disabled })
        .then(({ status }) => expect(status).toBe(200));
    await setDisabled(true);
    await eventually('the socket is closed', () => socket.isClosed());
    await eventually('requests are refused', async () => (await models()).status === 403);
    // Open WebUI takes it for the same session; the gate does not let it by.
    const chats = (where: string, shown: string) =>
      fetch(`${where}/api/v1/chats/`, { headers: { authorization: `Bearer ${shown}` } });
    expect((await chats(owuiUrl, `${token}=`)).status).toBe(200);
    expect((await chats(gate.url, `${token}=`)).status).toBe(401);
    await setDisabled(false);
    await eventually('they are back', async () => (await chats(gate.url, token)).status === 200);
  }));

test('when Open WebUI is gone, people see a page that says so', () =>
  step('9-away', async () => {
    const gone = await startGate({
      embedded: true,
      env: { OPEN_WEBUI_URL: `http://127.0.0.1:${await freePort()}` },
    });
    await page.goto(gone.url);
    await page.getByRole('heading', { name: 'Open WebUI is not there' }).waitFor();
  }));
