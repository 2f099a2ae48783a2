// A modern MCP server whose one tool makes tasks (the tasks extension, SEP-2663).
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { eventOf, eventStreamHeaders, readMessage } from './hostile/http-wire.ts';
import type { RpcRequest } from './hostile/wire.ts';
import { listenOnLoopback } from './loopback.ts';

const prefix = 'io.modelcontextprotocol/';
const extension = `${prefix}tasks`;

interface Task {
  readonly taskId: string;
  status: 'working' | 'input_required' | 'completed' | 'cancelled';
  name: string | undefined;
}

export interface TasksServer {
  readonly url: string;
  /** The server's own ids, oldest first. */
  readonly tasks: ReadonlyMap<string, unknown>;
  /** `method name-header taskId` of every request about a task. */
  readonly asked: string[];
  /** Client capabilities of the last request. */
  capabilities(): unknown;
  close(): Promise<void>;
}

interface Answer {
  readonly status?: number;
  readonly result?: object;
  readonly error?: object;
}

/** The tool `greet` asks for a name, and completes when `tasks/update` brings one. */
export async function startTasksServer(): Promise<TasksServer> {
  const tasks = new Map<string, Task>();
  const asked: string[] = [];
  const listening = new Set<{ response: ServerResponse; id: unknown; taskIds: readonly string[] }>();
  let declared: unknown;

  const tell = (task: Task): void => {
    for (const { response, id, taskIds } of listening) {
      if (!taskIds.includes(task.taskId)) continue;
      const params = { ...detailsOf(task), _meta: { [`${prefix}subscriptionId`]: id } };
      response.write(eventOf(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tasks', params })));
    }
  };
  const about = (request: RpcRequest, name: string | undefined): Answer => {
    const { taskId, inputResponses } = request.params ?? {};
    asked.push(`${request.method} ${name} ${String(taskId)}`);
    const task = tasks.get(String(taskId));
    if (!task) return { error: { code: -32602, message: 'Task not found' } };
    if (request.method === 'tasks/get') return { result: { resultType: 'complete', ...detailsOf(task) } };
    if (request.method === 'tasks/cancel') task.status = 'cancelled';
    else {
      const { who } = inputResponses as { who?: { content?: { name?: string } } };
      task.name = who?.content?.name;
      task.status = 'completed';
    }
    tell(task);
    return { result: { resultType: 'complete' } };
  };
  const call = (): Answer => {
    const tools = extensionsOf(declared);
    if (!(extension in tools))
      return { result: { resultType: 'complete', content: [{ type: 'text', text: 'no task' }] } };
    const task: Task = { taskId: randomUUID(), status: 'input_required', name: undefined };
    tasks.set(task.taskId, task);
    return { result: { resultType: 'task', taskId: task.taskId, status: 'working', ...times } };
  };
  const answerTo = (request: RpcRequest, name: string | undefined): Answer => {
    if (request.method.startsWith('tasks/')) return about(request, name);
    if (request.method === 'tools/call') return call();
    if (request.method === 'tools/list')
      return { result: { resultType: 'complete', ttlMs: 0, cacheScope: 'private', tools: [greet] } };
    if (request.method === 'server/discover') return { result: discovered };
    return { status: 404, error: { code: -32601, message: 'Method not found' } };
  };

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (incoming.method !== 'POST') return void response.writeHead(405).end();
    const { request } = await readMessage(incoming);
    if (!request) return void response.writeHead(202).end();
    const envelope = request.params?.['_meta'] as Record<string, unknown> | undefined;
    if (envelope?.[`${prefix}protocolVersion`] !== '2026-07-28') return refuse(response, request);
    declared = envelope[`${prefix}clientCapabilities`];
    if (request.method === 'subscriptions/listen') return listen(response, request);
    const name = incoming.headers['mcp-name'];
    const { status = 200, ...answer } = answerTo(request, typeof name === 'string' ? name : undefined);
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: request.id, ...answer }));
  };
  const listen = (response: ServerResponse, request: RpcRequest): void => {
    const filter = request.params?.['notifications'] as { taskIds?: string[] };
    const taskIds = (filter.taskIds ?? []).filter((id) => tasks.has(id));
    const _meta = { [`${prefix}subscriptionId`]: request.id };
    const params = { notifications: { taskIds }, _meta };
    response.writeHead(200, eventStreamHeaders);
    response.write(
      eventOf(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params })),
    );
    const open = { response, id: request.id, taskIds };
    listening.add(open);
    response.once('close', () => listening.delete(open));
  };

  const http = await listenOnLoopback((incoming, response) => void serve(incoming, response));
  return { url: `${http.origin}/mcp`, tasks, asked, capabilities: () => declared, close: () => http.close() };
}

const greet = { name: 'greet', inputSchema: { type: 'object' } };
const times = { createdAt: '2026-11-20T10:00:00Z', lastUpdatedAt: '2026-11-20T10:00:00Z', ttlMs: 60_000 };
const discovered = {
  ...{ resultType: 'complete', ttlMs: 0, cacheScope: 'private', supportedVersions: ['2026-07-28'] },
  capabilities: { tools: {}, extensions: { [extension]: {}, 'x.test/other': {} } },
  _meta: { [`${prefix}serverInfo`]: { name: 'tasks-server', version: '1.0.0' } },
};

function detailsOf({ taskId, status, name }: Task): object {
  const ask = {
    method: 'elicitation/create',
    params: { mode: 'form', message: 'Who?', requestedSchema: {} },
  };
  return {
    ...{ taskId, status, ...times },
    ...(status === 'input_required' && { inputRequests: { who: ask } }),
    ...(status === 'completed' && { result: { content: [{ type: 'text', text: `Hello ${name}` }] } }),
  };
}

function extensionsOf(capabilities: unknown): object {
  return (capabilities as { extensions?: object } | undefined)?.extensions ?? {};
}

function refuse(response: ServerResponse, { id, params }: RpcRequest): void {
  const data = { supported: ['2026-07-28'], requested: String(params?.['protocolVersion']) };
  response.writeHead(400, { 'Content-Type': 'application/json' });
  response.end(
    JSON.stringify({
      jsonrpc: '2.0',
      id,
      error: { code: -32022, message: 'Unsupported protocol version', data },
    }),
  );
}
