// The face of Open WebUI behind a real HTTP server, in front of a stand-in; `session-alice` is a session of
// alice@acme.com.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach } from 'vitest';
import type { Access } from '../src/access/index.ts';
import type { Snapshot } from '../src/access/snapshot.ts';
import { openWebUiMount, signingKeysMount } from '../src/gateway/index.ts';
import type { OpenWebUiOptions } from '../src/gateway/openwebui/mount.ts';
import { createIdentitySigner } from '../src/identity/index.ts';
import { systemClock as clock } from '../src/platform/clock.ts';
import { AppError } from '../src/platform/errors.ts';
import { listen } from '../src/platform/http/listen.ts';
import { createHttpServer } from '../src/platform/http/server.ts';
import { createLog } from '../src/platform/log.ts';
import { caller } from './access-world.ts';
import { type Site, startSite } from './fakes/open-webui-site.ts';
import { gatewayWorld, type Picture } from './gateway-world.ts';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

export const usualPicture: Picture = {
  servers: {},
  groups: { 'Tenant-acme': { tenant: 'acme', servers: [] }, Bosses: { admin: true }, 'Zoë, & co 100%': {} },
  tenants: { acme: {} },
  users: {
    'alice@acme.com': { groups: ['Tenant-acme', 'Zoë, & co 100%'] },
    'boss@acme.com': { groups: ['Bosses'] },
  },
};

export interface OpenWebUiWorldOptions {
  readonly picture?: Picture;
  readonly url?: string;
  readonly publicUrl?: string;
  readonly dropped?: readonly string[];
  readonly times?: OpenWebUiOptions['times'];
  /** What the gate says with every answer. */
  readonly said?: readonly (readonly [string, string])[];
  readonly world?: Parameters<typeof gatewayWorld>[1];
}

export async function openWebUiWorld(o: OpenWebUiWorldOptions = {}) {
  const site: Site = await startSite();
  closing.push(() => site.close());
  const inner = await gatewayWorld(o.picture ?? usualPicture, o.world);
  const listeners = new Set<(next: Snapshot) => void>();
  const publicUrl = o.publicUrl ?? 'https://chat.acme.com';
  const signer = await createIdentitySigner({
    ...{ secret: randomBytes(32), issuer: publicUrl, audience: 'http://open-webui:8080', clock },
  });
  const asked: string[] = [];
  const forgotten: string[] = [];
  /** Sessions that count no more; `all`: nobody can tell. */
  const ended = new Set<string>();
  /** Nobody is told whose a session is before. */
  const lookups: { until: Promise<void> | undefined } = { until: undefined };
  /** Nobody is said to Open WebUI before. */
  const signing: { until: Promise<void> | undefined } = { until: undefined };
  const signed: string[] = [];
  const mount = openWebUiMount({
    gate: inner.gateway.gate,
    live: {
      onChange: (listener: (next: Snapshot) => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    } as unknown as Access['live'], // nothing else of it is used
    url: o.url ?? site.origin,
    publicUrl,
    via: 'toolgate-test',
    dropped: () => o.dropped ?? [],
    visitors: {
      sign: async (facts) => {
        signed.push(facts.email);
        await signing.until;
        return signer.headers(facts);
      },
      forget: (token) => void forgotten.push(token),
      visitorOf: async (token) => {
        asked.push(token);
        await lookups.until;
        if (ended.has('all')) throw new AppError('identity_unavailable', 503, 'Not now.');
        if (ended.has(token)) return undefined;
        const [, name] = /^session-(\w+)(?:\.x\.y)?$/.exec(token) ?? [];
        if (name === undefined) return undefined;
        const principal = caller(`${name}@acme.com`, { authSource: 'open-webui' });
        return { principal, displayName: 'Älice Ümlaut' };
      },
    },
    times: o.times,
  });
  const server = createHttpServer({
    mounts: [inner.gateway, signingKeysMount(signer), mount],
    guard: { check: () => ({ ok: true, headers: o.said ?? [] }) },
    limit: () => 0,
    log: createLog('silent'),
  });
  const port = await listen(server, '127.0.0.1', 0);
  closing.push(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    mount.close();
    server.closeAllConnections();
    await closed;
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    ...{ site, url, port, mount, signer, asked, forgotten, ended, lookups, records: inner.records, inner },
    ...{ signing, signed },
    /** Another picture is in force from now on. */
    change(next: Picture) {
      inner.change(next);
      for (const listener of listeners) listener(inner.gateway.gate.snapshot());
    },
    /** A connection that says exactly `text`. */
    raw: (text: string) => rawConnection(port, text),
  };
}

export interface RawConnection {
  readonly socket: Socket;
  /** Everything that came back so far. */
  readonly text: () => string;
  readonly isClosed: () => boolean;
  readonly closed: Promise<unknown>;
}

export async function rawConnection(port: number, text: string): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1');
  closing.push(() => void socket.destroy());
  let came = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    came += part;
  });
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await once(socket, 'connect');
  socket.write(text, 'latin1');
  return { socket, text: () => came, isClosed: () => socket.closed, closed };
}

/** The lines of a request, ended as they are on the wire. */
export function requestText(...lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A WebSocket handshake of this person. */
export function handshakeText(path: string, ...headers: readonly string[]): string {
  return requestText(
    `GET ${path} HTTP/1.1`,
    ...['Host: chat.acme.com', 'Connection: Upgrade', 'Upgrade: websocket'],
    ...['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...headers],
  );
}

/** Values of all headers with this name, in the order that they came. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.flatMap((header, at) =>
    at % 2 === 0 && header.toLowerCase() === name.toLowerCase() ? [rawHeaders[at + 1] ?? ''] : [],
  );
}
