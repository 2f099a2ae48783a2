// The schema of everything that the gateway is told and tells: parts of the config file, and endpoints of the admin API.
import { z } from 'zod';
import { email, groupName, pinMode, serverId, serviceId, tenantId } from '../access/contract.ts';
import { pinState } from '../catalog/contract.ts';
import { endpoint, page, pageQuery } from '../platform/contract.ts';

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

const bodyBytes = z
  .number()
  .int()
  .min(1_024)
  .max(256 * 1024 * 1024)
  .default(4 * 1024 * 1024);

/** `metrics` of the config file. */
export const metricsFile = z.strictObject({
  most: z
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(100)
    .describe(
      'Most servers, and most tenants, with numbers of their own at /metrics, beside those named here.',
    ),
  servers: z
    .array(serverId)
    .max(1_000)
    .default([])
    .describe('Servers that always have numbers of their own.'),
  tenants: z
    .array(tenantId)
    .max(1_000)
    .default([])
    .describe('Tenants that always have numbers of their own.'),
});

/** `limits` of the config file. */
export const limitsFile = z.strictObject({
  connections: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(1_000)
    .describe('Most connections to servers over HTTP at one time, all servers together.'),
  processes: z
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(200)
    .describe('Most processes of servers at one time, which cost far more.'),
  idleSeconds: z
    .number()
    .int()
    .min(1)
    .max(86_400)
    .default(300)
    .describe('How long a connection or process that nobody uses is kept, in seconds.'),
  clientConnections: z
    .number()
    .int()
    .min(100)
    .max(1_000_000)
    .default(20_000)
    .describe(
      'Most connections that one address may have open to each process. TRUSTED_PROXIES may have any number.',
    ),
  bodyBytes: z
    .strictObject({ stream: bodyBytes, sse: bodyBytes, openapi: bodyBytes })
    .prefault({})
    .describe(
      'Longest body of a request, in bytes: of streamable HTTP, of the older SSE, of tools as HTTP routes.',
    ),
});

const perMinute = z.number().int().min(1).max(1_000_000).optional().describe('Calls a minute, all together.');
const perUserPerMinute = z
  .number()
  .int()
  .min(1)
  .max(1_000_000)
  .optional()
  .describe('Calls a minute that each person or program may make.');
const concurrent = z
  .number()
  .int()
  .min(1)
  .max(100_000)
  .optional()
  .describe('Calls that may be under way at a time, in all processes that count together.');

/** `rateLimits` of the config file. */
export const rateLimitsFile = z.strictObject({
  concurrentPerUser: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(100)
    .describe(
      'Calls that one person or program may have under way at a time, in all processes that count together.',
    ),
  users: z
    .record(z.union([email, serviceId]), z.strictObject({ perMinute, concurrent }))
    .default({})
    .describe('People and programs with limits of their own, instead of the usual ones.'),
  groups: z
    .record(groupName, z.strictObject({ perMinute, perUserPerMinute }))
    .default({})
    .describe('Limits of groups and their members. Who is in several has the highest.'),
  tenants: z.record(tenantId, z.strictObject({ perMinute, concurrent })).default({}).describe('By tenant.'),
  servers: z
    .record(serverId, z.strictObject({ perMinute, perUserPerMinute, concurrent }))
    .default({})
    .describe('By server: calls that go to it, whoever makes them.'),
  tools: z
    .record(
      z
        .string()
        .regex(/^[a-z0-9-]+__./, 'must be a server, "__" and its name of a tool, such as github__search'),
      z.strictObject({ perMinute, perUserPerMinute }),
    )
    .default({})
    .describe('By tool, as `server__tool`.'),
});
export type RateLimitsFile = z.infer<typeof rateLimitsFile>;

/** Through whose eyes: a tenant's, or a person's or program's with their groups and keys. */
const asWhom = z.strictObject({
  tenant: tenantId.optional(),
  user: z.union([email, serviceId]).optional(),
});

/** One key or account, to be recognised and not to be used. */
const credentialShown = z.object({
  level: z.enum(['user', 'group', 'tenant', 'shared']),
  /** The user, group or tenant; null for a shared key. */
  owner: z.string().nullable(),
  /** It is used only while this tenant is active; null: whichever is. */
  tenant: z.string().nullable(),
  /** As `credentialId` in the records of calls. */
  id: z.string(),
  lastFour: z.string(),
});

/** A key that could be meant, and why it is used or not. */
export const credentialRung = credentialShown.extend({
  verdict: z.enum(['used', 'beaten', 'other_tenant', 'group_of_other_tenant', 'elsewhere']),
  /** The same as one sentence. */
  why: z.string(),
});

export const credentialsUsed = z.object({
  server: serverId,
  user: z.string().nullable(),
  /** The active tenant. */
  tenant: z.string().nullable(),
  /** The tenant decides where the server is: keys of users and groups that belong to no tenant stay away from there. */
  elsewhere: z.boolean(),
  /** Every name that the server asks for. */
  names: z.array(
    z.object({
      name: z.string(),
      used: credentialShown.extend({ kind: z.enum(['key', 'account']) }).nullable(),
      reason: z.string(),
      /** Everything that could be meant, most specific first. */
      ladder: z.array(credentialRung),
    }),
  ),
  /** Why the server cannot be reached at all, whatever keys there are. */
  problem: z.string().nullable(),
});

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

/** How one server is doing, as one tenant, person or session reaches it in one era; as one process sees it. */
export const serverState = z.object({
  id: z.string(),
  server: z.string(),
  type: z.enum(['stdio', 'http', 'sse']),
  /** Where it is, without keys; null for a process. */
  url: z.string().nullable(),
  /** Who shares its connections. */
  scope: z.object({
    kind: z.enum(['shared', 'tenant', 'group', 'user', 'session']),
    /** The tenant, group or person; null when everybody shares them. */
    of: z.string().nullable(),
  }),
  tenant: z.string().nullable(),
  era: z.enum(['modern', 'legacy']),
  protocolVersion: z.string().nullable(),
  connected: z.boolean(),
  /** Connections, or processes, that are open or being opened. */
  connections: z.number(),
  inFlight: z.number(),
  circuit: z.object({
    /** `open`: refused at once. `half-open`: the next call tries it. */
    state: z.enum(['closed', 'open', 'half-open']),
    since: z.iso.datetime().nullable(),
    nextTry: z.iso.datetime().nullable(),
  }),
  lastError: z.object({ message: z.string(), at: z.iso.datetime() }).nullable(),
  /** Since this process started. */
  calls: z.number(),
  failures: z.number(),
  restarts: z.number(),
  lastUsedAt: z.iso.datetime().nullable(),
  lastCheckAt: z.iso.datetime().nullable(),
});

/** What a link to an OpenAPI document shows. It ends with the group or the server that it is about. */
export const openApiLink = z
  .strictObject({ tenant: tenantId.optional(), group: groupName.optional(), server: serverId.optional() })
  .refine(
    ({ group, server }) => group !== undefined || server !== undefined,
    'must name a group or a server',
  );

/** One thing that servers which are processes are held by. `partly`: against mistakes, not against malice. */
export const inForce = z.object({
  feature: z.string(),
  state: z.enum(['on', 'partly', 'off']),
  /** One sentence for operators. */
  how: z.string(),
});
export type InForce = z.infer<typeof inForce>;

export const runnerState = z.object({
  /** `child`: Toolgate started it for itself. `remote`: TOOLGATE_RUNNER_URL names it. `off`: processes run beside Toolgate. */
  mode: z.enum(['child', 'remote', 'off']),
  answers: z.boolean(),
  message: z.string(),
  /** Since when it cannot be used, as far as that was noticed. */
  awaySince: z.iso.datetime().nullable(),
  processes: z.number().nullable(),
  inForce: z.array(inForce),
});

const counted = z.object({
  /** An address, a person, a group, a tenant, a server, a tool; or `alice@acme.com github`. */
  id: z.string(),
  /** Calls in the last minute. */
  used: z.number(),
  perMinute: z.number(),
});
const refusedBy = z.object({ lastMinute: z.number(), sinceStart: z.number() });

/** What is limited at this moment, and how much of it is used; the most used of each kind. */
const limitCounts = z.object({
  perMinute: z.record(z.string(), z.array(counted)),
  /** Calls under way. */
  underWay: z.record(z.string(), z.array(z.object({ id: z.string(), calls: z.number() }))),
  refusals: z.array(refusedBy.extend({ reason: z.string() })),
  /** Whose limits refused most, as `user alice@acme.com`. */
  refused: z.array(refusedBy.extend({ whose: z.string() })),
});

export const limitCountsOfReplica = limitCounts.extend({
  replica: z.string(),
  /** Since when it limits alone because Redis is away; null: it does not. */
  aloneSince: z.iso.datetime().nullable(),
});
export type LimitCounts = z.infer<typeof limitCounts>;
export type LimitCountsOfReplica = z.infer<typeof limitCountsOfReplica>;

export const limitStats = z.object({
  /** The limits of all replicas that answered, added up. */
  together: limitCounts,
  replicas: z.array(limitCountsOfReplica),
});

export const api = {
  getLimitStats: endpoint({
    method: 'GET',
    path: '/stats',
    tag: 'Status',
    summary: 'Who calls most, what was refused, and how full the limits are; also at /gateway/stats',
    output: limitStats,
  }),
  getRunner: endpoint({
    method: 'GET',
    path: '/runner',
    tag: 'Servers',
    summary: 'Where servers run that are processes, and what holds them there',
    output: runnerState,
  }),
  listServerTools: endpoint({
    method: 'GET',
    path: '/servers/{id}/tools',
    tag: 'Servers',
    summary: 'Tools that a server has, before anybody’s rights',
    params: z.object({ id: serverId }),
    query: asWhom,
    output: z.object({ items: z.array(serverTool), nextCursor: z.null() }),
  }),
  listServerStates: endpoint({
    method: 'GET',
    path: '/servers/state',
    tag: 'Servers',
    summary: 'How servers are doing: connections, circuits, last errors, as the process sees it that answers',
    query: pageQuery,
    output: page(serverState),
  }),
  getServerState: endpoint({
    method: 'GET',
    path: '/servers/{id}/state',
    tag: 'Servers',
    summary: 'How one server is doing, as each tenant and person reaches it',
    params: z.object({ id: serverId }),
    output: z.object({ items: z.array(serverState), nextCursor: z.null() }),
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
    query: asWhom,
    output: serverTest,
  }),
  explainCredential: endpoint({
    method: 'GET',
    path: '/servers/{id}/credential',
    tag: 'Servers',
    summary: 'Which keys a call would use, and why',
    params: z.object({ id: serverId }),
    query: asWhom,
    output: credentialsUsed,
  }),
};
