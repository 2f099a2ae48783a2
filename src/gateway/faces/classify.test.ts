import { expect, test } from 'vitest';
import { parseMessage, type RpcMessage } from '../rpc/message.ts';
import { WireError } from '../rpc/wire-error.ts';
import { classify } from './classify.ts';

const versionKey = 'io.modelcontextprotocol/protocolVersion';
const capabilitiesKey = 'io.modelcontextprotocol/clientCapabilities';
const modern = '2026-07-28';
const envelope = { [versionKey]: modern, [capabilitiesKey]: {} };

type Headers = Readonly<Record<string, string>>;

interface Case {
  readonly says: string;
  readonly headers?: Headers;
  readonly message: Readonly<Record<string, unknown>>;
  /** An era, or HTTP status and JSON-RPC code. */
  readonly is: 'legacy' | 'modern' | readonly [number, number];
}

function messageOf(message: Case['message']): RpcMessage {
  const parsed = parseMessage(JSON.stringify({ jsonrpc: '2.0', ...message }));
  if (!parsed.ok) throw new Error('no message');
  return parsed.message;
}

function verdict({ headers = {}, message }: Case): Case['is'] {
  try {
    return classify(messageOf(message), (name) => headers[name]);
  } catch (error) {
    if (error instanceof WireError) return [error.status, error.code];
    throw error;
  }
}

const list = { id: 1, method: 'tools/list' };
const modernList = { ...list, params: { _meta: envelope } };
const listHeaders = { 'mcp-protocol-version': modern, 'mcp-method': 'tools/list' };
const call = (name: string) => ({ id: 1, method: 'tools/call', params: { name, _meta: envelope } });
const callHeaders = { 'mcp-protocol-version': modern, 'mcp-method': 'tools/call' };

const ladder: readonly Case[] = [
  { says: 'no version anywhere is legacy', message: list, is: 'legacy' },
  ...['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'].map((version): Case => {
    return {
      says: `the header ${version} is legacy`,
      headers: { 'mcp-protocol-version': version },
      message: list,
      is: 'legacy',
    };
  }),
  {
    says: 'an old version that never was is refused',
    headers: { 'mcp-protocol-version': '1999-01-01' },
    message: list,
    is: [400, -32022],
  },
  {
    says: 'a header that is no version is refused',
    headers: { 'mcp-protocol-version': 'latest' },
    message: list,
    is: [400, -32022],
  },
  {
    says: 'initialize without a header is legacy',
    message: { id: 1, method: 'initialize', params: {} },
    is: 'legacy',
  },
  {
    says: 'initialize under a modern header contradicts itself',
    headers: { 'mcp-protocol-version': modern },
    message: { id: 1, method: 'initialize', params: {} },
    is: [400, -32020],
  },
  {
    says: 'a response belongs to the legacy era whatever its header says',
    headers: { 'mcp-protocol-version': modern },
    message: { id: 1, result: {} },
    is: 'legacy',
  },
  {
    says: 'a notification with a modern header is modern',
    headers: { 'mcp-protocol-version': modern },
    message: { method: 'notifications/cancelled' },
    is: 'modern',
  },
  {
    says: 'a notification without one is legacy',
    message: { method: 'notifications/initialized' },
    is: 'legacy',
  },
  { says: 'a complete modern request is modern', headers: listHeaders, message: modernList, is: 'modern' },
  {
    says: 'white space around header values does not count',
    headers: { 'mcp-protocol-version': ` ${modern}\t`, 'mcp-method': ' tools/list ' },
    message: modernList,
    is: 'modern',
  },
  {
    says: 'a modern header without an envelope lacks its required keys',
    headers: listHeaders,
    message: list,
    is: [400, -32602],
  },
  {
    says: 'an envelope that is no object lacks them too',
    headers: listHeaders,
    message: { ...list, params: { _meta: 'x' } },
    is: [400, -32602],
  },
  {
    says: 'an envelope without capabilities is incomplete',
    headers: listHeaders,
    message: { ...list, params: { _meta: { [versionKey]: modern } } },
    is: [400, -32602],
  },
  {
    says: 'an envelope without a version is incomplete',
    headers: listHeaders,
    message: { ...list, params: { _meta: { [capabilitiesKey]: {} } } },
    is: [400, -32602],
  },
  {
    says: 'a version that is no string is refused',
    headers: listHeaders,
    message: { ...list, params: { _meta: { [versionKey]: 20260728, [capabilitiesKey]: {} } } },
    is: [400, -32602],
  },
  {
    says: 'capabilities that are no object are refused',
    headers: listHeaders,
    message: { ...list, params: { _meta: { [versionKey]: modern, [capabilitiesKey]: [] } } },
    is: [400, -32602],
  },
  {
    says: 'header and body that name different versions contradict each other',
    headers: { ...listHeaders, 'mcp-protocol-version': '2025-11-25' },
    message: modernList,
    is: [400, -32020],
  },
  {
    says: 'header and body that name different methods contradict each other',
    headers: { ...listHeaders, 'mcp-method': 'tools/call' },
    message: modernList,
    is: [400, -32020],
  },
  {
    says: 'methods are compared letter by letter',
    headers: { ...listHeaders, 'mcp-method': 'Tools/List' },
    message: modernList,
    is: [400, -32020],
  },
  {
    says: 'a future version is not spoken here',
    headers: { ...listHeaders, 'mcp-protocol-version': '2027-01-01' },
    message: { ...list, params: { _meta: { ...envelope, [versionKey]: '2027-01-01' } } },
    is: [400, -32022],
  },
  {
    says: 'an envelope that names a legacy version is not spoken here',
    headers: { ...listHeaders, 'mcp-protocol-version': '2025-11-25' },
    message: { ...list, params: { _meta: { ...envelope, [versionKey]: '2025-11-25' } } },
    is: [400, -32022],
  },
  {
    says: 'an envelope without the version header is refused',
    headers: { 'mcp-method': 'tools/list' },
    message: modernList,
    is: [400, -32020],
  },
  {
    says: 'an envelope without the method header is refused',
    headers: { 'mcp-protocol-version': modern },
    message: modernList,
    is: [400, -32020],
  },
  { says: 'a call needs the name header', headers: callHeaders, message: call('echo'), is: [400, -32020] },
  {
    says: 'a name header that says another name is refused',
    headers: { ...callHeaders, 'mcp-name': 'other' },
    message: call('echo'),
    is: [400, -32020],
  },
  {
    says: 'a matching name header is fine',
    headers: { ...callHeaders, 'mcp-name': 'echo' },
    message: call('echo'),
    is: 'modern',
  },
  {
    says: 'an encoded name is decoded before it is compared',
    headers: { ...callHeaders, 'mcp-name': '=?base64?w6TDtg==?=' },
    message: call('äö'),
    is: 'modern',
  },
  {
    says: 'a broken encoding says nothing',
    headers: { ...callHeaders, 'mcp-name': '=?base64?w6T!?=' },
    message: call('äö'),
    is: [400, -32020],
  },
  {
    says: 'a resource is named by its URI',
    headers: { 'mcp-protocol-version': modern, 'mcp-method': 'resources/read', 'mcp-name': 'file:///a' },
    message: { id: 1, method: 'resources/read', params: { uri: 'file:///a', _meta: envelope } },
    is: 'modern',
  },
  {
    says: 'a name that is no string needs no header; the operation refuses it',
    headers: callHeaders,
    message: { id: 1, method: 'tools/call', params: { _meta: envelope } },
    is: 'modern',
  },
  {
    says: 'a method named like an inherited property is a method like any other',
    headers: { 'mcp-protocol-version': modern, 'mcp-method': 'constructor' },
    message: { id: 1, method: 'constructor', params: { name: 'x', _meta: envelope } },
    is: 'modern',
  },
];

test.each(ladder)('$says', (one) => {
  expect(verdict(one)).toEqual(one.is);
});

test('an unsupported version is answered with the modern ones alone', () => {
  const future = { ...list, params: { _meta: { ...envelope, [versionKey]: '2030-01-01' } } };
  const headers: Headers = { 'mcp-protocol-version': '2030-01-01', 'mcp-method': 'tools/list' };
  expect(() => classify(messageOf(future), (name) => headers[name])).toThrow(
    expect.objectContaining({ data: { supported: [modern], requested: '2030-01-01' } }),
  );
});
