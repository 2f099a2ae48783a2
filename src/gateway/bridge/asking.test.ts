// Parked calls through the whole data plane.
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  ann,
  askModern,
  begun,
  everything,
  legacy,
  messagesOf,
  picture,
  postModern,
  prefix,
  textIn,
  type Json,
} from '../../../test/asking-world.ts';
import { as, gatewayWorld, type Picture } from '../../../test/gateway-world.ts';

const alice = 'alice@acme.com';
const withTenant = (before: Picture, url: string): Picture => ({
  ...before,
  groups: { ...before.groups, acme: { tenant: 'acme' } },
  tenants: { acme: { endpoints: { legacy: url } } },
  users: { [alice]: { groups: ['all', 'acme'] } },
});
const withLegacyAt = (before: Picture, url: string): Picture => ({
  ...before,
  servers: { ...before.servers, legacy: { type: 'http', url, timeoutMs: 10_000 } },
});

describe('a modern client and a legacy server that asks', () => {
  test.each(['/mcp/legacy', '/mcp'])('on %s: form, page, model and roots', async (path) => {
    const world = await gatewayWorld(picture());
    const model = { role: 'assistant', model: 'm', content: { type: 'text', text: 'hello' } };
    const roots = { roots: [{ uri: 'file:///here' }] };
    for (const [tool, method, answer] of [
      ['ask_form', 'elicitation/create', ann],
      ['ask_page', 'elicitation/create', { action: 'accept' }],
      ['ask_model', 'sampling/createMessage', model],
      ['ask_roots', 'roots/list', roots],
    ] as const) {
      const name = path === '/mcp' ? `legacy__${tool}` : tool;
      const { result, keys, retryParams } = await begun(world, { name, arguments: {} }, { path });
      const [asked] = keys.map((key) => result.inputRequests[key]);
      expect(asked.method).toBe(method);
      expect(asked.params ?? {}).not.toHaveProperty('elicitationId');
      const done = await askModern(world, retryParams([answer]), { path });
      expect(done.result.resultType).toBe('complete');
      expect(JSON.parse(textIn(done))).toEqual([answer]);
    }
    expect(world.gateway.gate.parked.size).toBe(0);
  });

  test('several questions travel together, and one after the other they take several rounds', async () => {
    const world = await gatewayWorld(picture());
    const ben = { action: 'decline' };
    const both = await begun(world, { name: 'ask_both' });
    expect(both.keys).toHaveLength(2);
    expect(JSON.parse(textIn(await askModern(world, both.retryParams([ann, ben]))))).toEqual([ann, ben]);
    const one = await begun(world, { name: 'ask_steps' });
    const second = await askModern(world, one.retryParams());
    expect(second.result.resultType).toBe('input_required');
    const [key] = Object.keys(second.result.inputRequests);
    const done = await askModern(world, {
      name: 'ask_steps',
      requestState: second.result.requestState,
      inputResponses: { [key!]: ben },
    });
    expect(JSON.parse(textIn(done))).toEqual([ann, ben]);
  });

  test('prompts and resources may ask as well', async () => {
    const world = await gatewayWorld(picture());
    const prompt = await begun(world, { name: 'asking' }, { method: 'prompts/get' });
    const got = await askModern(world, prompt.retryParams(), { method: 'prompts/get' });
    expect(got.result.messages[0].content.text).toContain('Ann');
    // Listed by both servers, so the first by name is read; another that none lists is asked for in turn.
    for (const uri of ['ask://form', 'ask://unlisted']) {
      const o = { method: 'resources/read', path: '/mcp' };
      const read = await begun(world, { uri }, o);
      const contents = (await askModern(world, read.retryParams(), o)).result.contents;
      expect(contents).toEqual([{ uri, text: JSON.stringify(ann) }]);
    }
  });

  test('a server over stdio may ask as well', async () => {
    const program = fileURLToPath(new URL('../../../test/fakes/hostile-stdio.ts', import.meta.url));
    const world = await gatewayWorld({
      ...picture(),
      servers: { legacy: { command: process.execPath, args: [program, 'asks'] } },
      groups: { all: { servers: ['legacy'] } },
    });
    const { retryParams } = await begun(world, { name: 'ask_elicit', arguments: {} });
    expect(textIn(await askModern(world, retryParams()))).toContain('Ann');
    // Nobody continues this one; it ends with the process.
    await begun(world, { name: 'ask_roots', arguments: {} });
    expect(world.gateway.gate.parked.size).toBe(1);
  });

  test('progress and log messages go to the request that waits, under its own token and level', async () => {
    const world = await gatewayWorld(picture());
    const meta = { progressToken: 'first', [`${prefix}logLevel`]: 'debug' };
    const messages = await messagesOf(await postModern(world, { name: 'ask_form' }, { meta }));
    const heardIn = (all: Json[]) =>
      all
        .slice(0, -1)
        .map(({ params }) => [params.progressToken ?? params.level, params.progress ?? params.data]);
    expect(heardIn(messages)).toEqual([
      ['first', 1],
      ['info', 'ask_form before'],
    ]);
    const { requestState, inputRequests } = messages.at(-1).result;
    const inputResponses = { [Object.keys(inputRequests)[0]!]: ann };
    const retried = await postModern(
      world,
      { name: 'ask_form', requestState, inputResponses },
      { meta: { progressToken: 2, [`${prefix}logLevel`]: 'error' } },
    );
    const after = await messagesOf(retried);
    expect(heardIn(after)).toEqual([[2, 2]]);
    const silent = await begun(world, { name: 'ask_form' }, { meta: { progressToken: 'x' } });
    expect(await messagesOf(await postModern(world, silent.retryParams()))).toHaveLength(1);
  });

  test('a client that declared nothing is not asked, and hears what the server makes of it', async () => {
    const world = await gatewayWorld(picture());
    const { result } = await askModern(world, { name: 'ask_roots' }, { capabilities: { elicitation: {} } });
    expect([result.isError, result.resultType]).toEqual([true, 'complete']);
    expect(world.gateway.gate.parked.size).toBe(0);
  });

  test.each<[string, (params: Record<string, unknown>) => [Record<string, unknown>, Record<string, string>]]>(
    [
      ['somebody else', (params) => [params, as('bob@acme.com')]],
      ['another tool', (params) => [{ ...params, name: 'ask_page' }, {}]],
      ['other arguments', (params) => [{ ...params, arguments: { region: 'eu' } }, {}]],
      ['a forged state', (params) => [{ ...params, requestState: `${String(params['requestState'])}A` }, {}]],
    ],
  )('a retry by %s is refused in one sentence, and the call waits on', async (_who, change) => {
    const world = await gatewayWorld(picture());
    const { retryParams } = await begun(world, { name: 'ask_form' });
    const [params, headers] = change(retryParams());
    const response = await postModern(world, params, { headers });
    const [{ error }] = await messagesOf(response);
    expect(response.status).toBe(200);
    expect(error).toEqual({
      code: -32602,
      message: 'This is no retry that the gate can go on with: make the call again from the start.',
    });
    expect(textIn(await askModern(world, retryParams()))).toContain('Ann');
  });

  test.each<[string, (before: Picture) => Picture]>([
    ['the server has moved', (before) => withLegacyAt(before, `${legacy.url}?moved`)],
    ['the server has moved for the tenant', (before) => withTenant(before, `${legacy.url}?moved`)],
    ['the caller was disabled', (before) => ({ ...before, users: { [alice]: { disabled: true } } })],
    ['the caller has left the group', (before) => ({ ...before, users: { [alice]: { groups: [] } } })],
    [
      'the tool was taken away',
      (before) => ({ ...before, groups: { all: { servers: { legacy: ['*', '!ask_form'] } } } }),
    ],
  ])('a call that is parked ends, and is not continued, when %s', async (_what, change) => {
    const before = legacy.cancelled();
    const start = withTenant(picture(), legacy.url);
    const world = await gatewayWorld(start, { bridgeLimits: { recheckMs: 60_000 } });
    const { retryParams } = await begun(world, { name: 'ask_form' });
    world.change(change(start));
    const executed = legacy.calls.length;
    const { result, error } = await askModern(world, retryParams());
    expect(result?.isError === true || error !== undefined).toBe(true);
    expect(legacy.calls).toHaveLength(executed);
    const quick = await gatewayWorld(start, { bridgeLimits: { recheckMs: 5 } });
    await begun(quick, { name: 'ask_form' });
    expect(quick.gateway.gate.parked.size).toBe(1);
    quick.change(change(start));
    await expect.poll(() => quick.gateway.gate.parked.size).toBe(0);
    await expect.poll(() => legacy.cancelled()).toBeGreaterThan(before);
  });

  test('the same retry twice at once is carried out once', async () => {
    const world = await gatewayWorld(picture());
    const { retryParams } = await begun(world, { name: 'ask_form' });
    const executed = legacy.calls.length;
    const answers = await Promise.all([1, 2, 3].map(() => askModern(world, retryParams())));
    // One that another took the place of is told so; nobody is told what did not happen.
    const texts = answers.map(textIn);
    expect(texts.some((text) => text.includes('Ann'))).toBe(true);
    expect(texts.every((text) => text.includes('Ann') || text.includes('Another request'))).toBe(true);
    expect(textIn(await askModern(world, retryParams()))).toContain('Ann');
    expect(legacy.calls).toHaveLength(executed);
  });

  test('answers that come too late are told so, and the server was told to stop', async () => {
    const before = legacy.cancelled();
    const world = await gatewayWorld(picture(), { bridgeLimits: { parkedMs: 50 } });
    const { retryParams } = await begun(world, { name: 'ask_form' });
    await expect.poll(() => legacy.cancelled()).toBe(before + 1);
    const { result } = await askModern(world, retryParams());
    expect([result.isError, result.content[0].text]).toEqual([
      true,
      'The answers came too late, and the call was ended: make it again from the start.',
    ]);
  });

  test('a client that leaves while its retry waits ends the call at the server', async () => {
    const before = legacy.cancelled();
    const world = await gatewayWorld(picture());
    const { retryParams } = await begun(world, { name: 'ask_and_hang' });
    const abort = new AbortController();
    const retried = fetch(`${world.url}/mcp/legacy`, {
      method: 'POST',
      signal: abort.signal,
      headers: {
        ...{ ...as('alice@acme.com'), 'content-type': 'application/json' },
        ...{ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'ask_and_hang' },
      },
      body: JSON.stringify({
        ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
        params: {
          ...retryParams(),
          _meta: {
            [`${prefix}protocolVersion`]: '2026-07-28',
            [`${prefix}clientCapabilities`]: everything,
            [`${prefix}logLevel`]: 'info',
          },
        },
      }),
    });
    // The server goes on, so the retry has arrived.
    const reader = (await retried).body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toContain('ask_and_hang after');
    abort.abort();
    await expect.poll(() => legacy.cancelled()).toBe(before + 1);
    expect(world.gateway.gate.parked.size).toBe(0);
  });

  test('a page that has to be opened first becomes a question, and the call is made again', async () => {
    const world = await gatewayWorld(picture());
    const before = legacy.calls.filter((name) => name === 'page_first').length;
    const { result, keys, retryParams } = await begun(world, { name: 'page_first' });
    expect(result.inputRequests[keys[0]!]).toEqual({
      method: 'elicitation/create',
      params: { mode: 'url', url: 'https://pages.example/first', message: 'Sign in there' },
    });
    const declined = await askModern(world, retryParams([{ action: 'decline' }]));
    expect([declined.result.isError, textIn(declined)]).toEqual([
      true,
      'The server "legacy" needs a page to be opened first, which was declined.',
    ]);
    expect(textIn(await askModern(world, retryParams([{ action: 'accept' }])))).toBe('the page was opened');
    expect(legacy.calls.filter((name) => name === 'page_first')).toHaveLength(before + 2);
  });
});
