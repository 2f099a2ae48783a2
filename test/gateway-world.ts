// The data plane behind a real HTTP server, with its neighbours as small as they can be: tokens are e-mail addresses,
// credentials a map, records a list.
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { afterEach } from 'vitest';
import type { z } from 'zod';
import type { Access } from '../src/access/index.ts';
import type { Snapshot } from '../src/access/snapshot.ts';
import type { CallRecord } from '../src/audit/contract.ts';
import type { Recorder } from '../src/audit/index.ts';
import type { BridgeLimits } from '../src/gateway/bridge/limits.ts';
import {
  addressDoor,
  createGateway,
  type Gateway,
  type LimitSettings,
  type StdioSettings,
} from '../src/gateway/index.ts';
import { rateLimitsFile } from '../src/gateway/contract.ts';
import type { SharedCounts } from '../src/gateway/limits/shared-counts.ts';
import type { Clock } from '../src/platform/clock.ts';
import type { ToolPins } from '../src/catalog/index.ts';
import type { Identity } from '../src/identity/index.ts';
import { createBus } from '../src/platform/bus/bus.ts';
import type { OpenTransport } from '../src/platform/bus/contract.ts';
import { memoryTransport } from '../src/platform/bus/memory.ts';
import { AppError } from '../src/platform/errors.ts';
import { listen } from '../src/platform/http/listen.ts';
import { createHttpServer } from '../src/platform/http/server.ts';
import { createLog } from '../src/platform/log.ts';
import { createNetGuard } from '../src/platform/net-guard.ts';
import { createSealer } from '../src/platform/sealer.ts';
import type { ConnectWaits } from '../src/gateway/connect/connect-parts.ts';
import type { Accounts, FoundCredential, Vault } from '../src/secrets/index.ts';
import { caller, snapshotOf, type World } from './access-world.ts';
import { idle } from './recorder-world.ts';
import { stubAccounts, stubExchanges } from './stub-accounts.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** `tenant/server/name` or `/server/name` (shared) -> secret. */
export type Secrets = Record<string, string>;

/** A definition of a server as in the config file; `managedBy` is `file`. */
export type Servers = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export type Picture = Omit<World, 'servers'> & { readonly servers: Servers };

export function pictureOf({ servers, ...rest }: Picture): Snapshot {
  return snapshotOf({ ...rest, servers });
}

export function credential(id: string, owner: FoundCredential['owner'], version = '1'): FoundCredential {
  return { id, owner, ownerId: owner === 'shared' ? null : id, version, open: () => `secret of ${id}` };
}

export async function gatewayWorld(
  picture: Picture,
  o: {
    secrets?: Secrets;
    /** Limits of this file, and the usual ones of people and addresses; nothing is limited where they are left out. */
    rateLimits?: RateLimits;
    sharedCounts?: SharedCounts;
    clock?: Clock;
    trustedProxies?: readonly string[];
    /** Read with each request. */
    metaTools?: { always?: boolean; above?: number | null; exceptClients?: readonly string[] };
    pageSize?: number;
    maxBodyBytes?: number;
    sealingKey?: Buffer;
    transport?: OpenTransport;
    bridgeLimits?: Partial<BridgeLimits>;
    toolPins?: ToolPins;
    keepAliveMs?: number;
    /** Any command may be run, beside the gate. */
    stdio?: Partial<StdioSettings>;
    accounts?: Accounts;
    connectWaits?: Partial<ConnectWaits>;
  } = {},
) {
  let snapshot = pictureOf(picture);
  let isFull = false;
  const revoked = new Set<string>();
  const listeners = new Set<(next: Snapshot) => void>();
  const records: CallRecord[] = [];
  const log = createLog('silent');
  const sealingKey = o.sealingKey ?? randomBytes(32);
  const bus = await createBus({
    open: o.transport ?? memoryTransport(),
    sealer: createSealer(sealingKey, 'bus'),
    log,
  });
  const gateway: Gateway = createGateway({
    access: {
      snapshot: () => snapshot,
      live: {
        current: () => snapshot,
        staleSince: () => null,
        refresh: async () => undefined,
        onChange: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
        close: () => undefined,
      },
    } satisfies Access,
    identity: {
      authenticate: ({ header }) => {
        const token = header('authorization')?.slice('Bearer '.length);
        if (!token || revoked.has(token)) {
          throw new AppError('unauthenticated', 401, 'Who are you?', {
            headers: { 'www-authenticate': 'Bearer' },
          });
        }
        return token.startsWith('oidc:')
          ? caller(token.slice('oidc:'.length), { authSource: 'oidc:test' })
          : caller(token);
      },
      authenticateAdmin: () => caller('admin'),
      protectedResourceMetadata: () => ({}),
      speaksForMany: () => false,
      visitorOf: async () => undefined,
      forgetVisitor: () => undefined,
      refreshTokens: async () => undefined,
      close: async () => undefined,
    } satisfies Identity,
    vault: vaultOf(o.secrets ?? {}),
    recorder: recorderOf(records, () => !isFull),
    netGuard: createNetGuard({ allow: ['127.0.0.1'] }),
    settings: {
      pageSize: o.pageSize ?? 1_000,
      listDeadlineMs: 5_000,
      maxBodyBytes: () => o.maxBodyBytes ?? 100_000,
      metaTools: () => ({ always: false, above: null, exceptClients: [], ...o.metaTools }),
      rateLimits: rateLimitsOf(o.rateLimits),
    },
    toolPins: o.toolPins ?? noPins,
    accounts: o.accounts ?? stubAccounts(),
    exchanges: stubExchanges,
    publicUrl: 'http://gate.example',
    connectWaits: o.connectWaits,
    sealerFor: (purpose) => createSealer(sealingKey, purpose),
    bus,
    bridgeLimits: o.bridgeLimits,
    keepAliveMs: o.keepAliveMs,
    projectDir: process.cwd(),
    stdio: { mayRun: () => true, runner: undefined, ownDirectories: tmpdir(), ...o.stdio },
    around: { env: { CANARY: 'canary' }, directory: process.cwd() },
    log,
    clock: o.clock ?? Date.now,
    sharedCounts: o.sharedCounts ?? null,
  });
  const server = createHttpServer({
    mounts: [gateway],
    guard: { check: () => ({ ok: true, headers: [] }) },
    ...addressDoor(gateway.gate, () => false),
    trustedProxies: o.trustedProxies ?? [],
    log,
  });
  const port = await listen(server, '127.0.0.1', 0);
  closing.push(async () => {
    gateway.leave();
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    await gateway.close();
    await bus.close();
  });
  const url = `http://127.0.0.1:${port}`;
  const world = {
    gateway,
    url,
    port,
    records,
    /** Another picture is in force from now on. */
    change(next: Picture) {
      snapshot = pictureOf(next);
      for (const listener of listeners) listener(snapshot);
    },
    revoke: (token: string) => void revoked.add(token),
    fillRecords() {
      isFull = true;
    },
    post: (path: string, message: unknown, headers: Record<string, string> = {}) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer alice@acme.com', ...headers },
        body:
          typeof message === 'string' ? message : JSON.stringify({ jsonrpc: '2.0', ...(message as object) }),
      }),
    /** The parsed answer to a request. */
    ask: async (path: string, method: string, params?: unknown, headers: Record<string, string> = {}) => {
      const response = await world.post(path, { id: 1, method, params }, headers);
      const text = await response.text();
      const json = text.startsWith('{') ? text : (text.split('data: ').at(-1) ?? '');
      return JSON.parse(json) as {
        result?: Record<string, unknown>;
        error?: { code: number; message: string };
      };
    },
    names: async (path: string, headers: Record<string, string> = {}) => {
      const { result } = await world.ask(path, 'tools/list', undefined, headers);
      const tools = result?.['tools'] as { name: string }[]; // a test that gets none fails here
      return tools.map(({ name }) => name);
    },
  };
  return world;
}

type RateLimits = z.input<typeof rateLimitsFile> & Partial<Pick<LimitSettings, 'perUser' | 'perAddress'>>;

function rateLimitsOf(given: RateLimits | undefined): () => LimitSettings | null {
  if (given === undefined) return () => null;
  const { perUser = 1_000_000, perAddress = 1_000_000, ...file } = given;
  const settings = { ...rateLimitsFile.parse(file), perUser, perAddress };
  return () => settings;
}

/** Nobody writes anything down and nothing is accepted: servers that enforce pins show no tool. */
const noPins: ToolPins = {
  version: 0,
  stateOf: () => 'unknown',
  standingOf: () => 'unseen',
  nameFlags: () => [],
  observe: () => undefined,
  onChange: () => () => undefined,
  refresh: async () => undefined,
  close: async () => undefined,
};

export function as(email: string): Record<string, string> {
  return { authorization: `Bearer ${email}` };
}

function vaultOf(secrets: Secrets): Vault {
  const found = (key: string, owner: 'tenant' | 'shared'): FoundCredential | undefined => {
    const secret = secrets[key];
    return secret === undefined ? undefined : { ...credential(key, owner), open: () => secret };
  };
  return {
    find: ({ tenant, server, name }) =>
      found(`${tenant ?? ''}/${server}/${name}`, tenant === null ? 'shared' : 'tenant') ??
      found(`/${server}/${name}`, 'shared') ??
      null,
    ladder: () => [],
    used: () => undefined,
    refresh: async () => undefined,
    staleSince: () => null,
    close: () => undefined,
  };
}

function recorderOf(records: CallRecord[], accepting: () => boolean): Recorder {
  return {
    record: (call) => void records.push(call),
    accepting,
    flush: async () => undefined,
    state: () => idle,
    close: async () => undefined,
  };
}
