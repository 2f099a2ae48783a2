// A table: the tools that the conformance suite calls by name, longer than most files on purpose.
import { setTimeout as wait } from 'node:timers/promises';
import type { CallToolResult } from '@modelcontextprotocol/server';
import { askingTools } from './asking-tools.ts';
import type { FixtureTool } from './fixture-tool.ts';
import { redPixelPng, silentWav } from './samples.ts';

/** Tells every connected client, of both eras, that a list has changed; or those who follow it that a resource has. */
export interface ListChanges {
  tools(): void;
  prompts(): void;
  resources(): void;
  updated(uri: string): void;
}

/** What the server notes of its callers. */
export interface Noted {
  /** Calls of `test_wait` that somebody waits for, and that were given up. */
  waiting: number;
  cancelled: number;
  /** `subscribe` and `unsubscribe` of the legacy era, in order, with their URIs. */
  readonly subscriptions: string[];
}

/** Every tool of the suite. The order is the order of `tools/list`. */
export function conformanceTools(changes: ListChanges, noted: Noted): Record<string, FixtureTool> {
  return {
    ...{ ...contentTools, ...streamTools, ...schemaTools, ...askingTools, ...changeTools(changes) },
    test_wait: waitingTool(noted),
  };
}

function text(value: string): CallToolResult {
  return { content: [{ type: 'text', text: value }] };
}

const contentTools: Record<string, FixtureTool> = {
  test_simple_text: {
    description: 'Answers with one text block',
    call: () => text('This is a simple text response for testing.'),
  },
  test_image_content: {
    description: 'Answers with an image',
    call: () => ({ content: [{ type: 'image', data: redPixelPng, mimeType: 'image/png' }] }),
  },
  test_audio_content: {
    description: 'Answers with a sound',
    call: () => ({ content: [{ type: 'audio', data: silentWav, mimeType: 'audio/wav' }] }),
  },
  test_embedded_resource: {
    description: 'Answers with an embedded resource',
    call: () => ({
      content: [
        {
          type: 'resource',
          resource: {
            uri: 'test://embedded-resource',
            mimeType: 'text/plain',
            text: 'This is an embedded resource content.',
          },
        },
      ],
    }),
  },
  test_multiple_content_types: {
    description: 'Answers with text, an image and a resource',
    call: () => ({
      content: [
        { type: 'text', text: 'Multiple content types test:' },
        { type: 'image', data: redPixelPng, mimeType: 'image/png' },
        {
          type: 'resource',
          resource: {
            uri: 'test://mixed-content-resource',
            mimeType: 'application/json',
            text: '{"test":"data","value":123}',
          },
        },
      ],
    }),
  },
  test_error_handling: {
    description: 'Always fails',
    call: () => {
      throw new Error('This tool intentionally returns an error for testing');
    },
  },
};

const streamTools: Record<string, FixtureTool> = {
  test_tool_with_logging: {
    description: 'Logs three lines while it runs',
    call: async (_args, ctx) => {
      for (const line of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
        await ctx.mcpReq.log('info', line);
        await wait(50);
      }
      return text('Logged three lines.');
    },
  },
  test_logging_tool: {
    description: 'Logs one line, which only a request with a log level may see',
    call: async (_args, ctx) => {
      await ctx.mcpReq.log('info', 'test_logging_tool ran');
      return text('Logged one line.');
    },
  },
  test_tool_with_progress: {
    description: 'Reports progress three times when it was given a token',
    call: async (_args, ctx) => {
      const progressToken = ctx.mcpReq._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progressToken !== undefined) {
          const params = { progressToken, progress, total: 100, message: `${progress} of 100` };
          await ctx.mcpReq.notify({ method: 'notifications/progress', params });
        }
        await wait(50);
      }
      return text('Reported progress.');
    },
  },
  test_log_levels: {
    description: 'Logs one line at each of four levels',
    call: async (_args, ctx) => {
      for (const level of ['debug', 'info', 'warning', 'error'] as const) await ctx.mcpReq.log(level, level);
      return text('Logged four lines.');
    },
  },
  test_reconnection: {
    description: 'Closes its own stream and answers once the client is back',
    call: async (_args, ctx) => {
      ctx.http?.closeSSE?.();
      await wait(100);
      return text('The answer after the reconnection.');
    },
  },
  test_streaming_elicitation: {
    description: 'Answers on a stream that carries no request of the server',
    call: () => text('No request was sent.'),
  },
};

const schemaTools: Record<string, FixtureTool> = {
  test_x_mcp_header: {
    description: 'Has an argument that clients mirror into the Mcp-Param-Region header',
    inputSchema: {
      type: 'object',
      properties: {
        region: { type: 'string', description: 'Where to run', 'x-mcp-header': 'Region' },
        level: { type: 'integer', description: 'An argument that no header mirrors' },
      },
    },
    call: (args) => text(`region=${typeof args.region === 'string' ? args.region : 'none'}`),
  },
  json_schema_2020_12_tool: {
    description: 'Has a schema full of JSON Schema 2020-12 keywords',
    inputSchema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      $defs: {
        address: {
          $anchor: 'addressDef',
          type: 'object',
          properties: { street: { type: 'string' }, city: { type: 'string' } },
        },
      },
      properties: {
        name: { type: 'string' },
        address: { $ref: '#/$defs/address' },
        contactMethod: { type: 'string', enum: ['phone', 'email'] },
        phone: { type: 'string' },
        email: { type: 'string' },
      },
      allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
      if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
      // biome-ignore lint/suspicious/noThenProperty: a JSON Schema keyword
      then: { required: ['phone'] },
      else: { required: ['email'] },
      additionalProperties: false,
    },
    call: (args) => text(JSON.stringify(args)),
  },
};

function changeTools(changes: ListChanges): Record<string, FixtureTool> {
  const trigger = (list: 'tools' | 'prompts' | 'resources'): FixtureTool => ({
    description: `Announces a change of the list of ${list}`,
    call: () => {
      changes[list]();
      return text(`Announced a change of ${list}.`);
    },
  });
  return {
    test_trigger_tool_change: trigger('tools'),
    test_trigger_prompt_change: trigger('prompts'),
    test_trigger_resource_list_change: trigger('resources'),
    test_trigger_resource_update: {
      description: 'Announces that a resource has changed',
      inputSchema: { type: 'object', properties: { uri: { type: 'string' } }, required: ['uri'] },
      call: ({ uri }) => {
        changes.updated(String(uri));
        return text(`Announced a change of ${String(uri)}.`);
      },
    },
  };
}

function waitingTool(noted: Noted): FixtureTool {
  return {
    description: 'Answers when nobody waits for the answer any more',
    call: async (_args, ctx) => {
      const { signal } = ctx.mcpReq;
      noted.waiting++;
      await wait(60_000, undefined, { signal }).catch(() => undefined);
      noted.waiting--;
      if (signal.aborted) noted.cancelled++;
      return text('Nobody waits.');
    },
  };
}
