import { expect, test } from 'vitest';
import { capabilitiesIn } from '../faces/legacy.ts';
import { parseMessage, type RpcRequest, type RpcResponse } from '../rpc/message.ts';
import type { ClientAnswer } from '../upstreams/outgoing.ts';
import { throughRounds } from './rounds.ts';

function resultOf(result: object): RpcResponse {
  const parsed = parseMessage(`{"jsonrpc":"2.0","id":1,"result":${JSON.stringify(result)}}`);
  if (!parsed.ok || parsed.message.kind !== 'response') throw new Error('no response');
  return parsed.message;
}

const asking = (inputRequests: object | undefined, requestState?: string) =>
  resultOf({ resultType: 'input_required', inputRequests, requestState });
const form = { method: 'elicitation/create', params: { mode: 'form', message: 'Who?' } };
const done = resultOf({ resultType: 'complete', content: [] });

/** Runs the rounds with a server that says these things, one after the other. */
async function run(
  says: readonly RpcResponse[],
  o: { capabilities?: object; answer?: (asked: RpcRequest) => ClientAnswer; silent?: boolean } = {},
) {
  const asked: RpcRequest[] = [];
  const sent: string[] = [];
  const rest = [...says];
  const { capabilities = { elicitation: { form: {}, url: {} }, roots: {} } } = o;
  const ask = (request: RpcRequest) => {
    asked.push(request);
    return Promise.resolve(o.answer?.(request) ?? { rawResult: '{"action":"accept","n":1.0}' });
  };
  const response = await throughRounds(rest.shift()!, {
    call: {
      capabilities: capabilitiesIn({ capabilities }),
      controller: new AbortController(),
      client: { notify: () => undefined, ...(o.silent !== true && { ask }) },
    },
    server: 's',
    rawParams: '{"name":"t","big":12345678901234567890}',
    send: (rawParams) => {
      sent.push(rawParams);
      return Promise.resolve(rest.shift()!);
    },
  });
  return { response, asked, sent };
}

test('a result that asks for nothing is the result', async () => {
  expect(await run([done])).toEqual({ response: done, asked: [], sent: [] });
});

test('answers go back beside the params, and the state byte for byte', async () => {
  const { response, asked, sent } = await run([
    asking({ a: form, 'b"': { method: 'roots/list' } }, 'one "é"'),
    asking({ c: form }),
    done,
  ]);
  expect(response).toBe(done);
  expect(asked.map(({ method, rawParams }) => [method, rawParams])).toEqual([
    ['elicitation/create', '{"message":"Who?"}'],
    ['roots/list', undefined],
    ['elicitation/create', '{"message":"Who?"}'],
  ]);
  const answer = '{"action":"accept","n":1.0}';
  expect(sent).toEqual([
    `{"name":"t","big":12345678901234567890,"inputResponses":{"a":${answer},"b\\"":${answer}},"requestState":"one \\"é\\""}`,
    `{"name":"t","big":12345678901234567890,"inputResponses":{"c":${answer}}}`,
  ]);
});

test('a page gets the name that legacy clients need', async () => {
  const page = {
    method: 'elicitation/create',
    params: { mode: 'url', message: 'm', url: 'https://a.example' },
  };
  const { asked } = await run([asking({ a: page }), done]);
  expect(asked[0]!.params).toMatchObject({ mode: 'url', elicitationId: expect.any(String) });
});

test('a server that only wants to be asked again later is', async () => {
  const { sent } = await run([asking(undefined, 'later'), done]);
  expect(sent).toEqual(['{"name":"t","big":12345678901234567890,"requestState":"later"}']);
});

test.each<[string, RpcResponse, Parameters<typeof run>[1], string]>([
  ['nothing', asking(undefined), {}, 'does not say what'],
  ['what is no request', asking({ a: 7 }), {}, 'does not understand'],
  ['another method', asking({ a: { method: 'tools/call' } }), {}, 'tools/call'],
  [
    'what the client did not declare',
    asking({ a: form }),
    { capabilities: { roots: {} } },
    'elicitation by form',
  ],
  ['a client that cannot be asked', asking({ a: form }), { silent: true }, 'elicitation/create'],
  ['a client that fails', asking({ a: form }), { answer: () => ({ rawError: '{}' }) }, 'did not answer'],
  [
    'too much',
    asking(Object.fromEntries(Array.from({ length: 21 }, (_, at) => [at, form]))),
    {},
    'more than 20',
  ],
])('a server that asks %s: one sentence', async (_what, first, o, said) => {
  await expect(run([first, done], o)).rejects.toThrow(said);
});

test('a server that never stops asking is given up', async () => {
  await expect(run(Array.from({ length: 10 }, () => asking({ a: form })))).rejects.toThrow(
    'more than 8 times',
  );
});
