// MCP servers of both eras behind one port: `/legacy/{n}` and `/modern/{n}`, each with tools of its own.
import { randomUUID } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { announcePort } from './announce.ts';
import { onMessages, type RawMessage } from './raw-http.ts';
import { answerText, toolNames, toolsPerServer } from './scenario.ts';

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  onMessages(socket, (message) => answer(socket, message));
});
announcePort(server);

function answer(socket: Socket, { head, body }: RawMessage): void {
  if (!head.startsWith('POST '))
    return say(socket, head.startsWith('DELETE ') ? '200 OK' : '405 Method Not Allowed', '');
  const text = body.toString('latin1');
  const isModern = head.startsWith('POST /modern/');
  // The measured call is answered without parsing: where its parts stand is known.
  if (text.includes('"method":"tools/call"'))
    return say(
      socket,
      '200 OK',
      answerText(between(text, '"id":', ','), between(text, '"note":"', '"'), isModern),
    );
  const id = /"id":("[^"]*"|\d+)/.exec(text)?.[1];
  if (id === undefined) return say(socket, '202 Accepted', '');
  const method = between(text, '"method":"', '"');
  const result = resultOf(method, isModern, Number(/^POST \/\w+\/(\d+)/.exec(head)?.[1]));
  const outcome =
    result === undefined
      ? '"error":{"code":-32601,"message":"Method not found"}'
      : `"result":${JSON.stringify(result)}`;
  return say(
    socket,
    '200 OK',
    `{"jsonrpc":"2.0","id":${id},${outcome}}`,
    method === 'initialize' ? `Mcp-Session-Id: ${randomUUID()}\r\n` : '',
  );
}

function resultOf(method: string, isModern: boolean, n: number): unknown {
  const modern = { resultType: 'complete', ttlMs: 600_000, cacheScope: 'private' };
  const info = { name: `bench-${n}`, version: '1.0.0' };
  if (method === 'tools/list')
    return { tools: toolNames(n).slice(0, toolsPerServer(n)).map(tool), ...(isModern && modern) };
  if (method === 'initialize' && !isModern)
    return { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: info };
  if (method !== 'server/discover' || !isModern) return undefined;
  return {
    ...modern,
    supportedVersions: ['2026-07-28'],
    capabilities: { tools: {} },
    _meta: { 'io.modelcontextprotocol/serverInfo': info },
  };
}

function tool(name: string) {
  return {
    name,
    title: name.replaceAll('_', ' '),
    description: `Answers with what it knows about "${name}": a description as long as those of real tools usually are, so that lists weigh what they weigh.`,
    inputSchema: {
      type: 'object',
      properties: {
        note: { type: 'string', description: 'What is asked.' },
        limit: { type: 'integer', minimum: 1, maximum: 100 },
      },
      required: ['note'],
    },
  };
}

function say(socket: Socket, status: string, body: string, headers = ''): void {
  const type = body === '' ? '' : 'Content-Type: application/json\r\n';
  socket.write(
    `HTTP/1.1 ${status}\r\n${type}${headers}Content-Length: ${body.length}\r\n\r\n${body}`,
    'latin1',
  );
}

function between(text: string, before: string, after: string): string {
  const start = text.indexOf(before) + before.length;
  return text.slice(start, text.indexOf(after, start));
}
