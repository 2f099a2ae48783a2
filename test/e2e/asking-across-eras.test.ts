// Servers that ask their client in the middle of a call, in every combination of eras, with the official SDKs on both
// sides and the real program between them.
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, test } from 'vitest';
import { startLegacyAsking, startModernAsking } from '../fakes/asking-servers.ts';
import { answerOf, askModern, clientV1, clientV2, closeLater, postModern, textOf } from './clients.ts';
import { configOf, eventually, startGate } from './gate.ts';
import type { Json } from './program.ts';

const servers = {
  legacy: closeLater(await startLegacyAsking()),
  modern: closeLater(await startModernAsking()),
} as const;
const definitions = Object.fromEntries(
  Object.entries(servers).map(([era, { url }]) => [era, { type: 'http', url }]),
);
const users = { 'alice@acme.com': { groups: ['Everyone'] }, 'bob@acme.com': { groups: ['Everyone'] } };
const gate = await startGate({ config: configOf(definitions, { users }) });
const token = await gate.tokenFor('alice@acme.com');
const tokenOfBob = await gate.tokenFor('bob@acme.com');

const eras = ['legacy', 'modern'] as const;
type Era = (typeof eras)[number];

const everything = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
const model = { role: 'assistant' as const, model: 'm', content: { type: 'text' as const, text: 'hello' } };
const roots = { roots: [{ uri: 'file:///here' }] };

/** What a client was asked, and what it says to it. */
interface Person {
  readonly asked: Json[];
  answer: 'accept' | 'decline' | 'cancel';
}

function elicited(person: Person, params: Json): Json {
  person.asked.push(params);
  if (person.answer !== 'accept' || params.mode === 'url') return { action: person.answer };
  return { action: 'accept', content: { name: 'Ann' } };
}

/** An official client of either era that can be asked everything that it declares. */
async function connect(era: Era, path: string, person: Person, capabilities: object = everything) {
  const url = `${gate.url}${path}`;
  const can = (name: string) => name in capabilities;
  if (era === 'legacy') {
    const client = await clientV1(url, token, capabilities);
    if (can('elicitation'))
      client.setRequestHandler(ElicitRequestSchema, ({ params }) => elicited(person, params));
    if (can('sampling')) client.setRequestHandler(CreateMessageRequestSchema, () => model);
    if (can('roots')) client.setRequestHandler(ListRootsRequestSchema, () => roots);
    return client;
  }
  const client = await clientV2(url, token, { pin: '2026-07-28' }, capabilities);
  if (can('elicitation'))
    client.setRequestHandler('elicitation/create', ({ params }) => elicited(person, params));
  if (can('sampling')) client.setRequestHandler('sampling/createMessage', () => model);
  if (can('roots')) client.setRequestHandler('roots/list', () => roots);
  return client;
}

type AnyClient = Awaited<ReturnType<typeof connect>>;

async function called(client: AnyClient, name: string): Promise<{ text: string; isError: boolean }> {
  return textOf(await client.callTool({ name, arguments: {} }));
}

const cells = eras.flatMap((north) => eras.map((south) => [north, south] as const));

describe.each(cells)('a %s client of a %s server', (north, south) => {
  test.each([
    [`/mcp/${south}`, ''],
    ['/mcp', `${south}__`],
  ])('is asked for a form, a page, a model and its roots on %s', async (path, before) => {
    const person: Person = { asked: [], answer: 'accept' };
    const client = await connect(north, path, person);
    await client.listTools();
    const answer = async (tool: string) =>
      JSON.parse((await called(client, `${before}${tool}`)).text) as Json[];
    expect(await answer('ask_form')).toEqual([{ action: 'accept', content: { name: 'Ann' } }]);
    expect((await answer('ask_page'))[0]).toMatchObject({ action: 'accept' });
    expect((await answer('ask_model'))[0]).toMatchObject(model);
    expect((await answer('ask_roots'))[0]).toMatchObject(roots);
    expect(person.asked.map(({ message }) => message)).toEqual(['Who are you?', 'Sign in there']);
    expect(person.asked[1]).toMatchObject({ mode: 'url', url: 'https://pages.example/sign-in' });
    // Pages have names in the legacy era alone.
    expect(typeof person.asked[1].elicitationId).toBe(north === 'legacy' ? 'string' : 'undefined');
  });

  test('is asked several things at once, and one thing after the other', async () => {
    const person: Person = { asked: [], answer: 'accept' };
    const client = await connect(north, `/mcp/${south}`, person);
    for (const tool of ['ask_both', 'ask_steps'])
      expect(JSON.parse((await called(client, tool)).text), tool).toHaveLength(2);
    expect(person.asked.map(({ message }) => String(message)).sort()).toEqual([
      'First?',
      'Second?',
      'Step one?',
      'Step two?',
    ]);
  });

  test('may decline or cancel, and the server hears it', async () => {
    const person: Person = { asked: [], answer: 'decline' };
    const client = await connect(north, `/mcp/${south}`, person);
    expect(JSON.parse((await called(client, 'ask_form')).text)).toEqual([{ action: 'decline' }]);
    person.answer = 'cancel';
    expect(JSON.parse((await called(client, 'ask_form')).text)).toEqual([{ action: 'cancel' }]);
  });

  test('is asked by prompts and resources as well', async () => {
    const person: Person = { asked: [], answer: 'accept' };
    const client = await connect(north, `/mcp/${south}`, person);
    expect(JSON.stringify(await client.getPrompt({ name: 'asking' }))).toContain('Ann');
    expect(JSON.stringify(await client.readResource({ uri: 'ask://form' }))).toContain('Ann');
    expect(person.asked).toHaveLength(2);
  });

  test('that cannot be asked gets an answer all the same', async () => {
    const person: Person = { asked: [], answer: 'accept' };
    const client = await connect(north, `/mcp/${south}`, person, { roots: {} });
    const failed = await called(client, 'ask_form').catch((error: Error) => ({
      text: error.message,
      isError: true,
    }));
    expect(failed.isError).toBe(true);
    expect(failed.text).not.toBe('');
    expect(person.asked).toEqual([]);
    expect((await called(client, 'plain')).text).toBe('plain');
  });
});

test('a modern client opens the page that a legacy server wants opened first', async () => {
  const person: Person = { asked: [], answer: 'accept' };
  const client = await connect('modern', '/mcp/legacy', person);
  expect((await called(client, 'page_first')).text).toBe('the page was opened');
  expect(person.asked).toMatchObject([{ mode: 'url', url: 'https://pages.example/first' }]);
});

describe('the state of a parked call', () => {
  const at = { url: `${gate.url}/mcp/legacy`, token };
  const meta = { 'io.modelcontextprotocol/clientCapabilities': everything };

  async function begun(name: string) {
    const { message } = await askWith({ name });
    const { requestState, inputRequests } = message.result;
    const [key] = Object.keys(inputRequests);
    return { name, requestState, inputResponses: { [key!]: { action: 'cancel' } } };
  }

  async function askWith(params: Record<string, unknown>, raw = at) {
    return answerOf(await postModern(raw, 'tools/call', params, { meta }));
  }

  test('is good for nobody else and cannot be made up', async () => {
    const retry = await begun('ask_form');
    for (const { status, message } of [
      await askWith(retry, { ...at, token: tokenOfBob }),
      await askWith({ ...retry, requestState: 'made-up' }),
      await askWith({ ...retry, name: 'ask_page' }),
    ]) {
      expect(status).toBe(200);
      expect(message.error).toEqual({
        code: -32602,
        message: 'This is no retry that the gate can go on with: make the call again from the start.',
      });
    }
    expect(textOf((await askWith(retry)).message.result).text).toBe('[{"action":"cancel"}]');
  });

  test('is over when its retry is given up: the server is told to stop', async () => {
    const before = servers.legacy.cancelled();
    const retry = await begun('ask_and_hang');
    const abort = new AbortController();
    const waiting = postModern(at, 'tools/call', retry, {
      meta: { ...meta, 'io.modelcontextprotocol/logLevel': 'info' },
      signal: abort.signal,
    });
    const reader = (await waiting).body!.getReader();
    await reader.read();
    abort.abort();
    await eventually('the server was told', () => servers.legacy.cancelled() > before);
  });
});

test('a modern client that declares nothing is never asked', async () => {
  const { message } = await askModern({ url: `${gate.url}/mcp/legacy`, token }, 'tools/call', {
    name: 'ask_form',
  });
  expect(message.result).toMatchObject({ isError: true, resultType: 'complete' });
});
