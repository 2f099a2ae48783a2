import {
  acceptedContent,
  fromJsonSchema,
  type GetPromptResult,
  inputRequired,
  McpServer,
  ResourceTemplate,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { form, stateCodec } from './asking-tools.ts';
import type { FixtureTool } from './fixture-tool.ts';
import { redPixelPng } from './samples.ts';
import { conformanceTools, type ListChanges, type Noted } from './tools.ts';

const followed = new WeakMap<McpServer, Set<string>>();

/** Does the client of this session follow the resource? Of the legacy era only. */
export function follows(server: McpServer, uri: string): boolean {
  return followed.get(server)?.has(uri) === true;
}

/** A server object with everything the suite asks for: one per legacy session, one per modern request. */
export function conformanceServer(changes: ListChanges, noted: Noted): McpServer {
  const server = new McpServer(
    { name: 'toolgate-conformance-fixture', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        logging: {},
        completions: {},
      },
      requestState: { verify: stateCodec.verify },
    },
  );
  for (const [name, tool] of Object.entries(conformanceTools(changes, noted))) addTool(server, name, tool);
  addResources(server);
  addSubscriptions(server, noted);
  addPrompts(server);
  server.server.setRequestHandler('completion/complete', (request) => {
    const values = ['paris', 'park', 'party'].filter((word) =>
      word.startsWith(request.params.argument.value),
    );
    return { completion: { values, total: values.length, hasMore: false } };
  });
  return server;
}

function addTool(server: McpServer, name: string, { description, inputSchema, call }: FixtureTool): void {
  if (!inputSchema) {
    server.registerTool(name, { description }, (ctx) => call({}, ctx));
    return;
  }
  const schema = fromJsonSchema<Record<string, unknown>>(inputSchema);
  server.registerTool(name, { description, inputSchema: schema }, (args, ctx) => call(args, ctx));
}

function addResources(server: McpServer): void {
  const fixed = [
    {
      uri: 'test://static-text',
      mimeType: 'text/plain',
      text: 'This is the content of the static text resource.',
    },
    { uri: 'test://static-binary', mimeType: 'image/png', blob: redPixelPng },
    { uri: 'test://watched-resource', mimeType: 'text/plain', text: 'Watched resource content' },
  ];
  for (const contents of fixed) {
    const { uri, mimeType } = contents;
    const name = uri.slice('test://'.length);
    server.registerResource(name, uri, { description: `The resource ${name}`, mimeType }, () => ({
      contents: [contents],
    }));
  }
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined });
  const about = { description: 'A resource for each id', mimeType: 'application/json' };
  server.registerResource('template', template, about, (uri, { id }) => {
    const text = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` });
    return { contents: [{ uri: uri.href, mimeType: 'application/json', text }] };
  });
}

function addSubscriptions(server: McpServer, { subscriptions }: Noted): void {
  const uris = new Set<string>();
  followed.set(server, uris);
  server.server.setRequestHandler('resources/subscribe', ({ params: { uri } }) => {
    subscriptions.push(`subscribe ${uri}`);
    uris.add(uri);
    return {};
  });
  server.server.setRequestHandler('resources/unsubscribe', ({ params: { uri } }) => {
    subscriptions.push(`unsubscribe ${uri}`);
    uris.delete(uri);
    return {};
  });
}

type Content = GetPromptResult['messages'][number]['content'];

function says(...contents: Content[]): GetPromptResult {
  return { messages: contents.map((content) => ({ role: 'user', content })) };
}

function addPrompts(server: McpServer): void {
  server.registerPrompt('test_simple_prompt', { description: 'Takes no arguments' }, () =>
    says({ type: 'text', text: 'This is a simple prompt for testing.' }),
  );
  server.registerPrompt(
    'test_prompt_with_arguments',
    {
      description: 'Takes two arguments',
      argsSchema: z.object({
        arg1: z.string().describe('The first'),
        arg2: z.string().describe('The second'),
      }),
    },
    ({ arg1, arg2 }) => says({ type: 'text', text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` }),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    {
      description: 'Embeds a resource',
      argsSchema: z.object({ resourceUri: z.string().describe('Its URI') }),
    },
    ({ resourceUri: uri }) => {
      const resource = { uri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' };
      return says(
        { type: 'resource', resource },
        { type: 'text', text: 'Please process the embedded resource above.' },
      );
    },
  );
  server.registerPrompt('test_prompt_with_image', { description: 'Holds an image' }, () =>
    says(
      { type: 'image', data: redPixelPng, mimeType: 'image/png' },
      { type: 'text', text: 'Please analyze the image above.' },
    ),
  );
  addAskingPrompt(server);
}

function addAskingPrompt(server: McpServer): void {
  server.registerPrompt(
    'test_input_required_result_prompt',
    { description: 'Asks for a context first' },
    (ctx) => {
      const context = acceptedContent(ctx.mcpReq.inputResponses, 'user_context')?.context;
      if (typeof context === 'string') return says({ type: 'text', text: `Use this context: ${context}` });
      const question = form('What context should the prompt use?', { context: { type: 'string' } });
      return inputRequired({ inputRequests: { user_context: question } });
    },
  );
}
