// Two replicas with everything on, and everything that is behind and beside them.
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { closeLater } from '../e2e/clients.ts';
import { eventually, type Gate, startGate } from '../e2e/gate.ts';
import { probeFlags } from '../e2e/memory.ts';
import { type Collector, startCollector } from '../fakes/collector.ts';
import { startSignInService } from '../fakes/sign-in-service.ts';
import { testRedisUrl } from '../redis.ts';
import { Ledger, markingFetch } from './ledger.ts';
import { type Chat, startChat } from './open-webui.ts';
import { startRecordsReceiver } from './receiver.ts';
import { startServers } from './servers.ts';

export const people = ['alice', 'bob', 'carol', 'dave', 'erin'].map((name) => `${name}@acme.com`);
export const limitedPerson = 'limited@acme.com';
export const perMinuteOfLimited = 60;

export interface World {
  readonly gates: readonly [Gate, Gate];
  readonly ledger: Ledger;
  /** By person. */
  readonly tokens: ReadonlyMap<string, string>;
  readonly chat: Chat;
  readonly receiver: Awaited<ReturnType<typeof startRecordsReceiver>>;
  readonly anchors: string;
  readonly databaseUrl: string;
  readonly spansSeen: () => number;
  /** Where a server is that administrators add. */
  readonly spare: string;
  /** `fetch` with marks; requests go to the replicas in turn. */
  fetch(kind: string): typeof fetch;
  /** The same for a browser, whose requests go where it says. */
  fetchAsSaid(kind: string): typeof fetch;
  /** A call of the admin API with a mark. */
  admin(method: string, where: string, body?: unknown): Promise<{ status: number; text: string }>;
  /** Lets go of what the stand-ins wrote down. */
  forget(): void;
  /** Everything that was printed to the logs of either replica. */
  logs(): string;
}

export async function startWorld(): Promise<World> {
  const servers = await startServers();
  const [chat, receiver, collector] = [await startChat(), await startRecordsReceiver(), await collecting()];
  const company = closeLater(await startSignInService());
  company.person = { sub: 'frank-1', email: 'frank@acme.com', name: 'Frank' };
  const { config, anchors } = configWith({ servers: servers.config, receiver, company });
  const shared = {
    ...{ REDIS_URL: await testRedisUrl(), OPEN_WEBUI_URL: chat.url },
    ...{ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, LOAD_KEY: 'unused' },
    ...{ RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PER_MINUTE: '1000000', RATE_LIMIT_PER_IP: '10000000' },
    TOOLGATE_MASTER_KEY: randomBytes(32).toString('base64'),
    TOOLGATE_ADMIN_TOKEN: randomBytes(32).toString('hex'),
  };
  const one = await startGate({ config, nodeFlags: probeFlags, env: shared });
  const databaseUrl = one.databaseUrl ?? '';
  const two = await startGate({
    ...{ config, nodeFlags: probeFlags },
    env: { ...shared, DATABASE_URL: databaseUrl },
  });
  const gates = [one, two] as const;
  const ledger = new Ledger();
  let spans = 0;
  const world: World = {
    ...{ gates, ledger, tokens: new Map(), chat, receiver, anchors, databaseUrl },
    spare: servers.spare,
    spansSeen: () => spans + collector.spans.length,
    fetch: (kind) => markingFetch(ledger, kind, { origins: originsOf(gates), redirect: taking(gates) }),
    fetchAsSaid: (kind) => markingFetch(ledger, kind, { origins: originsOf(gates) }),
    admin: adminOf(gates, ledger),
    forget() {
      spans += collector.spans.length;
      for (const list of [collector.spans, collector.bodies, company.asked, company.tokenRequests])
        list.length = 0;
      servers.forget();
      chat.forget();
      receiver.take();
    },
    logs: () => gates.map((gate) => gate.logs()).join('\n'),
  };
  return { ...world, tokens: await tokensOf(world) };
}

async function collecting(): Promise<Collector> {
  return closeLater(await startCollector());
}

function configWith(o: {
  servers: Readonly<Record<string, object>>;
  receiver: { readonly url: string; readonly folder: string };
  company: { readonly origin: string; readonly clientId: string; readonly clientSecret: string };
}): { readonly config: object; readonly anchors: string } {
  const { origin: issuer, clientId, clientSecret } = o.company;
  const anchors = path.join(o.receiver.folder, 'anchors.jsonl');
  const signIn = { clientId, clientSecret, label: 'Acme' };
  const names = Object.keys(o.servers);
  const config = {
    mcpServers: o.servers,
    groups: { Everyone: { servers: names }, Bosses: { admin: true } },
    users: Object.fromEntries(
      [...people, limitedPerson, 'frank@acme.com'].map((person) => [person, { groups: ['Everyone'] }]),
    ),
    identity: { issuers: [{ name: 'acme', kind: 'generic', issuer, audience: ['api'], signIn }] },
    network: { allow: ['127.0.0.0/8'] },
    // Short, so that what is not used ends while somebody waits for it.
    limits: { idleSeconds: 10 },
    rateLimits: {
      concurrentPerUser: 1_000,
      users: { [limitedPerson]: { perMinute: perMinuteOfLimited } },
    },
    audit: {
      anchor: { everyMinutes: 1, file: anchors },
      push: [{ name: 'siem', kind: 'http', url: o.receiver.url, calls: 'all' }],
    },
  };
  return { config, anchors };
}

/** Each has two names on this machine. */
function originsOf(gates: readonly Gate[]): string[] {
  return gates.flatMap(({ url }) => [url, url.replace('127.0.0.1', 'localhost')]);
}

/** The next replica each time. */
function taking(gates: readonly Gate[]): (url: URL) => URL {
  let turn = 0;
  return (url) => new URL(url.pathname + url.search, gates[turn++ % gates.length]?.url);
}

function adminOf(gates: readonly Gate[], ledger: Ledger): World['admin'] {
  const ask = markingFetch(ledger, 'admin', { origins: originsOf(gates), redirect: taking(gates) });
  const [one] = gates;
  return async (method, where, body) => {
    const response = await ask(`${one?.url}/mcp-admin/api${where}`, {
      method,
      headers: {
        authorization: `Bearer ${one?.adminToken}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  };
}

async function tokensOf(world: World): Promise<Map<string, string>> {
  const tokens = new Map<string, string>();
  for (const user of [...people, limitedPerson]) {
    const { status, text } = await world.admin('POST', '/tokens', { user, name: 'load' });
    if (status !== 201) throw new Error(`No token: ${status} ${text}`);
    tokens.set(user, (JSON.parse(text) as { token: string }).token);
  }
  const ask = world.fetchAsSaid('setup');
  for (const gate of world.gates)
    await eventually('the tokens count', async () => {
      const authorization = `Bearer ${tokens.get(limitedPerson)}`;
      const response = await ask(`${gate.url}/servers`, { headers: { authorization } });
      await response.body?.cancel();
      return response.status === 200;
    });
  return tokens;
}
