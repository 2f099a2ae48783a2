import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from '../../platform/errors.ts';
import { type Mount, sendJson } from '../../platform/http/server.ts';
import type { Log } from '../../platform/log.ts';
import { check, formatPath } from '../../platform/mistakes.ts';
import { UpstreamError } from '../connectors/contract.ts';
import { parseMessage } from '../rpc/message.ts';
import { sendFailure } from './answer-stream.ts';
import type { InForce } from '../contract.ts';
import type { Processes } from './processes.ts';
import { failureOf, type ServedProcess } from './served-process.ts';
import { processInput, type RunnerHealth, standingHeader } from './wire.ts';

export interface RunnerMountOptions {
  readonly key: string;
  readonly processes: Processes;
  readonly inForce: readonly InForce[];
  readonly log: Log;
}

/** Arguments and variables of one process; one message to a server. */
const mostBytes = { process: 4 * 1024 * 1024, message: 64 * 1024 * 1024 };
const mcpPath = /^\/processes\/([A-Za-z0-9_-]{8,64})\/mcp$/;

/** The runner over HTTP. Whoever has the key may have started what the config file allows, and nothing else. */
export function runnerMount(o: RunnerMountOptions): Mount {
  return {
    takes: () => true,
    async serve(req, res, { path }) {
      if (!holdsKey(req, o.key)) {
        if (path === '/health' && req.headers.authorization === undefined)
          return sendJson(res, 200, { status: 'ok' });
        return complain(res, 401, 'The key is missing or is not the one in TOOLGATE_RUNNER_KEY.');
      }
      if (path === '/health') return sendJson(res, 200, health(o));
      if (path === '/processes') return serveProcesses(o, req, res);
      const served = o.processes.get(mcpPath.exec(path)?.[1] ?? '');
      if (served) return serveProcess(served, req, res);
      return complain(res, 404, 'There is no such process.');
    },
  };
}

/** Both are hashed first, so that neither their length nor where they differ shows in the time that it takes. */
function holdsKey({ headers }: IncomingMessage, key: string): boolean {
  const given = /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(key));
}

function health({ processes, inForce }: RunnerMountOptions): RunnerHealth {
  return { status: 'ok', processes: processes.size, inForce: [...inForce] };
}

async function serveProcesses(
  o: RunnerMountOptions,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  if (req.method === 'GET') return sendJson(res, 200, { items: o.processes.list().map(shown) });
  if (req.method !== 'POST') return complain(res, 405, 'This address takes GET and POST.');
  const body = await bodyOf(req, mostBytes.process);
  const input = body === undefined ? undefined : check(processInput, jsonOf(body));
  if (!input?.ok) {
    const [mistake] = input?.mistakes ?? [];
    const what = mistake ? `${formatPath(mistake.path)} ${mistake.message}` : 'the body is too large';
    return complain(res, 400, `The process cannot be started: ${what}.`);
  }
  try {
    const served = await o.processes.open(input.value);
    return sendJson(res, 201, { id: served.id });
  } catch (error) {
    if (error instanceof UpstreamError) return sendFailure(res, failureOf(error));
    const { server } = input.value;
    o.log.error({ err: error, server, why: messageOf(error) }, 'a process could not be started');
    return sendFailure(res, {
      kind: 'unreachable',
      message: `The runner could not start "${server}"; its log says why.`,
    });
  }
}

/** Streamable HTTP for one process. */
async function serveProcess(served: ServedProcess, req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (req.method === 'GET') return served.listen(res);
  if (req.method === 'DELETE') {
    await served.close();
    return void res.writeHead(204).end();
  }
  if (req.method !== 'POST') return complain(res, 405, 'This address takes GET, POST and DELETE.');
  const text = await bodyOf(req, mostBytes.message);
  const parsed = text === undefined ? undefined : parseMessage(text);
  if (text === undefined || !parsed?.ok)
    return complain(res, 400, 'The body is no JSON-RPC message of a size that is taken.');
  // A line break would end the message on the way to the server.
  const line = text.replace(/[\r\n]+/g, ' ');
  const { message } = parsed;
  if (message.kind === 'request')
    return served.request(message, { text: line, isStanding: standingHeader in req.headers }, res);
  try {
    await served.tell(message, line);
  } catch (error) {
    return sendFailure(res, failureOf(error));
  }
  return void res.writeHead(202).end();
}

function shown({ id, owner, startedAt, pid, requests }: ServedProcess) {
  return { id, ...owner, startedAt, pid, requests };
}

function complain(res: ServerResponse, status: number, message: string): void {
  sendJson(res, status, { error: { message } });
}

/** Undefined when it is larger. */
async function bodyOf(req: IncomingMessage, most: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req) {
    const bytes = chunk as Buffer; // a request without an encoding yields buffers
    size += bytes.length;
    if (size > most) return undefined;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The schema says what was expected.
  }
}
