import { z } from 'zod';
import { groupName, pinMode, serverId, tenantId } from '../access/contract.ts';
import { pinState } from '../catalog/contract.ts';
import { endpoint } from '../platform/contract.ts';

/** `metaTools` of the config file. */
export const metaToolsFile = z.strictObject({
  above: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe(
      'Who would see more tools than this on an MCP URL sees search_tools, describe_tools and call_tool instead. Left out: nobody for that reason.',
    ),
  exceptClients: z
    .array(z.string().trim().toLowerCase().min(1).max(100))
    .max(100)
    .default([])
    .describe(
      'Clients that see every tool all the same, by the beginning of the name that they state or of their User-Agent; `open-webui` is Open WebUI.',
    ),
});

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
  /** As its server names it; access and records go by this one. */
  name: z.string(),
  /** What callers see, by the server's own definition. */
  shownName: z.string(),
  /** What members of a group see instead, by group. */
  groupNames: z.record(z.string(), z.string()),
  /** Names that could not be used, one sentence each. */
  warnings: z.array(z.string()),
  description: z.string().nullable(),
  /** JSON Schema of the arguments, as the server wrote it. */
  inputSchema: z.unknown(),
  pin: z.object({
    /** What becomes of tools of this server that nobody accepted. */
    mode: pinMode,
    /** Of exactly this definition. `unknown`: not written down yet, or not pinned. */
    state: pinState,
    /** Nobody is shown it or may call it. */
    held: z.boolean(),
  }),
  /** What is suspicious about it, one sentence each. */
  flags: z.array(z.string()),
});

/** What a link to an OpenAPI document shows. It ends with the group or the server that it is about. */
export const openApiLink = z
  .strictObject({ tenant: tenantId.optional(), group: groupName.optional(), server: serverId.optional() })
  .refine(
    ({ group, server }) => group !== undefined || server !== undefined,
    'must name a group or a server',
  );

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
  createOpenApiLink: endpoint({
    method: 'POST',
    path: '/openapi-links',
    tag: 'Servers',
    summary: 'Make a link that shows which tools a group, or a server, has; it calls none',
    body: openApiLink,
    output: z.object({ url: z.url() }),
    status: 201,
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
