// Errors between gate and server, as callers of either era hear of them.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Json } from '../../../test/asking-world.ts';
import { gatewayWorld } from '../../../test/gateway-world.ts';

const prefix = 'io.modelcontextprotocol/';

/** A server of one era that answers every call with the error that its arguments hold. */
function failing(era: 'modern' | 'legacy') {
  return createServer((request: IncomingMessage, response) => {
    const answer = async () => {
      const { id, method, params } = JSON.parse(await text(request));
      const say = (body: object, status = 200) =>
        response
          .writeHead(status, { 'content-type': 'application/json' })
          .end(JSON.stringify({ jsonrpc: '2.0', id, ...body }));
      const hello = { capabilities: { tools: {} }, serverInfo: { name: 'failing', version: '1' } };
      if (method === 'server/discover' && era === 'modern')
        return say({ result: { ...hello, resultType: 'complete', supportedVersions: ['2026-07-28'] } });
      if (method === 'initialize' && era === 'legacy')
        return say({ result: { ...hello, protocolVersion: '2025-11-25' } });
      if (method === 'tools/list') return say({ result: { resultType: 'complete', tools: [] } });
      if (method === 'tools/call') return say({ error: params.arguments.error });
      return say({ error: { code: -32601, message: 'Method not found' } }, era === 'modern' ? 404 : 200);
    };
    answer().catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
}

const servers = { modern: failing('modern'), legacy: failing('legacy') };
beforeAll(async () => {
  for (const server of Object.values(servers))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  for (const server of Object.values(servers)) {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }
});

async function answerTo(
  error: object,
  o: { north: 'modern' | 'legacy'; south: 'modern' | 'legacy'; capabilities?: object },
) {
  const url = (era: 'modern' | 'legacy') =>
    `http://127.0.0.1:${(servers[era].address() as AddressInfo).port}/mcp`;
  const world = await gatewayWorld({
    servers: { modern: { type: 'http', url: url('modern') }, legacy: { type: 'http', url: url('legacy') } },
    groups: { all: { servers: ['modern', 'legacy'] } },
    users: { 'alice@acme.com': { groups: ['all'] } },
  });
  const _meta = {
    [`${prefix}protocolVersion`]: '2026-07-28',
    [`${prefix}clientCapabilities`]: o.capabilities ?? {},
  };
  const params = { name: 't', arguments: { error }, ...(o.north === 'modern' && { _meta }) };
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 't' };
  const response = await world.post(
    `/mcp/${o.south}`,
    { id: 1, method: 'tools/call', params },
    o.north === 'modern' ? headers : {},
  );
  const answer: Json = await response.json();
  return { status: response.status, ...answer };
}

const lacks = (requiredCapabilities: object) => ({
  ...{ code: -32021, message: 'Missing required client capability' },
  data: { requiredCapabilities },
});

test('a modern caller that lacks what the server requires hears it from the server', async () => {
  for (const [required, capabilities] of [
    [{ sampling: {} }, {}],
    [{ elicitation: { url: {} } }, { elicitation: { form: {} } }],
  ]) {
    const error = lacks(required!);
    const answer = await answerTo(error, { north: 'modern', south: 'modern', capabilities: capabilities! });
    expect(answer).toMatchObject({ status: 400, error });
  }
});

test('anybody else hears in words what a server requires', async () => {
  const capabilities = { sampling: {} };
  for (const o of [
    { north: 'legacy', south: 'modern' },
    { north: 'modern', south: 'modern', capabilities },
  ] as const) {
    const { status, result } = await answerTo(lacks({ sampling: {} }), o);
    expect([status, result.isError]).toEqual([200, true]);
    expect(result.content[0].text).toContain('sampling');
  }
});

test.each(['modern', 'legacy'] as const)(
  'that a server refuses the version of the gate is nothing for a %s caller',
  async (north) => {
    const error = { code: -32022, message: 'Unsupported', data: { supported: ['2027-01-01'] } };
    const { status, result } = await answerTo(error, { north, south: 'modern' });
    expect([status, result.isError]).toEqual([200, true]);
    expect(JSON.stringify(result)).not.toContain('2027');
  },
);

test('headers that a server refuses are the gate’s fault towards a legacy caller, and the caller’s own else', async () => {
  const error = { code: -32020, message: 'Header mismatch' };
  const { status, result } = await answerTo(error, { north: 'legacy', south: 'modern' });
  expect([status, result.isError]).toEqual([200, true]);
  expect(await answerTo(error, { north: 'modern', south: 'modern' })).toMatchObject({ status: 400, error });
});

test.each([-32020, -32021, -32022])(
  'between a legacy server and its legacy caller %i means what the server says it means',
  async (code) => {
    const error = { code, message: 'Out of paper', data: { requiredCapabilities: { tray: {} } } };
    expect(await answerTo(error, { north: 'legacy', south: 'legacy' })).toMatchObject({ status: 200, error });
  },
);

const page = (elicitations: unknown) => ({
  code: -32042,
  message: 'Open this first',
  data: { elicitations },
});
const pages = page([{ mode: 'url', elicitationId: 'e', url: 'https://a.example/p', message: 'm' }]);

test('a page that has to be opened first is an error to a legacy caller, as its server sent it', async () => {
  expect(await answerTo(pages, { north: 'legacy', south: 'legacy' })).toMatchObject({ error: pages });
});

test('a modern caller that opens no pages is told which one it was, and one without an address is a fault', async () => {
  const cannot = await answerTo(pages, { north: 'modern', south: 'legacy' });
  expect([cannot.result.isError, cannot.result.content[0].text]).toEqual([
    true,
    expect.stringContaining('https://a.example/p'),
  ]);
  for (const wrong of [page(undefined), page([{ mode: 'url' }]), page('x')]) {
    const { result } = await answerTo(wrong, {
      ...{ north: 'modern', south: 'legacy' },
      capabilities: { elicitation: { url: {} } },
    });
    expect(result.isError).toBe(true);
  }
});
