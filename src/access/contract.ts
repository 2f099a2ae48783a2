// Wire shapes of tenants, users, groups, servers and grants. A schema file: longer than most, on purpose.
import { z } from 'zod';
import { endpoint, page, pageQuery } from '../platform/contract.ts';

const idPattern = /^[a-z0-9][a-z0-9-]{0,23}$/;
const idHelp = 'must be 1 to 24 characters of a-z, 0-9 and "-", and begin with a letter or a digit';

export const serverId = z.string().regex(idPattern, idHelp).brand<'ServerId'>();
export type ServerId = z.infer<typeof serverId>;

export const tenantId = z.string().regex(idPattern, idHelp).brand<'TenantId'>();
export type TenantId = z.infer<typeof tenantId>;

/** A group's name as its source spells it; Keycloak paths such as `/dept/dev` are allowed. */
export const groupName = z
  .string()
  .trim()
  .min(1)
  .max(200)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the point
  .regex(/^[^\u0000-\u001f\u007f]+$/, 'must not hold control characters');

/** An e-mail address, lower-cased: users are the same person however a provider spells them. */
export const email = z
  .string()
  .trim()
  .toLowerCase()
  .max(254)
  .regex(/^[^@\s*]+@[^@\s*]+$/, 'must be an e-mail address');

/** `*@acme.com`: everyone whose address ends so. */
export const emailPattern = z
  .string()
  .trim()
  .toLowerCase()
  .max(254)
  .regex(/^\*@[^@\s*]+$/, 'must be "*@" and a domain');

/** `service:<name>`: a program that calls with a token of its own. */
export const serviceId = z.string().regex(/^service:[a-z0-9][a-z0-9._-]{0,62}$/);

/** Whoever can be a member of a group or hold a grant: one person, everyone of a domain, or a service. */
export const memberId = z.union([email, emailPattern, serviceId]);

/**
 * Which tools of a server: glob patterns (`*`, `?`), `!` refuses. A tool is granted when a positive pattern
 * matches it and no refusing one does; order means nothing.
 */
export const toolPatterns = z
  .array(z.string().min(1).max(200))
  .min(1)
  .max(200)
  .refine((patterns) => patterns.some((pattern) => !pattern.startsWith('!')), {
    message: 'only refuses ("!…"), so it would grant nothing; add "*" to grant the rest',
  });

/** Another name, title or description of one tool; what is left out stays as its server has it. */
export const toolOverride = z
  .strictObject({
    name: z
      .string()
      // 47 for everything with a server's id and `__` before it; `_h` and six characters mark shortened names.
      .regex(/^(?!.*_h[0-9a-z]{6}$)[A-Za-z0-9_-]{1,44}$/, {
        error:
          'must be 1 to 44 characters of A-Z, a-z, 0-9, "_" and "-", and not end like a shortened name ("_h" and six characters)',
      })
      .optional()
      .describe('Name that callers see. With the server’s id and `__` before it at most 47 characters.'),
    title: z.string().min(1).max(200).optional().describe('Title for people.'),
    description: z.string().min(1).max(10_000).optional().describe('What models read about it.'),
  })
  .refine((override) => Object.keys(override).length > 0, 'must state a name, a title or a description');
export type ToolOverride = z.infer<typeof toolOverride>;

/** By the name that the tool has at its server. */
export const toolOverrides = z
  .record(z.string().min(1).max(200), toolOverride)
  .refine((all) => Object.keys(all).length <= 500, 'must have at most 500 entries')
  .refine(hasDistinctNames, 'gives two tools the same name');
export type ToolOverrides = z.infer<typeof toolOverrides>;

function hasDistinctNames(all: Readonly<Record<string, { name?: string | undefined }>>): boolean {
  const names = Object.values(all).flatMap(({ name }) => (name === undefined ? [] : [name]));
  return new Set(names).size === names.length;
}

/** By server. */
export const groupToolOverrides = z.record(serverId, toolOverrides);
export type GroupToolOverrides = z.infer<typeof groupToolOverrides>;

export const isolation = z.enum(['shared', 'tenant', 'user', 'session']);

/** What becomes of tools whose definition nobody accepted. */
export const pinMode = z.enum(['off', 'warn', 'enforce']);
export const defaultPinMode = 'warn' satisfies z.infer<typeof pinMode>;
export const defaultMaxResultChars = 200_000;
export const defaultMaxConnections = 100;

/** Which MCP extensions pass: all, none, or those of these names. */
const extensionPolicy = z.union([z.enum(['all', 'none']), z.array(z.string().min(1).max(200)).max(50)]);
export const defaultExtensions = 'all' satisfies z.infer<typeof extensionPolicy>;

/** Checked here so that a line break in a value can never add a header of its own. */
const headers = z.record(
  z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be a header name'),
  z
    .string()
    .max(10_000)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the point
    .regex(/^[^\u0000-\u0008\u000a-\u001f\u007f]*$/, 'must not hold line breaks or control characters'),
);

const notAUrl = 'must be an http:// or https:// URL';
const httpUrl = z.url({ protocol: /^https?$/, error: notAUrl }).max(2000);

/** A URL that may hold placeholders: with a word, or after a colon a number, for each variable it must be one. */
const serverUrl = z
  .string(notAUrl)
  .max(2000)
  .refine((url) => {
    const sample = url.replace(/(:?)\$\{variable:[^}]*\}/g, (_, colon: string) => (colon ? ':1' : 'v'));
    return /^https?:$/.test(URL.parse(sample)?.protocol ?? '');
  }, notAUrl);

/** What the gate gives itself: the id of the active tenant. */
export const ownVariable = 'tenant';

export const variableName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1 to 64 characters of A-Z, a-z, 0-9, "_", "." and "-"')
  .refine((name) => name !== ownVariable, 'is the id of the active tenant, whatever a value says');

const variableValue = z
  .string()
  .max(1000)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the point
  .regex(/^[^\u0000-\u001f\u007f]*$/, 'must not hold line breaks or control characters')
  .refine((value) => value.isWellFormed() && !value.includes('${'), 'must be plain text, without "${"');

const fewVariables = 'must have at most 100 entries';

/** Values that are no secrets, by name: hosts, regions, names of databases. */
export const variableValues = z
  .record(variableName, variableValue.min(1))
  .refine((values) => Object.keys(values).length <= 100, fewVariables);

/** The same of a server itself, where an empty text says that each tenant has to give a value. */
const serverVariables = z
  .record(variableName, variableValue)
  .refine((values) => Object.keys(values).length <= 100, fewVariables);

/** Whose variables: one server's, or `*` for those of every server. */
export const everyServer = '*';

/** What the admin API may set: whoever names a token endpoint is sent everybody’s sign-in tokens, so the file alone does. */
const oauthAccount = z.strictObject({
  kind: z
    .literal('oauth')
    .describe('Each user connects an account of their own: the authorization of the MCP specification.'),
  scopes: z
    .array(z.string().min(1).max(200))
    .max(100)
    .optional()
    .describe('Default: what the server asks for.'),
  issuer: httpUrl.optional().describe('The authorization server, where the MCP server does not name it.'),
  clientId: z
    .string()
    .min(1)
    .max(2000)
    .optional()
    .describe(
      'Client that is registered there by hand; its secret is stored as the credential `oauth-client-secret`.',
    ),
  authorizeParams: z
    .record(z.string().min(1).max(100), z.string().max(1000))
    .optional()
    .describe('Added to the authorization request, such as `access_type=offline`.'),
});

/** How each user signs in to a server with an account of their own: the user-level form of `${credential}`. */
export const accountSettings = z.discriminatedUnion('kind', [
  oauthAccount,
  z.strictObject({
    kind: z
      .enum(['token-exchange', 'on-behalf-of'])
      .describe(
        'The access token that the user came with is exchanged for one of the server: RFC 8693, or the on-behalf-of flow of Microsoft Entra ID.',
      ),
    tokenUrl: httpUrl.describe('Token endpoint of the authorization server.'),
    clientId: z
      .string()
      .min(1)
      .max(2000)
      .describe('Client of the gate there; its secret is stored as the credential `oauth-client-secret`.'),
    audience: z.string().min(1).max(1000).optional().describe('RFC 8693 `audience`.'),
    resource: httpUrl.optional().describe('RFC 8693 `resource`. Default: the URL of the server.'),
    scopes: z.array(z.string().min(1).max(200)).max(100).optional(),
  }),
  z.strictObject({
    kind: z
      .literal('signed')
      .describe(
        'The server is told who is calling, signed by the gate: for a Toolgate in API_GATEWAY_MODE, and for programs that check such signatures.',
      ),
  }),
]);
export type AccountSettings = z.infer<typeof accountSettings>;

/** What one process of a stdio server may use. What of it is in force depends on the system: docs/runner.md. */
export const processLimits = z.strictObject({
  memoryMb: z.number().int().min(16).max(65_536).optional().describe('Memory, in MiB. Default: 1024.'),
  cpus: z.number().min(0.05).max(64).optional().describe('Processors. Default: 1.'),
  processes: z.number().int().min(1).max(10_000).optional().describe('Processes and threads. Default: 200.'),
  openFiles: z.number().int().min(16).max(100_000).optional().describe('Open files. Default: 1024.'),
  diskMb: z
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('What it may write into its data directory, in MiB. Default: 1024.'),
  network: z.enum(['full', 'none']).optional().describe('Whether it reaches the network. Default: full.'),
  reads: z
    .array(z.string().min(1).max(4096))
    .max(100)
    .optional()
    .describe(
      'Further files and directories that it may read, where it sees no more than it needs. What its arguments and variables name is there already.',
    ),
  writes: z
    .array(z.string().min(1).max(4096))
    .max(100)
    .optional()
    .describe('Further files and directories that it may read and write.'),
});
export type ProcessLimits = z.infer<typeof processLimits>;

const serverCommon = {
  enabled: z.boolean().default(true).describe('A disabled server is there for nobody, admins included.'),
  displayName: z.string().min(1).max(100).optional().describe('Name for people.'),
  description: z.string().max(1000).optional().describe('What it is good for.'),
  tools: toolPatterns.optional().describe('Narrows the server for everyone, admins included.'),
  toolOverrides: toolOverrides
    .optional()
    .describe('Other names, titles and descriptions of its tools, by the name that the server gives them.'),
  isolation: isolation
    .optional()
    .describe('Who shares one connection or process. Default: shared, or the owner of the credential.'),
  timeoutMs: z
    .number()
    .int()
    .min(100)
    .max(3_600_000)
    .default(60_000)
    .describe('Longest wait for one answer, in milliseconds.'),
  maxResponseBytes: z
    .number()
    .int()
    .min(1024)
    .max(256 * 1024 * 1024)
    .default(10 * 1024 * 1024)
    .describe('Largest answer taken from the server, in bytes.'),
  recordArguments: z
    .boolean()
    .default(false)
    .describe('Store call arguments in `api_analytics`. Off: they may hold personal data.'),
  // No defaults for these two: they would make every entry of a config file another one than the last applied.
  pin: pinMode
    .optional()
    .describe(
      'What becomes of tools that are new or changed since the server was first seen: `off` nothing is noted, `warn` (default) they are flagged, `enforce` they are held back until an administrator accepts them.',
    ),
  maxResultChars: z
    .number()
    .int()
    .min(0)
    .max(100_000_000)
    .optional()
    .describe(
      'Most characters of text in the result of one tool call; what is beyond can be read page by page. 0: no limit. Default: 200000.',
    ),
  extensions: extensionPolicy
    .optional()
    .describe(
      'Which MCP extensions pass between the server and its clients: `all` (default), `none`, or a list such as `["io.modelcontextprotocol/ui"]`. A server of the legacy era hears only of those that are listed.',
    ),
  // No defaults for what follows, for the same reason.
  variables: serverVariables
    .optional()
    .describe(
      'What `${variable:NAME}` stands for where a tenant has no value of its own; an empty text where each tenant must have one.',
    ),
  maxConnections: z
    .number()
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe('Most connections or processes at a time, all tenants together. Default: 100.'),
};

export const stdioServer = z.strictObject({
  type: z
    .literal('stdio')
    .default('stdio')
    .describe('How it is reached; a command means stdio, a URL means http.'),
  command: z
    .string()
    .min(1)
    .describe('Program to run. Programs of installed npm packages are found by name.'),
  args: z.array(z.string()).default([]).describe('Its arguments.'),
  env: z.record(z.string(), z.string()).default({}).describe('Environment variables that it gets.'),
  cwd: z
    .string()
    .optional()
    .describe(
      'Directory that it runs in; relative paths begin at the config file. Default: the directory of the config file.',
    ),
  limits: processLimits.optional().describe('What one process of it may use.'),
  ...serverCommon,
});

const remote = {
  url: serverUrl.describe('Where it answers.'),
  headers: headers.default({}).describe('Headers that it is sent with every request.'),
  account: accountSettings
    .optional()
    .describe(
      'Accounts of users: `${credential}` is then the token of the caller’s own account, before all keys but their own.',
    ),
  ...serverCommon,
};
export const httpServer = z.strictObject({ type: z.literal('http'), ...remote });
export const sseServer = z.strictObject({ type: z.literal('sse'), ...remote });

/** How a server is reached and treated: one entry of `mcpServers`. */
export const serverDefinition = z.discriminatedUnion('type', [stdioServer, httpServer, sseServer]);
export type ServerDefinition = z.infer<typeof serverDefinition>;

/** Who keeps a record: the config file, or somebody through the admin API. */
export const managedBy = z.enum(['file', 'admin']);

const originText = z.string().max(200);
/** Where a server comes from that was installed from the catalog: enough to make its definition of the entry again. */
export const serverOrigin = z.object({
  /** Id of the entry. */
  entry: originText,
  /** Which way of the entry, with which kind of signing in. */
  transport: originText,
  auth: originText,
  /** Names of the fields that were filled in. */
  fields: z.array(originText).max(100),
  /** Package, image or program; null for a URL. */
  package: originText.nullable(),
  version: originText.nullable(),
  /** Digest of an image, or what the registry says the package is made of. */
  digest: originText.nullable(),
  /** `verified`: the version came with the entry; `at-install`: the newest one then; `given` by an administrator. */
  pinned: z.enum(['verified', 'at-install', 'given', 'not-pinned']).nullable(),
  installedAt: z.iso.datetime(),
});
export type ServerOrigin = z.infer<typeof serverOrigin>;

/** As it is kept: with the seal of whoever installed it, null where there is none. It is never shown. */
export const storedOrigin = serverOrigin.extend({ seal: z.string().max(10_000).nullable().default(null) });
export type StoredOrigin = z.infer<typeof storedOrigin>;

export const server = z.object({
  id: serverId,
  definition: serverDefinition,
  managedBy,
  updatedAt: z.date(),
});
export type Server = z.infer<typeof server>;

/** A server as the admin API shows it: environment and header values stay inside. */
export const serverView = z.object({
  id: serverId,
  type: z.enum(['stdio', 'http', 'sse']),
  displayName: z.string(),
  description: z.string(),
  enabled: z.boolean(),
  command: z.string().nullable(),
  args: z.array(z.string()),
  url: z.string().nullable(),
  /** How each user signs in with an account of their own; null where nobody does. */
  account: accountSettings.nullable(),
  headerNames: z.array(z.string()),
  envNames: z.array(z.string()),
  tools: z.array(z.string()).nullable(),
  toolOverrides,
  isolation: isolation.nullable(),
  timeoutMs: z.number(),
  maxResponseBytes: z.number(),
  recordArguments: z.boolean(),
  pin: pinMode,
  maxResultChars: z.number(),
  extensions: extensionPolicy,
  variables: z.record(z.string(), z.string()),
  maxConnections: z.number(),
  managedBy,
  /** Where it was installed from; null when not from the catalog. */
  origin: serverOrigin.nullable(),
  updatedAt: z.iso.datetime(),
});

/** What the admin API may create: remote servers only, because a command from an API is never run. */
export const serverInput = z.discriminatedUnion('type', [
  httpServer.extend({ id: serverId, account: oauthAccount.optional() }),
  sseServer.extend({ id: serverId, account: oauthAccount.optional() }),
]);

export const serverPatch = z.strictObject({
  enabled: z.boolean().optional(),
  displayName: z.string().min(1).max(100).optional(),
  description: z.string().max(1000).optional(),
  url: serverUrl.optional(),
  headers: headers.optional(),
  tools: toolPatterns.nullable().optional(),
  /** The whole of it; null takes all of them away. */
  toolOverrides: toolOverrides.nullable().optional(),
  isolation: isolation.nullable().optional(),
  timeoutMs: serverCommon.timeoutMs.unwrap().optional(),
  maxResponseBytes: serverCommon.maxResponseBytes.unwrap().optional(),
  recordArguments: z.boolean().optional(),
  /** Null takes the default. */
  pin: pinMode.nullable().optional(),
  maxResultChars: serverCommon.maxResultChars.unwrap().nullable().optional(),
  extensions: extensionPolicy.nullable().optional(),
  /** The whole of them. */
  variables: serverVariables.nullable().optional(),
  maxConnections: serverCommon.maxConnections.unwrap().nullable().optional(),
  /** The whole of it; null takes it away. */
  account: oauthAccount.nullable().optional(),
});

export const grant = z.object({ server: serverId, tools: z.array(z.string()) });

export const groupView = z.object({
  name: groupName,
  displayName: z.string(),
  admin: z.boolean(),
  tenant: tenantId.nullable(),
  externalIds: z.array(z.string()),
  servers: z.array(grant),
  toolOverrides: groupToolOverrides,
  memberCount: z.number(),
  managedBy,
});

export const groupInput = z.strictObject({
  name: groupName,
  displayName: z.string().max(200).optional(),
  admin: z.boolean().default(false),
  tenant: tenantId.nullable().default(null),
  /** Ids by which an identity provider names this group, e.g. an Entra object id or a Keycloak path. */
  externalIds: z.array(z.string().min(1).max(200)).max(50).default([]),
  toolOverrides: groupToolOverrides.default({}),
});

export const groupPatch = z.strictObject({
  displayName: z.string().max(200).optional(),
  admin: z.boolean().optional(),
  tenant: tenantId.nullable().optional(),
  externalIds: z.array(z.string().min(1).max(200)).max(50).optional(),
  /** The whole of it. */
  toolOverrides: groupToolOverrides.optional(),
});

/** Where a membership comes from; `oidc:<issuer name>` ones expire and are renewed by tokens. */
export const membership = z.object({
  group: groupName,
  source: z.string(),
  expiresAt: z.iso.datetime().nullable(),
});

export const userView = z.object({
  email: z.string(),
  displayName: z.string(),
  disabled: z.boolean(),
  defaultTenant: tenantId.nullable(),
  groups: z.array(membership),
  servers: z.array(grant),
  source: z.string(),
  createdAt: z.iso.datetime(),
  lastSeenAt: z.iso.datetime().nullable(),
});

export const userInput = z.strictObject({
  email: memberId,
  displayName: z.string().max(200).optional(),
  defaultTenant: tenantId.nullable().default(null),
  groups: z.array(groupName).max(500).default([]),
});

export const userPatch = z.strictObject({
  displayName: z.string().max(200).optional(),
  disabled: z.boolean().optional(),
  defaultTenant: tenantId.nullable().optional(),
});

export const tenantView = z.object({
  id: tenantId,
  displayName: z.string(),
  emailDomains: z.array(z.string()),
  enabled: z.boolean(),
  endpoints: z.array(z.object({ server: serverId, url: z.string() })),
  /** By server, `*` for every server. */
  variables: z.record(z.string(), z.record(z.string(), z.string())),
  groups: z.array(groupName),
  managedBy,
});

const domain = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^[a-z0-9.-]+\.[a-z]{2,}$|^[a-z0-9-]+$/, 'must be a domain such as acme.com');

export const tenantInput = z.strictObject({
  id: tenantId,
  displayName: z.string().max(200).optional(),
  emailDomains: z.array(domain).max(100).default([]),
  enabled: z.boolean().default(true),
});

export const tenantPatch = z.strictObject({
  displayName: z.string().max(200).optional(),
  emailDomains: z.array(domain).max(100).optional(),
  enabled: z.boolean().optional(),
});

// ---- The config file -------------------------------------------------------------------------------

/** In the file an id may be spelled as in files of mcpo: `My_Server` is the server `my-server`. */
const serverIdInFile = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,23}$/, idHelp)
  .transform(serverIdFrom)
  .pipe(serverId);

/** The same, or every server. */
const serverOrEveryInFile = z
  .string()
  .regex(/^(?:\*|[A-Za-z0-9][A-Za-z0-9_-]{0,23})$/, `${idHelp}; or be "*" for every server`)
  .transform(serverIdFrom);

/** The id that stands for a name in a file of mcpo. */
export function serverIdFrom(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

/** How the type of a streamable HTTP server is spelled in files of other programs. */
const httpTypes: readonly unknown[] = [
  'streamable-http',
  'streamableHttp',
  'streamable_http',
  'streamablehttp',
];

/**
 * In the file a server's type may be left out: a command means stdio, a URL means http, and one that ends in `/sse`
 * means sse. Keys of mcpo are taken along: the tools that it disables are refused ones here.
 */
const serverInFile = z.preprocess((value, context) => {
  if (typeof value !== 'object' || value === null) return value;
  const { disabledTools, disabled_tools, client_header_forwarding, oauth, ...entry } = value as Record<
    string,
    unknown
  >;
  const usual = typeof entry['url'] === 'string' && /\/sse\/?$/.test(entry['url']) ? 'sse' : 'http';
  const type = entry['type'] ?? (entry['url'] === undefined ? 'stdio' : usual);
  const key = disabledTools === undefined ? 'disabled_tools' : 'disabledTools';
  const disabled = z.array(z.string().min(1).max(199)).safeParse(disabledTools ?? disabled_tools ?? []);
  if (!disabled.success) {
    context.addIssue({ code: 'custom', path: [key], message: 'must be a list of names of tools' });
    return z.NEVER;
  }
  for (const [name, part] of Object.entries({ client_header_forwarding, oauth })) {
    if (part !== undefined && (typeof part !== 'object' || part === null))
      context.addIssue({ code: 'custom', path: [name], message: 'must be an object' });
  }
  const tools = entry['tools'] ?? ['*'];
  const refused = disabled.data.map((tool) => `!${tool}`);
  return {
    ...entry,
    type: httpTypes.includes(type) ? 'http' : type,
    ...(refused.length > 0 && { tools: Array.isArray(tools) ? [...tools, ...refused] : tools }),
  };
}, serverDefinition);

const grantsInFile = z
  .union([
    z.array(serverIdInFile).transform((ids) => Object.fromEntries(ids.map((id) => [id, ['*']]))),
    z.record(serverIdInFile, toolPatterns),
  ])
  .describe('Servers that this grants: a list of ids, or ids with tool patterns (`get_*`, `!delete_*`).');

const groupInFile = z.strictObject({
  displayName: z.string().max(200).optional().describe('Name for people.'),
  admin: z.boolean().default(false).describe('Members see every enabled server and may use the admin API.'),
  tenant: tenantId.optional().describe('Tenant that its members belong to.'),
  externalIds: z
    .array(z.string().min(1).max(200))
    .default([])
    .describe('Ids by which an identity provider names it, such as an Entra object id or a Keycloak path.'),
  servers: grantsInFile.default({}),
  /** No default: it would make every group's entry another one than the last applied. */
  toolOverrides: groupToolOverrides
    .optional()
    .describe('Other names, titles and descriptions of tools for its members, by server and tool.'),
});

const tenantInFile = z.strictObject({
  displayName: z.string().max(200).optional().describe('Name for people.'),
  emailDomains: z.array(domain).default([]).describe('Domains of its people’s addresses.'),
  enabled: z.boolean().default(true).describe('Whether anybody may act for it.'),
  endpoints: z
    .record(serverIdInFile, serverUrl)
    .default({})
    .describe('Servers that answer somewhere else for this tenant.'),
  /** No default: it would make every tenant's entry another one than the last applied. */
  variables: z
    .record(serverOrEveryInFile, variableValues)
    .optional()
    .describe('What `${variable:NAME}` stands for, by server; `*` holds for every server.'),
});

const userInFile = z.strictObject({
  displayName: z.string().max(200).optional().describe('Name for people.'),
  groups: z.array(groupName).default([]).describe('Groups that this user is in.'),
  servers: grantsInFile.default({}),
  defaultTenant: tenantId.optional().describe('Tenant to act for when a request names none.'),
  /** Left out: as it is, so that no edit of the entry lets a person in again whom an admin has disabled. */
  disabled: z.boolean().optional().describe('Whether this user is locked out. Left out: stays as it is.'),
  localToken: z
    .boolean()
    .default(false)
    .describe(
      'Make a token for this person at start, keep it in the data directory and print it. Loopback only.',
    ),
});

/** The parts of `mcp-servers.json` that this feature owns; `config.ts` adds the rest. */
export const accessFile = z.strictObject({
  mcpServers: z.record(serverIdInFile, serverInFile).default({}).describe('The tool servers, by id.'),
  groups: z.record(groupName, groupInFile).default({}).describe('Who may use what, by name of the group.'),
  tenants: z.record(tenantId, tenantInFile).default({}).describe('Companies or departments, by id.'),
  users: z
    .record(memberId, userInFile)
    .default({})
    .describe('People (`alice@acme.com`), domains (`*@acme.com`) and programs (`service:name`).'),
});
export type AccessFile = z.infer<typeof accessFile>;

// ---- Deciding ---------------------------------------------------------------------------------------

/** Who is calling, once it has been proved. */
export interface Principal {
  readonly kind: 'user' | 'service';
  /** Lower-case e-mail, or `service:<name>`. */
  readonly id: string;
  /** Toolgate groups asserted by the credential itself (a mapped `groups` claim), beside the stored ones. */
  readonly assertedGroups: readonly string[];
  /** `oidc:<issuer name>` when the credential replaces the stored memberships of that source. */
  readonly assertedBy: string | null;
  /** The tenant that the credential is bound to. */
  readonly tokenTenant: TenantId | null;
  /** How it proved itself: `api-token`, `connection-key`, `oidc:<name>`, … */
  readonly authSource: string;
  /** Names the credential in records and limits; never the secret. */
  readonly credentialId: string;
  /**
   * Set by a URL that is about one group: only what this group grants counts, and only for its members and admins.
   * It never adds anything.
   */
  readonly onlyGroup?: string;
}

/**
 * One question to `can()`. With neither `tool` nor `whole`: may the server be seen at all. `whole` asks for
 * what has no tool name (resources, prompts, completion): it comes with a grant of all tools (`*`, whatever
 * is refused beside it), because a grant of a few tools says nothing about the rest of the server.
 */
export interface AccessQuestion {
  readonly server: string;
  readonly tool?: string;
  readonly whole?: true;
}

export type DenyReason =
  | 'user_disabled'
  | 'server_unknown'
  | 'server_disabled'
  | 'tool_off_for_everyone'
  | 'tool_not_granted'
  | 'whole_server_not_granted'
  | 'server_not_granted';

export type Decision =
  | { readonly allow: true; readonly via: readonly string[] }
  | { readonly allow: false; readonly reason: DenyReason };

export const explanation = z.object({ allowed: z.boolean(), reasons: z.array(z.string()) });
export type Explanation = z.infer<typeof explanation>;

// ---- Admin API --------------------------------------------------------------------------------------

const byEmail = z.object({ email: memberId });
const byGroup = z.object({ name: groupName });
const byServer = z.object({ id: serverId });
const byTenant = z.object({ id: tenantId });
const byTenantAndServers = z.object({
  id: tenantId,
  server: z.union([z.literal(everyServer), serverId]),
});
const ok = z.object({ ok: z.literal(true) });

export const api = {
  listUsers: endpoint({
    method: 'GET',
    path: '/users',
    tag: 'Users',
    summary: 'Users, by e-mail',
    query: pageQuery.extend({ group: groupName.optional(), disabled: z.stringbool().optional() }),
    output: page(userView),
  }),
  createUser: endpoint({
    method: 'POST',
    path: '/users',
    tag: 'Users',
    summary: 'Add a user before first sign-in',
    body: userInput,
    output: userView,
    status: 201,
  }),
  getUser: endpoint({
    method: 'GET',
    path: '/users/{email}',
    tag: 'Users',
    summary: 'One user',
    params: byEmail,
    output: userView,
  }),
  patchUser: endpoint({
    method: 'PATCH',
    path: '/users/{email}',
    tag: 'Users',
    summary: 'Change, disable or enable a user',
    params: byEmail,
    body: userPatch,
    output: userView,
  }),
  addToGroup: endpoint({
    method: 'PUT',
    path: '/users/{email}/groups/{group}',
    tag: 'Users',
    summary: 'Put a user into a group',
    params: z.object({ email: memberId, group: groupName }),
    output: ok,
  }),
  removeFromGroup: endpoint({
    method: 'DELETE',
    path: '/users/{email}/groups/{group}',
    tag: 'Users',
    summary: 'Take a user out of a group',
    params: z.object({ email: memberId, group: groupName }),
    status: 204,
  }),
  grantToUser: endpoint({
    method: 'PUT',
    path: '/users/{email}/servers/{server}',
    tag: 'Users',
    summary: 'Grant one user a server',
    params: z.object({ email: memberId, server: serverId }),
    body: z.strictObject({ tools: toolPatterns.default(['*']) }).default({ tools: ['*'] }),
    output: ok,
  }),
  revokeFromUser: endpoint({
    method: 'DELETE',
    path: '/users/{email}/servers/{server}',
    tag: 'Users',
    summary: 'Take back a grant of one user',
    params: z.object({ email: memberId, server: serverId }),
    status: 204,
  }),
  listGroups: endpoint({
    method: 'GET',
    path: '/groups',
    tag: 'Groups',
    summary: 'Groups, by name',
    query: pageQuery,
    output: page(groupView),
  }),
  createGroup: endpoint({
    method: 'POST',
    path: '/groups',
    tag: 'Groups',
    summary: 'Add a group',
    body: groupInput,
    output: groupView,
    status: 201,
  }),
  getGroup: endpoint({
    method: 'GET',
    path: '/groups/{name}',
    tag: 'Groups',
    summary: 'One group',
    params: byGroup,
    output: groupView,
  }),
  patchGroup: endpoint({
    method: 'PATCH',
    path: '/groups/{name}',
    tag: 'Groups',
    summary: 'Change a group',
    params: byGroup,
    body: groupPatch,
    output: groupView,
  }),
  deleteGroup: endpoint({
    method: 'DELETE',
    path: '/groups/{name}',
    tag: 'Groups',
    summary: 'Remove a group with its grants and memberships',
    params: byGroup,
    status: 204,
  }),
  grantToGroup: endpoint({
    method: 'PUT',
    path: '/groups/{name}/servers/{server}',
    tag: 'Groups',
    summary: 'Grant a group a server, whole or by tool patterns',
    params: z.object({ name: groupName, server: serverId }),
    body: z.strictObject({ tools: toolPatterns.default(['*']) }).default({ tools: ['*'] }),
    output: ok,
  }),
  revokeFromGroup: endpoint({
    method: 'DELETE',
    path: '/groups/{name}/servers/{server}',
    tag: 'Groups',
    summary: 'Take back a grant of a group',
    params: z.object({ name: groupName, server: serverId }),
    status: 204,
  }),
  listServers: endpoint({
    method: 'GET',
    path: '/servers',
    tag: 'Servers',
    summary: 'Servers, by id',
    query: pageQuery,
    output: page(serverView),
  }),
  createServer: endpoint({
    method: 'POST',
    path: '/servers',
    tag: 'Servers',
    summary: 'Add a remote server',
    body: serverInput,
    output: serverView,
    status: 201,
  }),
  getServer: endpoint({
    method: 'GET',
    path: '/servers/{id}',
    tag: 'Servers',
    summary: 'One server',
    params: byServer,
    output: serverView,
  }),
  patchServer: endpoint({
    method: 'PATCH',
    path: '/servers/{id}',
    tag: 'Servers',
    summary: 'Change, enable or disable a server',
    params: byServer,
    body: serverPatch,
    output: serverView,
  }),
  deleteServer: endpoint({
    method: 'DELETE',
    path: '/servers/{id}',
    tag: 'Servers',
    summary: 'Remove a server with its grants and keys',
    params: byServer,
    status: 204,
  }),
  listTenants: endpoint({
    method: 'GET',
    path: '/tenants',
    tag: 'Tenants',
    summary: 'Tenants, by id',
    query: pageQuery,
    output: page(tenantView),
  }),
  createTenant: endpoint({
    method: 'POST',
    path: '/tenants',
    tag: 'Tenants',
    summary: 'Add a tenant',
    body: tenantInput,
    output: tenantView,
    status: 201,
  }),
  getTenant: endpoint({
    method: 'GET',
    path: '/tenants/{id}',
    tag: 'Tenants',
    summary: 'One tenant',
    params: byTenant,
    output: tenantView,
  }),
  patchTenant: endpoint({
    method: 'PATCH',
    path: '/tenants/{id}',
    tag: 'Tenants',
    summary: 'Change a tenant',
    params: byTenant,
    body: tenantPatch,
    output: tenantView,
  }),
  deleteTenant: endpoint({
    method: 'DELETE',
    path: '/tenants/{id}',
    tag: 'Tenants',
    summary: 'Remove a tenant with its keys and endpoints',
    params: byTenant,
    status: 204,
  }),
  putEndpoint: endpoint({
    method: 'PUT',
    path: '/tenants/{id}/endpoints/{server}',
    tag: 'Tenants',
    summary: 'Route a server to another URL for one tenant',
    params: z.object({ id: tenantId, server: serverId }),
    body: z.strictObject({ url: serverUrl }),
    output: ok,
  }),
  deleteEndpoint: endpoint({
    method: 'DELETE',
    path: '/tenants/{id}/endpoints/{server}',
    tag: 'Tenants',
    summary: 'Back to the server’s own URL',
    params: z.object({ id: tenantId, server: serverId }),
    status: 204,
  }),
  getVariables: endpoint({
    method: 'GET',
    path: '/tenants/{id}/variables/{server}',
    tag: 'Tenants',
    summary: 'A tenant’s variables for a server, or for every server (`*`)',
    params: byTenantAndServers,
    output: z.object({ values: z.record(z.string(), z.string()) }),
  }),
  putVariables: endpoint({
    method: 'PUT',
    path: '/tenants/{id}/variables/{server}',
    tag: 'Tenants',
    summary: 'Set a tenant’s variables for a server, or for every server (`*`): these and no others',
    params: byTenantAndServers,
    body: z.strictObject({ values: variableValues }),
    output: ok,
  }),
  deleteVariables: endpoint({
    method: 'DELETE',
    path: '/tenants/{id}/variables/{server}',
    tag: 'Tenants',
    summary: 'Remove a tenant’s variables for a server, or for every server (`*`)',
    params: byTenantAndServers,
    status: 204,
  }),
  explain: endpoint({
    method: 'GET',
    path: '/explain',
    tag: 'Access',
    summary: 'Why somebody may or may not use a server or a tool',
    query: z.object({
      user: memberId,
      server: z.string().max(100),
      tool: z.string().max(200).optional(),
      tenant: z.string().max(100).optional(),
    }),
    output: explanation,
  }),
};
