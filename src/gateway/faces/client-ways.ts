// Open WebUI as an MCP client: how it is recognised, and what it is told differently. docs/open-webui.md has the facts
// that each of these stands on, with the versions that they were read from.
import type { Principal } from '../../access/contract.ts';
import type { Audience } from '../audience.ts';
import type { Call, LocalResult } from '../call.ts';
import type { RpcResponse } from '../rpc/message.ts';
import { isModernVersion } from '../rpc/protocol.ts';
import { WireError } from '../rpc/wire-error.ts';
import { readableResult } from './tool-result.ts';

/** What it adds to its requests by default (`utils/headers.py`); names can be changed there, one of them is enough. */
const ownHeaders = [
  'x-openwebui-user-jwt',
  'x-openwebui-user-email',
  'x-openwebui-user-id',
  'x-openwebui-user-name',
  'x-openwebui-user-role',
  'x-openwebui-chat-id',
  'x-openwebui-message-id',
  'x-openwebui-auth-type',
];

/**
 * Who speaks, by what is certain: how it proved itself, or a header that nobody else sends. It decides about shapes
 * and never about rights, so a header that somebody made up gains nothing. The name that Open WebUI gives itself is
 * no sign: it is the Python SDK's own, "mcp".
 */
export function audienceOf(principal: Principal, header: (name: string) => string | undefined): Audience {
  const { authSource } = principal;
  if (authSource.startsWith('connection-key') || authSource === 'open-webui') return 'open-webui';
  return ownHeaders.some((name) => header(name) !== undefined) ? 'open-webui' : 'any';
}

interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What it waits for until it is answered: it connects anew for each message of a chat. */
const awaited = new Set(['initialize', 'server/discover', 'tools/list', 'tools/call']);

/**
 * The answer to a known caller, as its client can take it. The Python SDK 1.x, in Open WebUI up to 0.11.4, never
 * wakes up the call that an HTTP error answers, and closes the whole connection when a notification gets one
 * (python-sdk #3091). So the error goes in band, and a refused notification is taken and dropped.
 */
export function answerForClient(error: unknown, call: Call, found: HttpAnswer): HttpAnswer {
  if (call.audience !== 'open-webui' || found.status < 400) return found;
  if (call.message?.kind === 'notification') return { status: 202, text: '', headers: {} };
  if (call.message?.kind !== 'request') return found;
  // The SDK 2.x reads errors of any status, and the modern era gives some of them a meaning of their own.
  const isModern = call.era === 'modern' || isModernVersion(call.header('mcp-protocol-version') ?? '');
  const keeps = isModern && (error instanceof WireError || !awaited.has(call.message.method));
  return keeps ? found : { ...found, status: 200 };
}

/** The result of a tool as the client can show it to its model; any other answer as it is. */
export function responseForClient(call: Call): RpcResponse | LocalResult | undefined {
  const { response } = call;
  const isResult = call.message?.kind === 'request' && call.message.method === 'tools/call';
  if (call.audience !== 'open-webui' || !isResult || response?.rawResult === undefined) return response;
  return { ...response, rawResult: readableResult(response.rawResult) };
}
