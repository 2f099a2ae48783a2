// What travels on streams, for every pairing of a client's era and a server's, with the official clients.
import type { Client as ModernClient } from '@modelcontextprotocol/client';
import type { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import {
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { startConformanceServer } from '../fakes/conformance-server.ts';
import { startTasksServer } from '../fakes/tasks-server.ts';
import { gatewayWorld } from '../gateway-world.ts';
import {
  answerOf,
  ask,
  askModern,
  clientV1,
  clientV2,
  closeClients,
  listenModern,
  openSession,
  postModern,
} from './clients.ts';
import { eventually } from './gate.ts';
import type { Json } from './program.ts';

const alice = 'alice@acme.com';
const bob = 'bob@acme.com';
const uri = 'test://watched-resource';
const eras = ['legacy', 'modern'] as const;
type Era = (typeof eras)[number];
const cells = eras.flatMap((north) => eras.map((south) => [north, south] as const));

const servers = {
  legacy: await startConformanceServer({ era: 'legacy' }),
  modern: await startConformanceServer({ era: 'modern' }),
};
const tasks = await startTasksServer();
afterAll(async () => {
  await Promise.all([servers.legacy.close(), servers.modern.close(), tasks.close()]);
});

const http = (url: string) => ({ type: 'http', url });
const definitions = {
  legacy: http(servers.legacy.url),
  modern: http(servers.modern.url),
  tasks: http(tasks.url),
  strict: { ...http(tasks.url), extensions: ['x.test/other'] },
};
const picture = {
  servers: definitions,
  groups: {
    all: { servers: Object.keys(definitions) },
    ...{ 'only legacy': { servers: ['legacy'] }, 'only modern': { servers: ['modern'] } },
    tools: { servers: { modern: ['*_trigger_*'] } },
  },
  users: {
    ...{ [alice]: { groups: ['all'] }, [bob]: { groups: ['all'] }, 'eve@acme.com': { groups: ['tools'] } },
    // The fixtures have the same URIs, and the first of two servers is the one that is meant.
    ...{ 'legacy@acme.com': { groups: ['only legacy'] }, 'modern@acme.com': { groups: ['only modern'] } },
  },
};

let gate: Awaited<ReturnType<typeof gatewayWorld>>;
beforeEach(async () => {
  gate = await gatewayWorld(picture);
  return closeClients;
});

/** One client of either era, and everything that it was told. */
interface Listener {
  readonly updates: string[];
  readonly logs: string[];
  lists: number;
  call(name: string, args?: object, o?: Calling): Promise<string>;
  setLevel(level: string): Promise<void>;
  follow(): Promise<() => Promise<void>>;
}

interface Calling {
  readonly onProgress?: (progress: number) => void;
  readonly signal?: AbortSignal;
  readonly level?: string;
}

async function listener(era: Era, path: string, user = alice): Promise<Listener> {
  const url = `${gate.url}${path}`;
  return era === 'legacy' ? legacyListener(await clientV1(url, user)) : modernListener(url, user);
}

function legacyListener(client: LegacyClient): Listener {
  const heard: Listener = {
    ...{ updates: [], logs: [], lists: 0 },
    call: async (name, args = {}, { onProgress, signal } = {}) => {
      const onprogress = onProgress && {
        onprogress: ({ progress }: { progress: number }) => onProgress(progress),
      };
      const options = { ...onprogress, ...(signal && { signal }) };
      return textOf(await client.callTool({ name, arguments: { ...args } }, undefined, options));
    },
    setLevel: async (level) => void (await client.setLoggingLevel(level as 'info')),
    follow: async () => {
      await client.subscribeResource({ uri });
      return async () => void (await client.unsubscribeResource({ uri }));
    },
  };
  client.setNotificationHandler(
    ResourceUpdatedNotificationSchema,
    ({ params }) => void heard.updates.push(params.uri),
  );
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.lists++);
  client.setNotificationHandler(
    LoggingMessageNotificationSchema,
    ({ params }) => void heard.logs.push(params.level),
  );
  return heard;
}

async function modernListener(url: string, user: string): Promise<Listener> {
  const client: ModernClient = await clientV2(url, user, { pin: '2026-07-28' });
  const heard: Listener = {
    ...{ updates: [], logs: [], lists: 0 },
    call: async (name, args = {}, { onProgress, signal, level } = {}) => {
      const _meta = level === undefined ? {} : { _meta: { 'io.modelcontextprotocol/logLevel': level } };
      const onprogress = onProgress && {
        onprogress: ({ progress }: { progress: number }) => onProgress(progress),
      };
      const options = { ...onprogress, ...(signal && { signal }) };
      return textOf(await client.callTool({ name, arguments: { ...args }, ..._meta }, options));
    },
    setLevel: async () => undefined,
    follow: async () => {
      const open = await client.listen({ resourceSubscriptions: [uri], toolsListChanged: true });
      expect(open.honoredFilter.resourceSubscriptions).toEqual([uri]);
      return () => open.close();
    },
  };
  client.setNotificationHandler(
    'notifications/resources/updated',
    ({ params }) => void heard.updates.push(params.uri),
  );
  client.setNotificationHandler('notifications/tools/list_changed', () => void heard.lists++);
  client.setNotificationHandler('notifications/message', ({ params }) => void heard.logs.push(params.level));
  return heard;
}

function textOf(result: unknown): string {
  return (result as { content: { text: string }[] }).content[0]!.text;
}

/** How often the fixture was asked to follow or to let go, since the last look. */
function asked(south: Era): string[] {
  return servers[south].noted.subscriptions.splice(0);
}

describe.each(cells)('a %s client of a %s server', (north, south) => {
  test.each([`/mcp/${south}`, '/mcp'])(
    'at %s hears of a resource that it follows, and only then',
    async (path) => {
      const prefix = path === '/mcp' ? `${south}__` : '';
      asked(south);
      const [one, two, none] = await Promise.all([
        listener(north, path, `${south}@acme.com`),
        listener(north, path, path === '/mcp' ? `${south}@acme.com` : bob),
        listener(north, path),
      ]);
      const trigger = () => one.call(`${prefix}test_trigger_resource_update`, { uri });
      const [leaveOne, leaveTwo] = [await one.follow(), await two.follow()];
      if (south === 'legacy') expect(asked(south)).toEqual([`subscribe ${uri}`]);
      await eventually(
        'the standalone streams',
        () => gate.gateway.counts().subscribers >= (north === 'legacy' ? 3 : 2),
      );
      await trigger();
      await eventually('the news', () => one.updates.length === 1 && two.updates.length === 1);
      await leaveOne();
      if (north === 'modern')
        await eventually('the stream is closed', () => gate.gateway.counts().subscribers === 1);
      expect(gate.gateway.gate.subscriptions.size).toBe(1);
      expect(asked(south)).toEqual([]);
      await trigger();
      await eventually('the news for the other', () => two.updates.length === 2);
      expect([one.updates, none.updates]).toEqual([[uri], []]);
      await leaveTwo();
      await eventually('nobody follows', () => gate.gateway.gate.subscriptions.size === 0);
      if (south === 'legacy')
        await eventually('the server was told', () => asked(south).includes(`unsubscribe ${uri}`));
    },
  );

  test('hears that a list has changed', async () => {
    const client = await listener(north, `/mcp/${south}`);
    await client.follow();
    await eventually('the stream', () => gate.gateway.counts().subscribers === 1);
    // The gate itself has to be heard by then.
    await eventually('the news', async () => {
      await client.call('test_trigger_tool_change');
      return client.lists > 0;
    });
  });

  test('hears of progress', async () => {
    const client = await listener(north, `/mcp/${south}`);
    const heard: number[] = [];
    await client.call('test_tool_with_progress', {}, { onProgress: (progress) => void heard.push(progress) });
    expect(heard).toEqual([0, 50, 100]);
  });

  test.each([`/mcp/${south}`, '/mcp'])(
    'at %s hears of logs from its own level on, whatever others want',
    async (path) => {
      const tool = path === '/mcp' ? `${south}__test_log_levels` : 'test_log_levels';
      const [loud, quiet] = [await listener(north, path), await listener(north, path, bob)];
      await loud.setLevel('debug');
      await quiet.setLevel('warning');
      await Promise.all([
        loud.call(tool, {}, { level: 'debug' }),
        quiet.call(tool, {}, { level: 'warning' }),
      ]);
      expect(loud.logs).toEqual(['debug', 'info', 'warning', 'error']);
      expect(quiet.logs).toEqual(['warning', 'error']);
      const silent = await listener(north, path);
      await silent.call(tool);
      // Without a level the modern era is silent; in the legacy one the server decides.
      expect(silent.logs.length > 0).toBe(north === 'legacy');
    },
  );

  test('that gives up a call ends it at the server', async () => {
    const { noted } = servers[south];
    const before = noted.cancelled;
    const client = await listener(north, `/mcp/${south}`);
    await client.call('test_simple_text');
    const controller = new AbortController();
    const call = client.call('test_wait', {}, { signal: controller.signal });
    const ended = call.then(
      () => 'answered',
      () => 'given up',
    );
    await eventually('the server is at work', () => noted.waiting > 0);
    controller.abort();
    expect(await ended).toBe('given up');
    await eventually('the server was told', () => noted.cancelled === before + 1);
  });
});

test('a modern client learns from the acknowledgement what is honoured: only what is there and is its own', async () => {
  const listening = await listenModern(at('/mcp'), { resourceSubscriptions: [uri, 'test://nowhere/at/all'] });
  await eventually('the acknowledgement', () => listening.messages.length > 0);
  expect(listening.messages[0].params.notifications).toEqual({ resourceSubscriptions: [uri] });
  // A grant of some tools says nothing about resources.
  const eve = await listenModern(at('/mcp/modern', 'eve@acme.com'), { resourceSubscriptions: [uri] });
  await eventually('the acknowledgement', () => eve.messages.length > 0);
  expect(eve.messages[0].params.notifications).toEqual({});
});

test('whoever loses the right to a server hears no more of its resources', async () => {
  const client = await listener('modern', '/mcp');
  await client.follow();
  expect(gate.gateway.gate.subscriptions.size).toBe(1);
  gate.change({ ...picture, users: { ...picture.users, [alice]: { groups: ['tools'] } } });
  expect(gate.gateway.gate.subscriptions.size).toBe(0);
});

test('a session that ends lets go of what it followed, and so does one whose credential no longer counts', async () => {
  for (const end of ['delete', 'revoke'] as const) {
    const session = await openSession(`${gate.url}/mcp/legacy`, alice);
    const stream = await fetch(session.url, { headers: legacyHeaders(session.session) });
    expect((await ask(session, 'resources/subscribe', { uri })).message.result).toEqual({});
    expect(gate.gateway.gate.subscriptions.size).toBe(1);
    if (end === 'delete')
      await fetch(session.url, { method: 'DELETE', headers: legacyHeaders(session.session) });
    else gate.revoke(alice);
    await eventually('nobody follows', () => gate.gateway.gate.subscriptions.size === 0);
    await stream.body?.cancel();
  }
});

test('a legacy client without a session cannot follow anything', async () => {
  const { message } = await ask({ url: `${gate.url}/mcp/legacy`, token: alice }, 'resources/subscribe', {
    uri,
  });
  expect(message.error.code).toBe(-32600);
});

describe('tasks', () => {
  const capability = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
  const meta = { 'io.modelcontextprotocol/clientCapabilities': capability };
  const send = async (
    path: string,
    method: string,
    params: Record<string, unknown>,
    user = alice,
  ): Promise<Json> => {
    const answer = await answerOf(await postModern(at(path, user), method, params, { meta }));
    return answer.message;
  };
  const begin = async (path: string) => {
    const name = path === '/mcp' ? 'tasks__greet' : 'greet';
    return (await send(path, 'tools/call', { name, arguments: {} })).result;
  };

  test.each(['/mcp', '/mcp/tasks'])(
    'at %s run under an id of the gate’s own, on any process',
    async (path) => {
      const begun = await begin(path);
      const own = [...tasks.tasks.keys()].at(-1)!;
      expect(begun).toMatchObject({ resultType: 'task', status: 'working' });
      expect(JSON.stringify(begun)).not.toContain(own);
      const { taskId } = begun;
      const asking = (await send(path, 'tasks/get', { taskId })).result;
      expect(asking).toMatchObject({ taskId, status: 'input_required', inputRequests: { who: {} } });
      const inputResponses = { who: { action: 'accept', content: { name: 'Ann' } } };
      expect((await send(path, 'tasks/update', { taskId, inputResponses })).result.resultType).toBe(
        'complete',
      );
      const other = path === '/mcp' ? '/mcp/tasks' : '/mcp';
      const done = (await send(other, 'tasks/get', { taskId })).result;
      expect(done).toMatchObject({
        taskId,
        status: 'completed',
        result: { content: [{ text: 'Hello Ann' }] },
      });
      expect(tasks.asked.at(-1)).toBe(`tasks/get ${own} ${own}`);
      expect((await send(path, 'tasks/cancel', { taskId })).result.resultType).toBe('complete');
    },
  );

  test('announce themselves to those who listen', async () => {
    const { taskId } = await begin('/mcp');
    const listening = await listenModern(at('/mcp'), { taskIds: [taskId, 'made up'] }, { meta });
    await eventually('the acknowledgement', () => listening.messages.length > 0);
    expect(listening.messages[0].params.notifications).toEqual({ taskIds: [taskId] });
    await send('/mcp', 'tasks/cancel', { taskId });
    await eventually('the news', () => listening.messages.length > 1);
    expect(listening.messages[1]).toMatchObject({
      method: 'notifications/tasks',
      params: { taskId, status: 'cancelled', _meta: { 'io.modelcontextprotocol/subscriptionId': 'listen' } },
    });
    const { status, message } = await askModern(at('/mcp'), 'subscriptions/listen', {
      notifications: { taskIds: [taskId] },
    });
    expect([status, message.error.code]).toEqual([400, -32021]);
  });

  test('of somebody else, made up, at another server or of a tool that was taken away look alike', async () => {
    const { taskId } = await begin('/mcp');
    const own = [...tasks.tasks.keys()].at(-1)!;
    const before = tasks.asked.length;
    const refused = (message: Json) => [message.error.code, message.error.message];
    const unknown = [-32602, 'There is no such task that you may use.'];
    await send('/mcp/strict', 'tools/list', {});
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
      expect(refused(await send('/mcp', method, { taskId }, bob)), method).toEqual(unknown);
      expect(refused(await send('/mcp', method, { taskId: own })), method).toEqual(unknown);
      expect(refused(await send('/mcp', method, { taskId: `${taskId.slice(0, -4)}AAAA` })), method).toEqual(
        unknown,
      );
      expect(refused(await send('/mcp/tasks', method, { taskId: 'x' })), method).toEqual(unknown);
      // Another server's, and one that is told of no tasks.
      expect((await send('/mcp/strict', method, { taskId })).error.code, method).toBe(-32601);
      // A server whose parser does not mind capitals would read the other one.
      expect((await send('/mcp', method, { taskId, TaskID: own })).error.code, method).toBe(-32602);
    }
    const others = { servers: { tasks: ['other_*'] } };
    gate.change({ ...picture, groups: { ...picture.groups, all: others } });
    expect(refused(await send('/mcp', 'tasks/get', { taskId }))).toEqual(unknown);
    expect(tasks.asked.length).toBe(before);
  });

  test('are there for modern clients of modern servers, where the server’s policy lets them', async () => {
    const extensions = async (path: string) =>
      (await send(path, 'server/discover', {})).result.capabilities.extensions;
    expect(await extensions('/mcp/tasks')).toEqual({
      'io.modelcontextprotocol/tasks': {},
      'x.test/other': {},
    });
    expect(await extensions('/mcp/strict')).toEqual({ 'x.test/other': {} });
    await eventually(
      'the merged endpoint has met the server',
      async () => (await extensions('/mcp')) !== undefined,
    );
    expect(await extensions('/mcp')).toEqual({ 'io.modelcontextprotocol/tasks': {} });
    expect((await send('/mcp/strict', 'tools/call', { name: 'greet' })).result.content[0].text).toBe(
      'no task',
    );
    expect(tasks.capabilities()).toEqual({});
    const session = await openSession(`${gate.url}/mcp/tasks`, alice, capability);
    const { message } = await ask(session, 'tools/call', { name: 'greet', arguments: {}, task: { ttl: 1 } });
    expect(message.result.content[0].text).toBe('no task');
    expect((await ask(session, 'tasks/list', {})).message.error.code).toBe(-32601);
  });
});

function at(path: string, token = alice) {
  return { url: `${gate.url}${path}`, token };
}

function legacyHeaders(session: string) {
  return {
    authorization: `Bearer ${alice}`,
    accept: 'text/event-stream',
    'mcp-session-id': session,
    'mcp-protocol-version': '2025-11-25',
  };
}
