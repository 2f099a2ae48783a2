import { z } from 'zod';
import { serverId } from '../access/contract.ts';
import { endpoint, page, pageQuery } from '../platform/contract.ts';

/** `removed`: the server no longer lists it. `unknown`: not written down yet, or its server is not pinned. */
export const pinStatus = z.enum(['accepted', 'pending', 'removed']);
export const pinState = z.enum(['accepted', 'pending', 'unknown']);
export type PinState = z.infer<typeof pinState>;

/** What a model reads of a tool, each part as text; schemas with sorted keys. Long texts are cut and say so. */
export const toolDefinition = z.object({
  title: z.string().nullable(),
  description: z.string().nullable(),
  inputSchema: z.string().nullable(),
  outputSchema: z.string().nullable(),
  annotations: z.string().nullable(),
});
export type ToolDefinition = z.infer<typeof toolDefinition>;

export const definitionFields = toolDefinition.keyof().options;

export const pinView = z.object({
  id: z.uuid(),
  server: serverId,
  /** Where the server was reached: its URL or command, secrets blanked. A tenant's own endpoint is another place. */
  reachedAt: z.string(),
  tool: z.string(),
  status: pinStatus,
  /** No definition of this tool was accepted before. */
  isNew: z.boolean(),
  definition: toolDefinition,
  /** Against the definition that was accepted last; empty when there is none. */
  changes: z.array(
    z.object({
      field: z.enum(definitionFields),
      before: z.string().nullable(),
      after: z.string().nullable(),
    }),
  ),
  /** What is suspicious about it, one sentence each. A flag alone blocks nothing. */
  flags: z.array(z.string()),
  firstSeenAt: z.iso.datetime(),
  decidedAt: z.iso.datetime().nullable(),
  /** Who accepted it; `first sight`: it was there when the server was met. */
  decidedBy: z.string().nullable(),
  missingSince: z.iso.datetime().nullable(),
});

export const pinQuery = pageQuery.extend({
  server: serverId.optional(),
  status: pinStatus.optional(),
});

export const api = {
  listPins: endpoint({
    method: 'GET',
    path: '/pins',
    tag: 'Tool pins',
    summary: 'Definitions of tools: accepted, waiting for a decision, or gone; newest first',
    query: pinQuery,
    output: page(pinView).extend({
      /** Of everything that waits for the server asked for; `accept-all` wants it. Null without `server`. */
      version: z.string().nullable(),
    }),
  }),
  acceptPin: endpoint({
    method: 'POST',
    path: '/pins/{id}/accept',
    tag: 'Tool pins',
    summary: 'Accept this definition of a tool',
    params: z.object({ id: z.uuid() }),
    output: z.object({ accepted: z.number().int() }),
  }),
  acceptAllPins: endpoint({
    method: 'POST',
    path: '/servers/{id}/pins/accept-all',
    tag: 'Tool pins',
    summary: 'Accept everything that waits for a server, if it is still what the version was given for',
    params: z.object({ id: serverId }),
    body: z.strictObject({ version: z.string().max(100) }),
    output: z.object({ accepted: z.number().int() }),
  }),
};
