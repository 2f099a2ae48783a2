// An MCP server over stdio that writes down each time that it is started, and lists what its folder says at that moment:
// `node test/fakes/counted-stdio.ts <folder> <name>`, with `starts` and `<method>.json` in the folder.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

const [folder = '.', name = 'it'] = process.argv.slice(2);
appendFileSync(path.join(folder, 'starts'), `${name}\n`);

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: { readonly name?: string; readonly uri?: string; readonly protocolVersion?: string };
}

const empty: Readonly<Record<string, object>> = {
  'tools/list': { tools: [{ name: 'own', inputSchema: { type: 'object' } }] },
  'prompts/list': { prompts: [] },
  'resources/list': { resources: [] },
  'resources/templates/list': { resourceTemplates: [] },
  'logging/setLevel': {},
  'resources/subscribe': {},
  'completion/complete': { completion: { values: ['done'] } },
  ping: {},
};

function resultOf({ method = '', params }: Message): unknown {
  if (method === 'initialize')
    return {
      protocolVersion: params?.protocolVersion,
      capabilities: { tools: {}, prompts: {}, resources: { subscribe: true }, completions: {}, logging: {} },
      serverInfo: { name, version: '1' },
      instructions: `This is ${name}.`,
    };
  if (method === 'tools/call') return { content: [{ type: 'text', text: `pid ${process.pid}` }] };
  if (method === 'prompts/get') return { messages: [] };
  if (method === 'resources/read') return { contents: [{ uri: params?.uri, text: `pid ${process.pid}` }] };
  const file = path.join(folder, `${method.replaceAll('/', '-')}.json`);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : empty[method];
}

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as Message;
  if (message.id === undefined) continue;
  const result = resultOf(message);
  const outcome =
    result === undefined ? { error: { code: -32601, message: 'Method not found' } } : { result };
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id: message.id, ...outcome })}\n`);
}
