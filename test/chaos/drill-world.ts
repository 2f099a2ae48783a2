// What every drill has: the program with all its faces in use, servers of tools, and a stand-in for Open WebUI.
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { testDatabaseUrl } from '../database.ts';
import { closeLater } from '../e2e/clients.ts';
import { configOf, eventually, type Gate, query, startGate } from '../e2e/gate.ts';
import type { ProgramOptions } from '../e2e/program.ts';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { startOpenWebUi } from '../fakes/open-webui.ts';
import { type Site, startSite } from '../fakes/open-webui-site.ts';
import { aimsAt, type Target } from './load.ts';
import { type Shot, shoot } from './shots.ts';

export interface DrillWorld {
  readonly gates: readonly Gate[];
  readonly databaseUrl: string;
  readonly site: Site;
  readonly webUi: Awaited<ReturnType<typeof startOpenWebUi>>;
  /** Alice at one of the gates, or at what stands in front of them. */
  at(url: string): Target;
  /** Parts that a gate says are degraded. */
  degraded(gate?: Gate): Promise<string[]>;
}

export interface DrillOptions {
  readonly replicas?: number;
  readonly databaseUrl?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Beside `ok` and `everything`. */
  readonly servers?: Readonly<Record<string, object>>;
  readonly more?: object;
  /** Of the first replica alone. */
  readonly first?: Partial<ProgramOptions>;
}

export async function drillWorld(o: DrillOptions = {}): Promise<DrillWorld> {
  const upstream = closeLater(await startHostileHttp());
  const { webUi, site, cookie } = await standIn();
  const servers = {
    ok: { type: 'http', url: upstream.url('ok') },
    everything: { command: 'mcp-server-everything' },
    ...o.servers,
  };
  const databaseUrl = o.databaseUrl ?? (await testDatabaseUrl());
  const env = {
    ...{ DATABASE_URL: databaseUrl, OPEN_WEBUI_URL: site.origin, RATE_LIMIT_PER_IP: '1000000' },
    TOOLGATE_MASTER_KEY: randomBytes(32).toString('base64'),
    TOOLGATE_ADMIN_TOKEN: randomBytes(32).toString('hex'),
    ...o.env,
  };
  const gates: Gate[] = [];
  for (let at = 0; at < (o.replicas ?? 1); at++) {
    const first = at === 0 ? o.first : {};
    const config = configOf(servers, o.more);
    gates.push(await startGate({ ...{ config }, ...first, env: { ...env, ...first?.env } }));
  }
  const [gate] = gates;
  if (gate === undefined) throw new Error('A drill needs a gate.');
  const token = await gate.tokenFor('alice@acme.com');
  for (const { url } of gates) await everyServerAnswers({ url, token });
  return {
    ...{ gates, databaseUrl, site, webUi },
    at: (url) => ({ url, token, cookie }),
    degraded: async (one = gate) => {
      const response = await fetch(`${one.url}/gateway/ready`, { signal: AbortSignal.timeout(10_000) });
      const { degraded } = (await response.json()) as { degraded: { part: string }[] };
      return degraded.map(({ part }) => part);
    },
  };
}

/** Open WebUI as the gate sees it, and the cookie of alice there. */
async function standIn() {
  const webUi = closeLater(await startOpenWebUi());
  const site = closeLater(await startSite());
  site.before = (req, res) => {
    if (!/^\/api\/v1\/(?:auths\/|users\/groups)$/.test(req.url ?? '')) return false;
    const asked = request(`${webUi.origin}${req.url}`, { headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(res);
    });
    asked.end();
    return true;
  };
  const session = await webUi.session(webUi.account('alice@acme.com', { name: 'Alice' }));
  return { webUi, site, cookie: `token=${session}` };
}

async function everyServerAnswers(target: { url: string; token: string }): Promise<void> {
  const { modern } = aimsAt(target);
  for (const aim of [modern('ok__echo', { text: 'x' }), modern('everything__echo', { message: 'x' })])
    await eventually('the servers of tools answer', async () => (await aim()).ending === 'ok', 60);
}

export interface Kept {
  /** Answered requests. */
  readonly answered: number;
  /** Answered requests that have exactly one record. */
  readonly recorded: number;
  /** Those that have none. */
  readonly lost: number;
  /** Those that have several. */
  readonly doubled: number;
}

/** Looks for the record of every answered request, until all are there or none has come for a while. */
export async function recordsOf(databaseUrl: string, shots: readonly Shot[]): Promise<Kept> {
  const ids = shots.flatMap(({ requestId }) => requestId ?? []);
  const rest = 15_000;
  let kept = { answered: ids.length, recorded: 0, lost: ids.length, doubled: 0 };
  for (let changed = Date.now(); Date.now() - changed < rest && kept.recorded < ids.length; ) {
    const next = await look(databaseUrl, ids);
    if (next.lost !== kept.lost) changed = Date.now();
    kept = next;
    if (kept.lost > 0) await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return kept;
}

async function look(databaseUrl: string, ids: readonly string[]): Promise<Kept> {
  const statement = 'select request_id, count(*)::int as times from mcp_proxy.api_analytics group by 1';
  const rows = await query(databaseUrl, statement);
  const times = new Map(rows.map((row) => [String(row['request_id']), Number(row['times'])]));
  const seen = ids.map((id) => times.get(id) ?? 0);
  const count = (is: (n: number) => boolean) => seen.filter(is).length;
  return {
    answered: ids.length,
    ...{ recorded: count((n) => n === 1), lost: count((n) => n === 0), doubled: count((n) => n > 1) },
  };
}

/** A quick request that the gate records and that needs no server: `GET /servers`. */
export function aimAtList({ url, token }: Pick<Target, 'url' | 'token'>): () => Promise<Shot> {
  const headers = { authorization: `Bearer ${token}` };
  return () =>
    shoot(
      'list',
      (signal) => fetch(`${url}/servers`, { headers, signal }),
      (text) => text.includes('ok'),
    );
}
