import {
  ElicitRequestSchema,
  CreateMessageRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, test } from 'vitest';
import { type Era, startConformanceServer } from '../fakes/conformance-server.ts';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { exactResults } from '../fakes/hostile/kinds.ts';
import {
  ask,
  askModern,
  clientV1,
  clientV2,
  closeLater,
  listenLegacy,
  listenModern,
  openSession,
  post,
  postModern,
  textOf,
} from './clients.ts';
import { configOf, eventually, startGate } from './gate.ts';
import { startUpstream, toolsNamed } from './upstream.ts';

const fixtures = {
  both: closeLater(await startConformanceServer({ era: 'both' })).url,
  modern: closeLater(await startConformanceServer({ era: 'modern' })).url,
  legacy: closeLater(await startConformanceServer({ era: 'legacy' })).url,
} as const satisfies Record<Era, string>;
const hostile = closeLater(await startHostileHttp());

const longNames = [
  'a_tool_whose_name_is_much_too_long_for_model_apis_one',
  'a_tool_whose_name_is_much_too_long_for_model_apis_two',
];
const many = await startUpstream(
  { tools: {} },
  toolsNamed(Array.from({ length: 1_500 }, (_, at) => `tool_${String(at).padStart(4, '0')}`)),
);
const odd = await startUpstream(
  { tools: {} },
  toolsNamed(['zebra', 'dots.and/slashes', ...longNames, 'apple']),
);
const news = await startUpstream(
  { resources: { subscribe: true, listChanged: true } },
  {
    'resources/list': () => ({ resources: [{ uri: 'news://today', name: 'today' }] }),
    'resources/templates/list': () => ({ resourceTemplates: [] }),
    'resources/read': ({ params }) => ({ contents: [{ uri: params?.['uri'], text: 'nothing happened' }] }),
    'resources/subscribe': () => ({}),
    'resources/unsubscribe': () => ({}),
  },
);

const http = (url: string) => ({ type: 'http', url });
const definitions = {
  ...Object.fromEntries(Object.entries(fixtures).map(([era, url]) => [era, http(url)])),
  ...Object.fromEntries(
    (['ok', 'paginated', 'progress', 'asks', 'unicode-numbers'] as const).map((kind) => [
      kind,
      http(hostile.url(kind)),
    ]),
  ),
  ...{ 'ok-modern': http(hostile.url('modern')), odd: http(odd.url), news: http(news.url) },
};
const users = {
  'alice@acme.com': { groups: ['Everyone'] },
  // Alone with a list that needs two pages.
  'paul@acme.com': { servers: ['many'] },
};
const gate = await startGate({
  config: { ...configOf(definitions, { users }), mcpServers: { ...definitions, many: http(many.url) } },
});
const token = await gate.tokenFor('alice@acme.com');
const tokenOfPaul = await gate.tokenFor('paul@acme.com');
const at = (server = '') => ({ url: `${gate.url}/mcp${server === '' ? '' : `/${server}`}`, token });

/** What the clients of both eras have in common. */
interface AnyClient {
  listTools(): Promise<{ tools: unknown[] }>;
  callTool(params: object): Promise<unknown>;
  listResources(): Promise<{ resources: unknown[] }>;
  listResourceTemplates(): Promise<{ resourceTemplates: unknown[] }>;
  readResource(params: { uri: string }): Promise<{ contents: unknown[] }>;
  listPrompts(): Promise<{ prompts: unknown[] }>;
  getPrompt(params: object): Promise<{ messages: unknown[] }>;
  complete(params: object): Promise<{ completion: unknown }>;
}

const connect = {
  legacy: async (url: string) => (await clientV1(url, token)) as unknown as AnyClient,
  modern: async (url: string) => (await clientV2(url, token, { pin: '2026-07-28' })) as unknown as AnyClient,
};

async function everything(client: AnyClient) {
  const template = 'test://template/{id}/data';
  return {
    tools: (await client.listTools()).tools,
    resources: (await client.listResources()).resources,
    templates: (await client.listResourceTemplates()).resourceTemplates,
    prompts: (await client.listPrompts()).prompts,
    calls: await Promise.all(
      [
        'test_simple_text',
        'test_image_content',
        'test_audio_content',
        'test_multiple_content_types',
        'test_error_handling',
      ].map(async (name) => ({ ...((await client.callTool({ name, arguments: {} })) as object), _meta: 0 })),
    ),
    read: (await client.readResource({ uri: 'test://static-text' })).contents,
    fromTemplate: (await client.readResource({ uri: 'test://template/7/data' })).contents,
    prompt: (
      await client.getPrompt({ name: 'test_prompt_with_arguments', arguments: { arg1: 'a', arg2: 'b' } })
    ).messages,
    completedPrompt: (
      await client.complete({
        ref: { type: 'ref/prompt', name: 'test_prompt_with_arguments' },
        argument: { name: 'arg1', value: 'par' },
      })
    ).completion,
    completedTemplate: (
      await client.complete({
        ref: { type: 'ref/resource', uri: template },
        argument: { name: 'id', value: 'part' },
      })
    ).completion,
  };
}

const eras = ['legacy', 'modern'] as const;

describe.each(eras)('a %s client', (era) => {
  test.each(['both', 'legacy', 'modern'] as const)(
    'sees a server that speaks %s through the gate as without it',
    async (server) => {
      const direct = await everything(await connect[server === 'both' ? era : server](fixtures[server]));
      const through = await everything(await connect[era](at(server).url));
      expect(through).toEqual(direct);
    },
  );

  test('uses prompts, resources and completion of merged servers by their merged names', async () => {
    const client = await connect[era](at().url);
    const { prompts } = (await client.listPrompts()) as { prompts: { name: string }[] };
    expect(prompts.map(({ name }) => name)).toContain('modern__test_simple_prompt');
    const { messages } = await client.getPrompt({
      name: 'modern__test_prompt_with_arguments',
      arguments: { arg1: 'a', arg2: 'b' },
    });
    expect(JSON.stringify(messages)).toContain("arg1='a'");
    expect((await client.readResource({ uri: 'news://today' })).contents).toEqual([
      { uri: 'news://today', text: 'nothing happened' },
    ]);
    const ref = { type: 'ref/prompt', name: 'legacy__test_prompt_with_arguments' };
    const { completion } = await client.complete({ ref, argument: { name: 'arg1', value: 'pari' } });
    expect(completion).toMatchObject({ values: ['paris'] });
  });

  test('hears of progress under its own token, from servers of both eras', async () => {
    for (const [server, name] of [
      ['legacy', 'test_tool_with_progress'],
      ['modern', 'test_tool_with_progress'],
      ['progress', 'work'],
    ] as const) {
      const params = { name, arguments: { steps: 3 } };
      const _meta = { progressToken: 'mine' };
      const session = await openSession(at(server).url, token);
      const response =
        era === 'legacy'
          ? await post(session, { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { ...params, _meta } })
          : await postModern(at(server), 'tools/call', params, { meta: _meta });
      const text = await response.text();
      const progress = [...text.matchAll(/^data: (.*notifications\/progress.*)$/gm)].map(
        ([, data]) => JSON.parse(data!).params,
      );
      expect(
        progress.map(({ progressToken }) => progressToken),
        server,
      ).toEqual(['mine', 'mine', 'mine']);
      expect(text.trim().split('\n').at(-1)).toContain('"result"');
    }
  });

  test('that gives up a call ends it at the server', async () => {
    for (const [server, kind] of [
      ['ok', 'ok'],
      ['ok-modern', 'modern'],
    ] as const) {
      const before = hostile.stats(kind);
      const abort = new AbortController();
      const params = { name: 'slow', arguments: { ms: 60_000 } };
      const session = await openSession(at(server).url, token);
      const call =
        era === 'legacy'
          ? post(session, { jsonrpc: '2.0', id: 77, method: 'tools/call', params }, abort.signal)
          : postModern(at(server), 'tools/call', params, { signal: abort.signal });
      const ended = call.then(
        (answer) => answer.text(),
        () => 'gone',
      );
      await eventually(
        'the server is busy',
        () => (hostile.stats(kind).counts['tools/call'] ?? 0) > (before.counts['tools/call'] ?? 0),
      );
      if (era === 'modern') abort.abort();
      else
        await (
          await post(session, {
            jsonrpc: '2.0',
            method: 'notifications/cancelled',
            params: { requestId: 77 },
          })
        ).text();
      await eventually('the server was let go', () => hostile.stats(kind).abandoned > before.abandoned);
      if (era === 'legacy' && kind === 'ok') {
        await eventually(
          'the cancellation arrived',
          () => (hostile.stats(kind).counts['notifications/cancelled'] ?? 0) > 0,
        );
      }
      await ended;
    }
  });

  test('gets the bytes of a server as they are, and on the merged endpoint with another name only', async () => {
    const send = async (server: string, method: string, params: Record<string, unknown> = {}) =>
      era === 'legacy'
        ? (await ask(await openSession(at(server).url, token), method, params)).text
        : (await askModern(at(server), method, params)).text;
    const exactTool = /\{"name":"exact".*\]\}/.exec(exactResults['tools/list']!)![0];
    expect(await send('unicode-numbers', 'tools/list')).toContain(exactTool);
    await eventually('the merged list', async () =>
      (await send('', 'tools/list')).includes(
        exactTool.replace('"name":"exact"', '"name":"unicode-numbers__exact"'),
      ),
    );
    const result = exactResults['tools/call']!.slice(0, -1);
    expect(await send('unicode-numbers', 'tools/call', { name: 'exact' })).toContain(result);
    expect(await send('', 'tools/call', { name: 'unicode-numbers__exact' })).toContain(result);
  });

  test('hears that a list has changed, from servers of both eras', async () => {
    const listening =
      era === 'legacy'
        ? await listenLegacy(await openSession(at().url, token))
        : await listenModern(at(), { toolsListChanged: true });
    const client = await connect[era](at().url);
    await client.listTools();
    for (const server of ['legacy', 'modern']) {
      const before = listening.messages.length;
      await client.callTool({ name: `${server}__test_trigger_tool_change`, arguments: {} });
      await eventually(`news from ${server}`, () =>
        listening.messages.slice(before).some(({ method }) => method === 'notifications/tools/list_changed'),
      );
    }
    if (era === 'modern') {
      expect(listening.messages[0]).toMatchObject({
        method: 'notifications/subscriptions/acknowledged',
        params: { notifications: { toolsListChanged: true } },
      });
      for (const { params } of listening.messages)
        expect(params._meta['io.modelcontextprotocol/subscriptionId']).toBe('listen');
    }
    listening.close();
  });

  test('pages through a long list, and through a server that pages itself', async () => {
    const send = async (raw: { url: string; token: string }, params: Record<string, unknown> = {}) =>
      (era === 'legacy'
        ? await ask(await openSession(raw.url, raw.token), 'tools/list', params)
        : await askModern(raw, 'tools/list', params)
      ).message;
    for (const server of ['many', '']) {
      const long = { ...at(server), token: tokenOfPaul };
      const first = await send(long);
      expect(first.result.tools).toHaveLength(1_000);
      const second = await send(long, { cursor: first.result.nextCursor });
      expect(second.result.tools).toHaveLength(500);
      expect(second.result.nextCursor).toBeUndefined();
      expect(new Set([...first.result.tools, ...second.result.tools].map(({ name }) => name)).size).toBe(
        1_500,
      );
      expect((await send(long, { cursor: 'made up' })).error).toMatchObject({ code: -32602 });
    }
    expect((await send(at('paginated'))).result.tools).toHaveLength(30);
  });
});

test('merged names are safe, short, in one order, and lead to the tools they stand for', async () => {
  const client = await clientV1(at().url, token);
  const names = await eventually('tools of every server', async () => {
    const found = (await client.listTools()).tools.map(({ name }) => name);
    return (
      ['odd', 'progress', 'unicode-numbers'].every((server) =>
        found.some((name) => name.startsWith(server)),
      ) && found
    );
  });
  expect(names.filter((name) => !/^[A-Za-z0-9_-]{1,47}$/.test(name))).toEqual([]);
  const servers = [...new Set(names.map((name) => name.split('__')[0]!))];
  expect(servers).toEqual([...servers].sort());
  const mine = names.filter((name) => name.startsWith('odd__'));
  expect(mine).toEqual([...mine].sort());
  expect(mine).toHaveLength(5);
  const answers = await Promise.all(
    mine.map(async (name) => textOf(await client.callTool({ name, arguments: {} })).text),
  );
  expect(answers.sort()).toEqual(
    ['zebra', 'dots.and/slashes', ...longNames, 'apple'].map((name) => `I am ${name}`).sort(),
  );
});

test('ping and the log level work for legacy clients and are gone for modern ones', async () => {
  const client = await clientV1(at('legacy').url, token);
  await client.ping();
  await client.setLoggingLevel('warning');
  const merged = await clientV1(at().url, token);
  await merged.ping();
  await merged.setLoggingLevel('debug');
  const session = await openSession(at('ok').url, token);
  await ask(session, 'logging/setLevel', { level: 'error' });
  expect(hostile.stats('ok').counts['logging/setLevel']).toBe(1);
  expect((await ask(session, 'logging/setLevel', { level: 'loud' })).message.error.code).toBe(-32602);
  for (const method of ['ping', 'logging/setLevel', 'initialize']) {
    const { status, message } = await askModern(at('ok'), method, { level: 'debug' });
    expect([status, message.error.code], method).toEqual([404, -32601]);
  }
});

test('news of a resource reach those who subscribed to it and nobody else', async () => {
  const [reader, other] = [await openSession(at().url, token), await openSession(at('news').url, token)];
  const [heard, silence] = [await listenLegacy(reader), await listenLegacy(other)];
  expect((await ask(reader, 'resources/subscribe', { uri: 'news://today' })).message.result).toEqual({});
  await eventually('the gate listens', () => news.streams.size > 0);
  const updated = 'notifications/resources/updated';
  news.notify(updated, { uri: 'news://today' });
  await eventually('the update', () =>
    heard.messages.some(({ method, params }) => method === updated && params.uri === 'news://today'),
  );
  await ask(reader, 'resources/unsubscribe', { uri: 'news://today' });
  await eventually('the server was told', () =>
    news.seen.some(({ method }) => method === 'resources/unsubscribe'),
  );
  const before = heard.messages.length;
  news.notify(updated, { uri: 'news://today' });
  // What is announced after it arrives after it, so silence until then means that nothing came.
  news.notify('notifications/resources/list_changed');
  await eventually('later news', () =>
    heard.messages.slice(before).some(({ method }) => method.endsWith('list_changed')),
  );
  await eventually('later news', () =>
    silence.messages.some(({ method }) => method.endsWith('list_changed')),
  );
  expect(heard.messages.slice(before).filter(({ method }) => method === updated)).toEqual([]);
  expect(silence.messages.filter(({ method }) => method === updated)).toEqual([]);
});

test('a legacy server asks the legacy client that made the call, and a modern client gets a sentence', async () => {
  const client = await clientV1(at('asks').url, token, { elicitation: {}, sampling: {}, roots: {} });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ann' } }));
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    role: 'assistant',
    model: 'm',
    content: { type: 'text', text: 'hello' },
  }));
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///here' }] }));
  const answerTo = async (name: string) => textOf(await client.callTool({ name, arguments: {} })).text;
  expect(await answerTo('ask_elicit')).toContain('"Ann"');
  expect(await answerTo('ask_sample')).toContain('"hello"');
  expect(await answerTo('ask_roots')).toContain('file:///here');
  const { status, message } = await askModern(at('asks'), 'tools/call', { name: 'ask_roots', arguments: {} });
  expect(status).toBe(200);
  expect(textOf(message.result).text).toContain('No client is there to answer');
});
