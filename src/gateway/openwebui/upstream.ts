// Connections to Open WebUI, and how it stands.
import http, { type ClientRequest, type RequestOptions } from 'node:http';
import https from 'node:https';
import type { Clock } from '../../platform/clock.ts';
import { messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import { openWebUiTrouble } from './refusals.ts';

export interface UpstreamTimes {
  /** Until there is a connection. */
  readonly connectMs: number;
  /** Without a byte in either direction while an answer is awaited or under way. */
  readonly silentMs: number;
  /** Without a byte of an upload while Open WebUI would take some. */
  readonly stalledMs: number;
  /** Without a byte in either direction on an open socket. */
  readonly socketIdleMs: number;
}

export const usualTimes: UpstreamTimes = {
  connectMs: 5_000,
  silentMs: 30 * 60_000,
  stalledMs: 120_000,
  socketIdleMs: 24 * 3_600_000,
};

/** Connections at a time for requests of each kind; one that finds none waits for `connectMs`, with so many others. */
const usualMost = { connections: 2_000, waiting: 1_000 };
/** Uvicorn, which serves Open WebUI, closes a connection that was idle for 5 s: here it is closed before. */
const idleMs = 3_000;
const longestHead = 128 * 1024;
const probeMs = 1_000;
const probeEveryMs = 5_000;
const warnEveryMs = 60_000;

/** How a connection is used. `again`: kept for the next request. `once`: for a request that cannot be repeated. */
type Use = 'again' | 'once' | 'socket';

interface UpstreamOptions {
  readonly url: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly times?: Partial<UpstreamTimes> | undefined;
  readonly most?: typeof usualMost;
}

/** Open WebUI as the gate reaches it. */
export class Upstream {
  readonly times: UpstreamTimes;
  readonly #url: URL;
  /** Path before all paths; nearly always none. */
  readonly #base: string;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #agents: Readonly<Record<Use, http.Agent | false>>;
  readonly #mostWaiting: number;
  #awaySince: Date | null = null;
  #warnedAt = Number.NEGATIVE_INFINITY;
  #probedAt = Number.NEGATIVE_INFINITY;

  constructor(o: UpstreamOptions) {
    this.#url = new URL(o.url);
    this.#base = this.#url.pathname.replace(/\/$/, '');
    this.#log = o.log;
    this.#clock = o.clock;
    this.times = { ...usualTimes, ...o.times };
    const { connections: maxSockets, waiting } = o.most ?? usualMost;
    this.#mostWaiting = waiting;
    const { Agent } = this.#url.protocol === 'https:' ? https : http;
    this.#agents = {
      again: new Agent({ keepAlive: true, maxSockets, maxFreeSockets: 256, timeout: idleMs }),
      once: new Agent({ keepAlive: false, maxSockets }),
      socket: false,
    };
  }

  /** A request that has yet to be sent. Throws when the path cannot be sent, and `open_webui_busy`. */
  request(o: { method: string; path: string; headers: readonly string[]; use: Use }): ClientRequest {
    const { hostname, port, protocol } = this.#url;
    const agent = this.#agents[o.use];
    if (agent && waitingFor(agent) >= this.#mostWaiting) throw openWebUiTrouble('busy');
    const options: RequestOptions = {
      ...{ method: o.method, path: `${this.#base}${o.path}`, headers: o.headers },
      ...{ hostname: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? undefined : port },
      ...{ agent, setHost: false, maxHeaderSize: longestHead },
    };
    return (protocol === 'https:' ? https : http).request(options);
  }

  /** Said after each attempt to reach it. */
  reached(): void {
    this.#awaySince = null;
  }

  missed(error: unknown): void {
    const now = this.#clock();
    this.#awaySince ??= new Date(now);
    if (now < this.#warnedAt + warnEveryMs) return;
    this.#warnedAt = now;
    this.#log.warn({ error: messageOf(error) }, 'Open WebUI cannot be reached');
  }

  /** Since when it cannot be reached; null: it can. Asks it, when nobody has for a while; resolves within about a second. */
  async awaySince(): Promise<Date | null> {
    const now = this.#clock();
    if (now < this.#probedAt + probeEveryMs) return this.#awaySince;
    this.#probedAt = now;
    try {
      const response = await fetch(`${this.#url.origin}${this.#base}/health`, {
        signal: AbortSignal.timeout(probeMs),
        redirect: 'manual',
      });
      await response.body?.cancel();
      this.reached();
    } catch (error) {
      this.missed(error);
    }
    return this.#awaySince;
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) if (agent) agent.destroy();
  }
}

/** Those that were given up count until it is their turn: Node keeps them. */
function waitingFor({ requests }: http.Agent): number {
  return Object.values(requests).reduce((count, waiting) => count + (waiting?.length ?? 0), 0);
}
