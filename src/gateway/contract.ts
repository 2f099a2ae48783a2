import { z } from 'zod';
import { serverId, tenantId } from '../access/contract.ts';
import { endpoint } from '../platform/contract.ts';

const forTenant = z.object({ tenant: tenantId.optional() });

/** What a server says when it is asked. */
export const serverTest = z.object({
  ok: z.boolean(),
  /** One sentence: what works, or what does not. */
  message: z.string(),
  era: z.enum(['modern', 'legacy']).nullable(),
  protocolVersion: z.string().nullable(),
  name: z.string().nullable(),
  tools: z.number(),
  milliseconds: z.number(),
});

export const serverTool = z.object({
  name: z.string(),
  description: z.string().nullable(),
  /** JSON Schema of the arguments, as the server wrote it. */
  inputSchema: z.unknown(),
});

export const api = {
  listServerTools: endpoint({
    method: 'GET',
    path: '/servers/{id}/tools',
    tag: 'Servers',
    summary: 'Tools that a server has, before anybody’s rights',
    params: z.object({ id: serverId }),
    query: forTenant,
    output: z.object({ items: z.array(serverTool), nextCursor: z.null() }),
  }),
  testServer: endpoint({
    method: 'POST',
    path: '/servers/{id}/test',
    tag: 'Servers',
    summary: 'Connect to a server now and say how it went',
    params: z.object({ id: serverId }),
    query: forTenant,
    output: serverTest,
  }),
};
