import { randomUUID } from 'node:crypto';
import type { ServerId } from '../access/contract.ts';
import { compileToolPatterns, fillIn, type SnapshotServer } from '../access/index.ts';
import type { Probed, ProbeServer, TryStep } from '../catalog/index.ts';
import type { FoundCredential } from '../secrets/index.ts';
import type { Gate } from './call.ts';
import { UpstreamError } from './connectors/contract.ts';
import { fetchList } from './lists/fetch-list.ts';
import { isObject } from './rpc/message.ts';
import { makeTarget, type Target } from './upstreams/target.ts';

const listTimeoutMs = 15_000;

/**
 * Connects to a server that nobody has installed, with values that nobody keeps, and asks for its tools. Nothing of it
 * stays: no connection, no list, no pin. Like every other connection it goes through the dialer and what that refuses.
 */
export async function probe(gate: Gate, server: ProbeServer): Promise<Probed> {
  const began = gate.clock();
  const session = randomUUID();
  const target = targetOf(server, session);
  try {
    const connection = await gate.probes.connect(target, 'modern', '{}');
    const { era, protocolVersion, serverInfo } = connection.hello;
    const { items } = await fetchList(connection, 'tools', new AbortController(), listTimeoutMs);
    const name = isObject(serverInfo) && typeof serverInfo['name'] === 'string' ? serverInfo['name'] : null;
    const steps = succeeded(target, { protocolVersion, tools: items.length });
    const milliseconds = gate.clock() - began;
    return { ok: true, steps, era, protocolVersion, name, tools: items.length, milliseconds };
  } catch (error) {
    const nothing = { era: null, protocolVersion: null, name: null, tools: null };
    return { ok: false, steps: failed(target, error), ...nothing, milliseconds: gate.clock() - began };
  } finally {
    gate.probes.endSession(session);
  }
}

function targetOf({ id, definition, origin, credentials, variables }: ProbeServer, session: string): Target {
  const server: SnapshotServer = {
    id: id as ServerId, // Looks like one, and no server has it.
    definition: { ...definition, isolation: 'session', variables: { ...definition.variables, ...variables } },
    managedBy: 'admin',
    updatedAt: new Date(0),
    rule: compileToolPatterns(['*']),
    origin,
  };
  const place = { tenant: null, override: undefined, variableOf: () => undefined };
  const filled = fillIn(server, place);
  if (!filled.ok) throw new Error('a value of what is tried is missing');
  const found = Object.entries(credentials).map(([name, value]): [string, FoundCredential] => [
    name,
    { id: 'try', owner: 'shared', ownerId: null, version: session, open: () => value },
  ]);
  return makeTarget(server, { principal: 'service:toolgate', tenant: null, session }, filled, new Map(found));
}

function succeeded(
  { url }: Target,
  { protocolVersion, tools }: { protocolVersion: string; tools: number },
): TryStep[] {
  const reached = url?.startsWith('https:')
    ? 'It is reached, and its certificate is trusted.'
    : 'It is reached.';
  return [
    { step: 'connection', ok: true, message: url === undefined ? 'It starts.' : reached },
    { step: 'protocol', ok: true, message: `It speaks MCP ${protocolVersion}.` },
    { step: 'tools', ok: true, message: `It has ${tools} tool${tools === 1 ? '' : 's'}.` },
  ];
}

type Step = TryStep['step'];

/** How far it came, in words that quote nothing that was received. */
function failed({ url, server: { definition } }: Target, error: unknown): TryStep[] {
  const { kind = 'protocol', status } = error instanceof UpstreamError ? error : {};
  const program = definition.type === 'stdio' ? definition.command : undefined;
  const [step, message] = reasonOf(kind, { status, code: codeOf(error), program });
  const before: readonly Step[] = ['connection', 'sign-in', 'protocol'];
  const passed = before.slice(0, Math.max(0, before.indexOf(step))).filter((one) => one === 'connection');
  const reached = url === undefined ? 'It starts.' : 'It is reached.';
  return [...passed.map((one) => ({ step: one, ok: true, message: reached })), { step, ok: false, message }];
}

interface Circumstances {
  readonly status: number | undefined;
  readonly code: string;
  /** Of a server that is a process. */
  readonly program: string | undefined;
}

function reasonOf(kind: UpstreamError['kind'], { status, code, program }: Circumstances): [Step, string] {
  const isProcess = program !== undefined;
  switch (kind) {
    case 'unreachable':
      return isProcess
        ? ['connection', `Its process could not be started: is ${program} there, where servers run?`]
        : ['connection', unreachable(code)];
    case 'timeout':
      return isProcess
        ? [
            'connection',
            'It gave no answer in time. A first start fetches the package: try again in a minute.',
          ]
        : ['connection', 'It gave no answer in time.'];
    case 'unauthorized':
      return ['sign-in', 'It refuses the key, or wants one.'];
    case 'closed':
      return isProcess
        ? ['connection', 'Its process ended; the log says more.']
        : ['connection', 'It closed the connection.'];
    case 'http_status':
      return ['protocol', `It answers with HTTP ${status ?? 'errors'}: is the address right?`];
    case 'too_large':
      return ['protocol', 'It answers with more than is taken.'];
    case 'busy':
      return isProcess
        ? [
            'connection',
            'Its package is being fetched, or there is no room for one more process; try again in a minute.',
          ]
        : ['connection', 'It takes no more connections at the moment; try again soon.'];
    case 'cancelled':
    case 'session_expired':
      return ['connection', 'It takes no more connections at the moment; try again soon.'];
    case 'paused':
      return ['connection', 'It failed a moment ago; try again soon.'];
    case 'not_allowed':
      return ['connection', 'Its command is not one that may be run here.'];
    case 'protocol':
      return ['protocol', 'It does not speak MCP there.'];
  }
}

function unreachable(code: string): string {
  if (/^(ENOTFOUND|EAI_)/.test(code)) return 'Its name is not known to the DNS.';
  if (/^(CERT_|DEPTH_|SELF_|UNABLE_|ERR_TLS|ERR_SSL|EPROTO)/.test(code))
    return `Its TLS certificate is not trusted (${code.slice(0, 60)}).`;
  if (code === 'ECONNREFUSED') return 'Nothing listens there.';
  if (/^(url_not_allowed)/.test(code)) return 'It is at an address that the gate may not reach.';
  return 'It cannot be reached.';
}

/** The code of whatever lies at the bottom of it. */
function codeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) if ('code' in at) return String(at.code);
  return '';
}
