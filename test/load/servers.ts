// Tool servers of every kind: those that work, and those that fail, each in another way.
import { fileURLToPath } from 'node:url';
import { closeLater } from '../e2e/clients.ts';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { startHostileSse } from '../fakes/hostile-sse.ts';
import { startMoodyServer } from '../moody-server.ts';

const stdio = fileURLToPath(new URL('../fakes/hostile-stdio.ts', import.meta.url));

export interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** How it fails; undefined: it must not. */
  readonly fails?: string;
}

const echo = { text: 'a question of the usual length about something that somebody wants to know' };

const well: readonly ToolCall[] = [
  { name: 'plain__echo', arguments: echo },
  { name: 'young__echo', arguments: echo },
  { name: 'keeps__echo', arguments: echo },
  { name: 'streams__echo', arguments: echo },
  { name: 'old__echo', arguments: echo },
  { name: 'local__echo', arguments: echo },
  { name: 'plain__big', arguments: { bytes: 20_000 } },
  { name: 'young__slow', arguments: { ms: 50 } },
  { name: 'local__slow', arguments: { ms: 50 } },
];

const failing: readonly ToolCall[] = [
  { name: 'fails__work', arguments: {}, fails: 'HTTP 500' },
  { name: 'hangs__echo', arguments: echo, fails: 'hangs to its deadline' },
  { name: 'breaks__work', arguments: {}, fails: 'broken connection' },
  { name: 'cut__echo', arguments: echo, fails: 'answer cut off' },
  { name: 'fragile__crash', arguments: {}, fails: 'killed process' },
  { name: 'garbage__echo', arguments: echo, fails: 'garbage' },
];

/** Every twentieth call fails. */
const failsEvery = 20;

/** The calls that clients make, one after the other. */
export function toolCalls(): () => ToolCall {
  let turn = 0;
  return () => {
    turn += 1;
    const list = turn % failsEvery === 0 ? failing : well;
    const at = turn % failsEvery === 0 ? turn / failsEvery : turn;
    return list[at % list.length]!;
  };
}

export async function startServers() {
  const http = closeLater(await startHostileHttp());
  const sse = closeLater(await startHostileSse());
  const fails = closeLater(await startMoodyServer());
  fails.moods.set('tools/call', { status: 500 });
  const breaks = closeLater(await startMoodyServer());
  breaks.moods.set('tools/call', 'breaks');
  const remote = (kind: Parameters<typeof http.url>[0]) => ({ type: 'http', url: http.url(kind) });
  const local = (...args: string[]) => ({ command: process.execPath, args: [stdio, ...args] });
  return {
    config: {
      plain: remote('ok'),
      young: remote('modern'),
      keeps: remote('counts-sessions'),
      streams: { type: 'http', url: http.url('ok', { stream: 1 }) },
      old: { type: 'sse', url: sse.url('ok') },
      local: local('ok', 'marker=load'),
      fails: { type: 'http', url: fails.url },
      hangs: { ...remote('never-call'), timeoutMs: 2_000 },
      breaks: { type: 'http', url: breaks.url },
      cut: remote('closes'),
      fragile: local('ok', 'marker=load-fragile'),
      garbage: { ...remote('invalid-json'), timeoutMs: 2_000 },
      keyed: { ...remote('ok'), headers: { Authorization: 'Bearer ${credential}' } },
    },
    /** Where a server is that administrators add. */
    spare: http.url('ok', { spare: 1 }),
    forget() {
      for (const { seen } of [fails, breaks]) seen.length = 0;
    },
  };
}
