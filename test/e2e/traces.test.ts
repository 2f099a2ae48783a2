// One trace from the client through the gate to the server, as a collector sees it.
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { startLegacyAsking, startModernAsking } from '../fakes/asking-servers.ts';
import { type CollectedSpan, startCollector } from '../fakes/collector.ts';
import { listenOnLoopback } from '../fakes/loopback.ts';
import { closeLater } from './clients.ts';
import { configOf, eventually, startGate } from './gate.ts';
import { freePort } from './program.ts';

const collector = closeLater(await startCollector());
const legacy = closeLater(await startLegacyAsking());
const modern = closeLater(await startModernAsking());
/** Says what came in `_meta`: a server without headers. */
const echoing = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  const text = (text) => ({ content: [{ type: 'text', text }] });
  const results = {
    initialize: { protocolVersion: params?.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'e', version: '1' } },
    'tools/list': { tools: [{ name: 'plain', inputSchema: { type: 'object' } }] },
    'tools/call': text(JSON.stringify(params?._meta ?? {})),
    ping: {},
  };
  if (id === undefined) return;
  const result = results[method];
  const answer = result ? { result } : { error: { code: -32601, message: 'no' } };
  process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, ...answer }) + '\\n');
})`;
const config = configOf({
  legacy: { type: 'http', url: `${legacy.url}?key=hunter2` },
  modern: { type: 'http', url: modern.url },
  process: { command: process.execPath, args: ['-e', echoing] },
  gone: { type: 'http', url: 'http://127.0.0.1:1/mcp' },
});
const soon = { OTEL_BSP_SCHEDULE_DELAY: '100' };
const gate = await startGate({
  config,
  env: { ...soon, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: 'gate-of-acme' },
});
const token = await gate.tokenFor('alice@acme.com');

interface Sent {
  readonly era: 'legacy' | 'modern';
  readonly server: string;
  readonly tool?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly meta?: object;
}

/** A call of `plain` in one era, without a client of its own. */
async function call({ era, server, tool = 'plain', headers = {}, meta = {} }: Sent) {
  const prefix = 'io.modelcontextprotocol/';
  const own =
    era === 'modern'
      ? { [`${prefix}protocolVersion`]: '2026-07-28', [`${prefix}clientCapabilities`]: {}, ...meta }
      : meta;
  const params = { name: tool, arguments: { region: 'very private' }, _meta: own };
  const response = await fetch(`${gate.url}/mcp/${server}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      ...{ 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      ...(era === 'modern' && {
        ...{ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': tool },
        'mcp-param-region': 'very private',
      }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 'call-1', method: 'tools/call', params }),
  });
  return { response, text: await response.text() };
}

function newTrace(flags = '01') {
  const traceId = randomBytes(16).toString('hex');
  const spanId = randomBytes(8).toString('hex');
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` };
}

/** Both spans of a call: the gate's answer to the client, and its question to the server. */
function spansOf(traceId: string): Promise<{ inside: CollectedSpan; outside: CollectedSpan }> {
  return eventually(`the trace ${traceId}`, () => {
    const found = collector.spans.filter((span) => span.traceId === traceId);
    const inside = found.find(({ kind }) => kind === 2);
    const outside = found.find(({ kind }) => kind === 3);
    return inside && outside && { inside, outside };
  });
}

const upstreams = { legacy, modern };

test.each([
  ['legacy', 'legacy'],
  ['legacy', 'modern'],
  ['modern', 'legacy'],
  ['modern', 'modern'],
] as const)('a trace of a %s client goes through the gate to a %s server', async (era, server) => {
  const { traceId, spanId, traceparent } = newTrace();
  const { response } = await call({ era, server, headers: { traceparent, tracestate: 'a=b' } });
  expect(response.status).toBe(200);
  const { inside, outside } = await spansOf(traceId);
  expect(inside).toMatchObject({
    parentSpanId: spanId,
    name: 'tools/call plain',
    attributes: {
      'mcp.method.name': 'tools/call',
      'gen_ai.tool.name': 'plain',
      'gen_ai.operation.name': 'execute_tool',
      'jsonrpc.request.id': '"call-1"',
      'http.request.method': 'POST',
      'http.route': '/mcp/{server}',
      'http.response.status_code': 200,
      'toolgate.server': server,
      'toolgate.outcome': 'ok',
      'toolgate.request_id': response.headers.get('x-request-id'),
    },
  });
  expect(outside).toMatchObject({
    parentSpanId: inside.spanId,
    name: 'tools/call plain',
    attributes: { 'toolgate.server': server, 'server.address': '127.0.0.1', 'network.transport': 'tcp' },
  });
  expect(upstreams[server].lastHeaders()).toMatchObject({
    traceparent: `00-${traceId}-${outside.spanId}-01`,
    tracestate: 'a=b',
    'x-request-id': response.headers.get('x-request-id'),
  });
});

test('a server without headers finds it in _meta', async () => {
  const { traceId, traceparent } = newTrace();
  const { text } = await call({ era: 'modern', server: 'process', headers: { traceparent } });
  const { outside } = await spansOf(traceId);
  const meta = JSON.parse(JSON.parse(text).result.content[0].text) as Record<string, unknown>;
  expect(meta['traceparent']).toBe(`00-${traceId}-${outside.spanId}-01`);
  expect(outside.attributes['network.transport']).toBe('pipe');
});

test('what the message says of its trace counts more than the request that brings it', async () => {
  const [inMeta, inHeader] = [newTrace(), newTrace()];
  await call({
    era: 'modern',
    server: 'modern',
    headers: { traceparent: inHeader.traceparent },
    meta: { traceparent: inMeta.traceparent, tracestate: 'a=b\r\nx-evil: 1' },
  });
  // What the message says becomes a header: nothing else may come along.
  expect(modern.lastHeaders()).not.toHaveProperty('x-evil');
  const { inside } = await spansOf(inMeta.traceId);
  expect(inside.parentSpanId).toBe(inMeta.spanId);
  expect(collector.spans.some(({ traceId }) => traceId === inHeader.traceId)).toBe(false);
});

test('a call that failed says how, and one that was refused too', async () => {
  const [failed, refused] = [newTrace(), newTrace()];
  await call({ era: 'modern', server: 'gone', headers: { traceparent: failed.traceparent } });
  await call({
    era: 'modern',
    server: 'modern',
    headers: { traceparent: refused.traceparent, authorization: 'Bearer wrong' },
  });
  const spans = await eventually('both', () => {
    const found = [failed, refused].map((one) =>
      collector.spans.find(({ traceId }) => traceId === one.traceId),
    );
    return found.every(Boolean) && found;
  });
  expect(spans.map((span) => [span!.status.code, span!.attributes['toolgate.outcome']])).toEqual([
    [2, 'upstream_error'],
    [2, 'unauthenticated'],
  ]);
  expect(spans.every((span) => span!.attributes['error.type'])).toBe(true);
});

test('a parent that nobody can read is none: a new trace begins', async () => {
  const { response } = await call({ era: 'modern', server: 'modern', headers: { traceparent: '00-1-2-01' } });
  const id = response.headers.get('x-request-id');
  const span = await eventually('its span', () =>
    collector.spans.find(({ attributes }) => attributes['toolgate.request_id'] === id),
  );
  expect(span.parentSpanId ?? '').toBe('');
  expect(String(modern.lastHeaders()['traceparent'])).toContain(span.traceId);
});

test('a trace that its caller does not keep is not kept here, and still goes on', async () => {
  const { traceId, traceparent } = newTrace('00');
  const meta = { traceparent, tracestate: 'a=b\r\nx-evil: 1' };
  expect((await call({ era: 'modern', server: 'modern', meta })).response.status).toBe(200);
  expect(modern.lastHeaders()).not.toHaveProperty('x-evil');
  expect(modern.lastHeaders()['traceparent']).toMatch(new RegExp(`^00-${traceId}-[\\da-f]{16}-00$`));
  const kept = newTrace();
  await call({ era: 'modern', server: 'modern', headers: { traceparent: kept.traceparent } });
  await spansOf(kept.traceId);
  expect(collector.spans.some((span) => span.traceId === traceId)).toBe(false);
});

test('a name that a caller made up does not fill the place where traces are kept', async () => {
  const { traceId, traceparent } = newTrace();
  const tool = 'x'.repeat(5_000);
  const long = { 'mcp-protocol-version': `2025-06-18${' '.repeat(5_000)}x` };
  await call({ era: 'legacy', server: 'legacy', tool, headers: { traceparent, ...long } });
  const span = await eventually('its span', () => collector.spans.find((one) => one.traceId === traceId));
  expect(span.name.length).toBeLessThanOrEqual(100);
  expect(JSON.stringify(span).length).toBeLessThan(4_000);
});

test('neither people, nor arguments, nor keys are in what the collector was sent', async () => {
  const all = collector.bodies.join('');
  expect(collector.bodies.length).toBeGreaterThan(0);
  for (const word of ['alice@acme.com', 'very private', 'hunter2', token, 'client.address', 'user.id'])
    expect(all).not.toContain(word);
  expect(collector.resource()).toMatchObject({
    'service.name': 'gate-of-acme',
    'service.version': expect.any(String),
    'service.instance.id': expect.any(String),
  });
});

test('with TRACE_PEOPLE it says who called', async () => {
  const own = await startGate({
    config,
    env: { ...soon, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, TRACE_PEOPLE: 'true' },
  });
  const { traceId, traceparent } = newTrace();
  const response = await fetch(`${own.url}/servers`, {
    headers: { authorization: `Bearer ${await own.tokenFor('alice@acme.com')}`, traceparent },
  });
  expect(response.status).toBe(200);
  const span = await eventually('its span', () => collector.spans.find((one) => one.traceId === traceId));
  expect(span).toMatchObject({
    name: 'GET /servers',
    attributes: { 'user.id': 'alice@acme.com', 'client.address': '127.0.0.1' },
  });
});

test('Open WebUI behind the gate is part of the trace too', async () => {
  const seen: Record<string, unknown>[] = [];
  const chat = closeLater(
    await listenOnLoopback((request, response) => {
      seen.push({ url: request.url, ...request.headers });
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    }),
  );
  const own = await startGate({
    config,
    env: { ...soon, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OPEN_WEBUI_URL: chat.origin },
  });
  const { traceId, spanId, traceparent } = newTrace();
  const headers = { traceparent, tracestate: 'a=b', baggage: 'k=v' };
  expect((await fetch(`${own.url}/api/config`, { headers })).status).toBe(200);
  const span = await eventually('its span', () => collector.spans.find((one) => one.traceId === traceId));
  expect(span).toMatchObject({ parentSpanId: spanId, attributes: { 'toolgate.face': 'webui' } });
  expect(seen.find(({ url }) => url === '/api/config')).toMatchObject({
    traceparent: `00-${traceId}-${span.spanId}-01`,
    ...{ tracestate: 'a=b', baggage: 'k=v' },
  });
});

test('a collector that is away is told of, costs no call, and is used again when it is back', async () => {
  const port = await freePort();
  const own = await startGate({
    config,
    env: {
      ...soon,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_TIMEOUT: '500',
    },
  });
  const headers = { authorization: `Bearer ${await own.tokenFor('alice@acme.com')}` };
  const ask = async (more: Record<string, string> = {}) =>
    (await fetch(`${own.url}/servers`, { headers: { ...headers, ...more } })).status;
  const parts = async () => {
    const body = (await (await fetch(`${own.url}/gateway/ready`)).json()) as { degraded: { part: string }[] };
    return body.degraded.map(({ part }) => part);
  };
  expect(await ask()).toBe(200);
  await eventually('degraded', async () => (await parts()).includes('traces'));
  expect(await ask()).toBe(200);
  const back = closeLater(await startCollector(port));
  await eventually('delivered again', async () => {
    await ask(newTrace());
    return back.spans.length > 0 && !(await parts()).includes('traces');
  });
});
