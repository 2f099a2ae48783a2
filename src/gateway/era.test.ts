import { expect, test } from 'vitest';
import { errorForCaller, paramsForServer, resultForCaller } from './era.ts';
import { parseMessage, type RpcResponse } from './rpc/message.ts';
import type { Era } from './rpc/protocol.ts';
import { gateInfo } from './upstreams/handshake.ts';

const prefix = 'io.modelcontextprotocol/';
const envelope = `"${prefix}protocolVersion":"2026-07-28","${prefix}clientInfo":{"name":"c"},"${prefix}clientCapabilities":{"roots":{}}`;
const own = (capabilities: string) =>
  `"${prefix}protocolVersion":"2026-07-28","${prefix}clientInfo":${JSON.stringify(gateInfo)},"${prefix}clientCapabilities":${capabilities}`;

test.each<[string, Era, Era, string | undefined, string | undefined]>([
  [
    'nothing changes within the modern era',
    'modern',
    'modern',
    `{"name":"a","_meta":{${envelope}}}`,
    `{"name":"a","_meta":{${envelope}}}`,
  ],
  [
    'nothing changes within the legacy era',
    'legacy',
    'legacy',
    '{"_meta":{"progressToken":1.0}}',
    '{"_meta":{"progressToken":1.0}}',
  ],
  ['no params stay no params', 'legacy', 'legacy', undefined, undefined],
  [
    'a legacy server is not shown the envelope',
    'modern',
    'legacy',
    `{"name":"a","_meta":{${envelope}}}`,
    '{"name":"a"}',
  ],
  ['nothing but an envelope becomes no params', 'modern', 'legacy', `{"_meta":{${envelope}}}`, undefined],
  [
    'a progress token and a trace go on',
    'modern',
    'legacy',
    `{"_meta":{${envelope},"progressToken":"t","traceparent":"00-1"},"x":1.0}`,
    '{"_meta":{"progressToken":"t","traceparent":"00-1"},"x":1.0}',
  ],
  [
    'what only the modern era knows is left out',
    'modern',
    'legacy',
    '{"inputResponses":{},"requestState":"s","name":"a"}',
    '{"name":"a"}',
  ],
  [
    'a modern server gets an envelope',
    'legacy',
    'modern',
    '{"name":"a","arguments":{"n":12345678901234567890}}',
    `{"name":"a","arguments":{"n":12345678901234567890},"_meta":{${own('{"sampling":{}}')}}}`,
  ],
  [
    'a modern server gets params even where the caller had none',
    'legacy',
    'modern',
    undefined,
    `{"_meta":{${own('{"sampling":{}}')}}}`,
  ],
  [
    'the envelope joins what stands in _meta',
    'legacy',
    'modern',
    '{"_meta":{"progressToken":7}}',
    `{"_meta":{"progressToken":7,${own('{"sampling":{}}')}}}`,
  ],
  [
    'a _meta that is no object is replaced',
    'legacy',
    'modern',
    '{"_meta":null}',
    `{"_meta":{${own('{"sampling":{}}')}}}`,
  ],
])('params: %s', (_says, ...[north, south, from, to]) => {
  expect(paramsForServer(from, north, south, { capabilities: '{"sampling":{}}' })).toBe(to);
});

test('a modern server hears which log level a legacy session has set', () => {
  expect(paramsForServer('{}', 'legacy', 'modern', { capabilities: '{}', logLevel: 'error' })).toBe(
    `{"_meta":{${own('{}')},"${prefix}logLevel":"error"}}`,
  );
});

test.each<[string, string, Era, Era, string, string | undefined]>([
  [
    'legacy to legacy is byte for byte',
    'tools/call',
    'legacy',
    'legacy',
    '{"content":[],"x":1.0}',
    '{"content":[],"x":1.0}',
  ],
  [
    'a modern result for a modern caller is byte for byte',
    'tools/call',
    'modern',
    'modern',
    '{"content":[],"resultType":"complete"}',
    '{"content":[],"resultType":"complete"}',
  ],
  [
    'a legacy result is stamped',
    'tools/call',
    'modern',
    'legacy',
    '{"content":[]}',
    '{"content":[],"resultType":"complete"}',
  ],
  [
    'a read resource says how long it may be kept',
    'resources/read',
    'modern',
    'legacy',
    '{"contents":[]}',
    '{"contents":[],"resultType":"complete","ttlMs":0,"cacheScope":"private"}',
  ],
  [
    'a word inside a result is no stamp',
    'tools/call',
    'modern',
    'legacy',
    '{"structuredContent":{"resultType":"x"}}',
    '{"structuredContent":{"resultType":"x"},"resultType":"complete"}',
  ],
  [
    'nor is one inside a resource',
    'resources/read',
    'modern',
    'legacy',
    '{"contents":[{"ttlMs":1}],"_meta":{"ttlMs":2}}',
    '{"contents":[{"ttlMs":1}],"_meta":{"ttlMs":2},"resultType":"complete","ttlMs":0,"cacheScope":"private"}',
  ],
  [
    'an unfinished modern result goes to a modern caller as it is',
    'tools/call',
    'modern',
    'modern',
    '{"resultType":"input_required","requestState":"s"}',
    '{"resultType":"input_required","requestState":"s"}',
  ],
  [
    'a legacy caller is not shown modern members',
    'tools/call',
    'legacy',
    'modern',
    '{"content":[],"resultType":"complete","ttlMs":5,"cacheScope":"public"}',
    '{"content":[]}',
  ],
  [
    'nor the name of the server, which it has from initialize',
    'tools/call',
    'legacy',
    'modern',
    `{"content":[],"_meta":{"a":1.0,"${prefix}serverInfo":{"name":"s"}},"resultType":"complete"}`,
    '{"content":[],"_meta":{"a":1.0}}',
  ],
  [
    'a _meta without anything else goes',
    'tools/call',
    'legacy',
    'modern',
    `{"content":[],"_meta":{"${prefix}serverInfo":{"name":"s"}}}`,
    '{"content":[]}',
  ],
  [
    'the name of a server inside a result is no _meta',
    'tools/call',
    'legacy',
    'modern',
    `{"content":["${prefix}serverInfo"]}`,
    `{"content":["${prefix}serverInfo"]}`,
  ],
  [
    'a legacy caller cannot be asked for more',
    'tools/call',
    'legacy',
    'modern',
    '{"resultType":"input_required","requestState":"s"}',
    undefined,
  ],
])('result: %s', (_says, ...[method, north, south, from, to]) => {
  expect(resultForCaller(from, method, north, south)).toBe(to);
});

test.each<[string, string, Era, string, string, Era?]>([
  [
    'a missing resource has the modern code for a modern caller',
    'resources/read',
    'modern',
    '{"code":-32002,"message":"m","data":{"uri":"a"}}',
    '{"code":-32602,"message":"m","data":{"uri":"a"}}',
  ],
  [
    'and the legacy one for a legacy caller',
    'resources/read',
    'legacy',
    '{"code":-32602,"message":"m","data":{"uri":"a"}}',
    '{"code":-32002,"message":"m","data":{"uri":"a"}}',
  ],
  [
    'within the legacy era nothing changes',
    'resources/read',
    'legacy',
    '{"code":-32602,"message":"m","data":{"uri":"a"}}',
    '{"code":-32602,"message":"m","data":{"uri":"a"}}',
    'legacy',
  ],
  [
    'nor within the modern one',
    'resources/read',
    'modern',
    '{"code":-32002,"message":"m","data":{"uri":"a"}}',
    '{"code":-32002,"message":"m","data":{"uri":"a"}}',
    'modern',
  ],
  [
    'other wrong params keep their code',
    'resources/read',
    'legacy',
    '{"code":-32602,"message":"m"}',
    '{"code":-32602,"message":"m"}',
  ],
  [
    'other methods keep their code',
    'tools/call',
    'legacy',
    '{"code":-32602,"message":"m","data":{"uri":"a"}}',
    '{"code":-32602,"message":"m","data":{"uri":"a"}}',
  ],
])('error: %s', (_says, ...[method, north, from, to, south = north === 'modern' ? 'legacy' : 'modern']) => {
  expect(errorForCaller(responseWith(from), method, north, south)).toBe(to);
});

function responseWith(rawError: string): RpcResponse {
  const parsed = parseMessage(`{"jsonrpc":"2.0","id":1,"error":${rawError}}`);
  if (!parsed.ok || parsed.message.kind !== 'response') throw new Error('no response');
  return parsed.message;
}
