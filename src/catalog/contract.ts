// Wire shapes of the catalog and of the definitions of tools. A schema file: longer than most, on purpose.
import { z } from 'zod';
import { groupName, serverId, serverView, tenantId } from '../access/contract.ts';
import { endpoint, page, pageQuery } from '../platform/contract.ts';

// ---- Entries: what a server needs before it can be used ---------------------------------------------

/** How a server is signed in to. A key in a header is `bearer` or `api-key`; user and password are `basic`. */
export const authKind = z.enum(['none', 'oauth', 'bearer', 'api-key', 'basic']);
export type AuthKind = z.infer<typeof authKind>;

export const transportType = z.enum(['streamable-http', 'sse', 'stdio']);

/** What runs a server that is a process. `binary`: a program that is installed on the machine. */
export const runtime = z.enum(['npx', 'uvx', 'docker', 'binary']);
export type Runtime = z.infer<typeof runtime>;

const slug = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'must be 1 to 40 characters of a-z, 0-9 and "-"');

/** Text of an entry. No `${…}`: what an entry asks for it asks for by a field, and nothing else is ever filled in. */
const text = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the point
    .regex(/^[^\u0000-\u001f\u007f]*$/, 'must not hold line breaks or control characters')
    .refine((value) => !value.includes('${'), 'must not hold "${"; ask for the value with a field: "{name}"');

const fieldName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/, 'must be a name such as api_key');

/**
 * `path`: a relative path in the data directory of the server's process. `host`: a host name, with or without port.
 * `basic`: `user:password`, which is encoded when it is sent.
 */
export const fieldFormat = z.enum(['text', 'host', 'path', 'basic']);

const askedFor = {
  name: fieldName.describe('Name of the field.'),
  description: text(300).describe('What to fill in.'),
  secret: z.boolean().default(false).describe('A secret is sealed and never shown again.'),
  required: z.boolean().default(true),
  example: text(300).optional(),
  format: fieldFormat.exclude(['basic']).optional().describe('Default: text.'),
};

const variable = z.strictObject({
  ...askedFor,
  query: z
    .boolean()
    .default(false)
    .describe('Where the URL has no place for it: added to its query when it is filled in.'),
});

const forKinds = z
  .array(authKind)
  .min(1)
  .optional()
  .describe('Asked for, and then required, only with these kinds of signing in.');

const header = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be a header name'),
  description: text(300).describe('What to fill in.'),
  secret: z.boolean().default(true),
  required: z.boolean().default(true),
  example: text(300).optional(),
  valueTemplate: text(300)
    .optional()
    .describe(
      'The value around its field: `Bearer {token}`. Alternatives stand with ` | ` between them: `Basic {base64_login} | Bearer {token}`; a field that begins with `base64_` takes `user:password`. Default: the plain value.',
    ),
  for: forKinds,
});

const environmentVariable = z.strictObject({
  ...askedFor,
  name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'must be the name of an environment variable'),
  for: forKinds,
});

const kinds = z.array(authKind).min(1).default(['none']).describe('How one signs in to it this way.');
const wayId = slug.optional().describe('Names this way among those of the entry. Default: made of its kind.');
const note = text(300).optional();

const remoteWay = (type: 'streamable-http' | 'sse') =>
  z.strictObject({
    id: wayId,
    type: z.literal(type),
    url: text(1000).describe('Where it answers; `{name}` is filled in from `variables`.'),
    auth: kinds,
    variables: z.array(variable).max(20).default([]),
    note,
  });

const version = z
  .string()
  .regex(/^(sha256:[0-9a-f]{64}|[A-Za-z0-9][A-Za-z0-9.+_-]{0,127})$/, 'must be one exact version');

const stdioWay = z.strictObject({
  id: wayId,
  type: z.literal('stdio'),
  runtime,
  package: z
    .string()
    .regex(/^[A-Za-z0-9@/][A-Za-z0-9@/._:-]{0,199}$/, 'must be the name of a package, an image or a program')
    .describe('npm or PyPI package, image, or program.'),
  version: version
    .optional()
    .describe('Absent: the newest one at the time of installing, kept from then on.'),
  integrity: z
    .string()
    .regex(/^(sha512-[A-Za-z0-9+/]{86}==|sha256:[0-9a-f]{64})$/, 'must be sha512-… (npm) or sha256:…')
    .optional()
    .describe('What the registry says the version is made of; for an image its digest.'),
  bin: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/)
    .optional()
    .describe('Executable, where it is called otherwise than the package.'),
  args: z.array(text(1000)).max(50).default([]),
  serves: z
    .strictObject({
      transport: z.enum(['streamable-http', 'sse']),
      port: z.number().int().min(1).max(65535),
      path: z
        .string()
        .regex(/^\/[A-Za-z0-9/_.-]*$/)
        .default('/mcp'),
    })
    .optional()
    .describe('The container listens on HTTP: you run it, and the gate is told where it is.'),
  auth: kinds,
  variables: z.array(variable).max(20).default([]),
  note,
});

/** One way to reach a server. */
export const way = z.discriminatedUnion('type', [remoteWay('streamable-http'), remoteWay('sse'), stdioWay]);
export type Way = z.infer<typeof way>;

const oauthFacts = z.strictObject({
  dcr: z
    .union([z.boolean(), z.literal('unknown')])
    .default('unknown')
    .describe('Dynamic client registration (RFC 7591). Without it a client is registered by hand.'),
  gated: z
    .boolean()
    .default(false)
    .describe('Only clients, or callback hosts, that the vendor has admitted.'),
  cimd: z.boolean().default(false).describe('Takes client ID metadata documents.'),
  scopes: z.array(text(200)).max(50).optional().describe('Default: what the server asks for.'),
  note,
});

const entryShape = {
  id: slug.describe('Its id in the catalog.'),
  serverId: serverId.optional().describe('Id of a server that is made of it. Default: the id.'),
  name: text(100).describe('Name for people.'),
  description: text(500).describe('What it is good for.'),
  category: slug.default('other'),
  homepage: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
    .max(500)
    .optional(),
  maintainer: z.enum(['vendor', 'community', 'reference']).default('community'),
  tier: z.enum(['core', 'extended']).default('core'),
  deprecated: text(300).optional().describe('Why not to use it, one sentence.'),
  needs: z
    .array(z.enum(['files', 'browser', 'desktop', 'sign-in', 'any-address']))
    .default([])
    .describe(
      'What its process wants of the machine: files, a browser, a desktop app, somebody signed in to a command line there, or any address that it is told to read.',
    ),
  isolation: z
    .enum(['tenant', 'user', 'session'])
    .optional()
    .describe('Who may share one process of it. Default: whoever has the same key.'),
  openHandshake: z.boolean().default(false).describe('It greets callers without, or with a wrong, key.'),
  transports: z.array(way).min(1).max(12),
  auth: z
    .strictObject({
      kind: authKind.default('none').describe('The usual kind.'),
      headers: z.array(header).max(20).default([]),
      env: z.array(environmentVariable).max(40).default([]),
      oauth: oauthFacts.optional(),
    })
    .prefault({}),
  protocolNotes: text(500).optional(),
  confidence: z.enum(['verified', 'unverified']).default('verified'),
  authBasis: z.enum(['stated', 'inferred']).default('stated'),
  sourceRefs: z.array(text(300)).max(20).default([]),
};

/** A server that can be installed. */
export const catalogEntry = z.strictObject(entryShape).superRefine(refuseUnsoundEntry);
export type CatalogEntry = z.infer<typeof catalogEntry>;

/** The part of `mcp-servers.json` that this feature owns. */
export const catalogFile = z
  .array(
    z
      .strictObject({
        ...entryShape,
        replaces: z.boolean().default(false).describe('Stands in for the shipped entry of the same id.'),
      })
      .superRefine(refuseUnsoundEntry),
  )
  .max(500);
export type CatalogFile = z.infer<typeof catalogFile>;

/** The names in braces of a text, in their order. */
export function placeholdersOf(template: string): string[] {
  return [...template.matchAll(/\{([^{}]*)\}/g)].map(([, name = '']) => name);
}

/** The id of each way of an entry: its own, else made of its kind and its place among those of that kind. */
export function wayIds(entry: { readonly transports: readonly Way[] }): string[] {
  const seen = new Map<string, number>();
  return entry.transports.map((one) => {
    const kind = one.type === 'stdio' ? one.runtime : one.type.replace('streamable-', '');
    const place = (seen.get(kind) ?? 0) + 1;
    seen.set(kind, place);
    return one.id ?? (place === 1 ? kind : `${kind}-${place}`);
  });
}

interface Entry {
  readonly id: string;
  readonly serverId?: string | undefined;
  readonly needs: readonly string[];
  readonly transports: readonly Way[];
  readonly auth: {
    readonly headers: readonly z.infer<typeof header>[];
    readonly env: readonly z.infer<typeof environmentVariable>[];
    readonly oauth?: unknown;
  };
}

type Refuse = (path: readonly (string | number)[], message: string) => void;

function refuseUnsoundEntry(entry: Entry, context: z.RefinementCtx): void {
  const refuse: Refuse = (path, message) => context.addIssue({ code: 'custom', path: [...path], message });
  if (entry.serverId === undefined && !serverId.safeParse(entry.id).success)
    refuse(['id'], 'is too long for the id of a server; give a shorter one in "serverId"');
  const ids = wayIds(entry);
  for (const [at, id] of ids.entries())
    if (ids.indexOf(id) !== at) refuse(['transports', at, 'id'], `is the second way called "${id}"`);
  for (const [at, one] of entry.transports.entries())
    refuseUnsoundWay(entry, one, (path, message) => refuse(['transports', at, ...path], message));
  refuseUnsoundHeaders(entry, refuse);
}

function refuseUnsoundWay(entry: Entry, one: Way, refuse: Refuse): void {
  const names = one.variables.map(({ name }) => name);
  const others = (one.type === 'stdio' ? entry.auth.env : entry.auth.headers).map(({ name }) => name);
  for (const [at, name] of names.entries()) {
    if (name === 'tenant')
      refuse(['variables', at, 'name'], 'must not be "tenant", which is the active tenant');
    if (names.indexOf(name) !== at || others.includes(name))
      refuse(['variables', at, 'name'], `is the second field called "${name}"`);
  }
  const templates = one.type === 'stdio' ? one.args : [one.url];
  const used = templates.flatMap(placeholdersOf);
  for (const name of new Set(used))
    if (!names.includes(name)) refuse(['variables'], `has no "${name}", which is to be filled in`);
  for (const [at, { name, query, required }] of one.variables.entries()) {
    if (!query && !used.includes(name)) refuse(['variables', at], 'is filled in nowhere');
    if (query && (used.includes(name) || one.type === 'stdio'))
      refuse(['variables', at, 'query'], 'is for URLs that have no place for it');
    if (!query && !required)
      refuse(['variables', at, 'required'], 'must be true: its place would stay empty');
  }
  if (one.type === 'stdio') refuseUnsoundLaunch(one, refuse);
  else refuseUnsoundUrl(one, refuse);
  if (one.auth.includes('oauth') && one.type !== 'stdio' && entry.auth.oauth === undefined)
    refuse(['auth'], 'has "oauth", and the entry has no "auth.oauth"');
  refuseKeyless(entry, one, refuse);
}

function refuseUnsoundUrl(one: Exclude<Way, { type: 'stdio' }>, refuse: Refuse): void {
  const sample = URL.parse(one.url.replaceAll(/\{[^{}]*\}/g, 'x'));
  if (sample === null || !/^https?:$/.test(sample.protocol) || sample.username !== '' || sample.hash !== '')
    refuse(['url'], 'must be an http:// or https:// URL without user and fragment');
  const authority = /^[a-z]+:\/\/([^/?#]*)/.exec(one.url)?.[1] ?? '';
  for (const [at, { name, secret }] of one.variables.entries())
    if (secret && placeholdersOf(authority).includes(name))
      refuse(['variables', at, 'secret'], 'must be false: a host is no secret');
}

function refuseUnsoundLaunch(one: Extract<Way, { type: 'stdio' }>, refuse: Refuse): void {
  const shape = packageShapes[one.runtime];
  if (!shape.test(one.package)) refuse(['package'], `is no name that ${one.runtime} takes`);
  for (const [at, arg] of one.args.entries())
    if (placeholdersOf(arg).length > 1) refuse(['args', at], 'must have one field at most');
  if (one.version?.startsWith('sha256:') && one.runtime !== 'docker')
    refuse(['version'], 'must be a version: only images have digests');
  if (one.runtime === 'binary' && one.version !== undefined)
    refuse(['version'], 'must be left out: nobody fetches the program');
  if (one.bin !== undefined && one.runtime !== 'npx' && one.runtime !== 'uvx')
    refuse(['bin'], 'is for npm and PyPI packages');
  if (one.serves !== undefined && one.runtime !== 'docker') refuse(['serves'], 'is for containers');
}

/** What each runtime takes as a name, so that none can be an option or an address of its own. */
const packageShapes: Readonly<Record<Runtime, RegExp>> = {
  npx: /^(@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/,
  uvx: /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/,
  docker: /^[a-z0-9][a-z0-9.-]*(:[0-9]{1,5}(?=\/))?(\/[a-z0-9][a-z0-9._-]*)*$/,
  binary: /^\/?[A-Za-z0-9][A-Za-z0-9@/._-]*$/,
};

/** A kind that needs a key must have a field that takes one, unless the machine or a container has the key. */
function refuseKeyless(entry: Entry, one: Way, refuse: Refuse): void {
  const secrets = [...(one.type === 'stdio' ? entry.auth.env : entry.auth.headers), ...one.variables].filter(
    ({ secret }) => secret,
  );
  for (const kind of one.auth) {
    const takes = secrets.some(
      (field) => !('for' in field) || field.for === undefined || field.for.includes(kind),
    );
    const hasOwn = one.type === 'stdio' && (one.serves !== undefined || entry.needs.length > 0);
    if (kind !== 'none' && kind !== 'oauth' && !takes && !hasOwn)
      refuse(['auth'], `has "${kind}", and nothing takes the key`);
    const must = secrets.find((field) => field.required && (!('for' in field) || field.for === undefined));
    if (kind === 'none' && must) refuse(['auth'], `has "none", and ${must.name} is required`);
  }
}

function refuseUnsoundHeaders({ auth }: Entry, refuse: Refuse): void {
  for (const part of ['headers', 'env'] as const) {
    const names = auth[part].map(({ name }) => (part === 'headers' ? name.toLowerCase() : name));
    for (const [at, name] of names.entries())
      if (names.indexOf(name) !== at) refuse(['auth', part, at, 'name'], 'is there twice');
  }
  for (const [at, { valueTemplate }] of auth.headers.entries())
    for (const one of valueTemplate?.split(' | ') ?? [])
      if (placeholdersOf(one).length !== 1)
        refuse(['auth', 'headers', at, 'valueTemplate'], 'must have one field in each alternative');
}

// ---- What the admin API shows of it -----------------------------------------------------------------

/** Where a value ends up. */
const destination = z.object({
  kind: z.enum(['url', 'query', 'header', 'env', 'argument', 'account']),
  name: z.string(),
});

/** How the value is kept: sealed under a name, as a variable, or with the client that users sign in with. */
const keptAs = z.object({ kind: z.enum(['credential', 'variable', 'client']), name: z.string() });

export const catalogField = z.object({
  name: z.string(),
  label: z.string(),
  help: z.string(),
  secret: z.boolean(),
  required: z.boolean(),
  format: fieldFormat,
  example: z.string().nullable(),
  goesTo: destination,
  keptAs,
});
export type CatalogField = z.infer<typeof catalogField>;

/** How sure it is what runs: `verified` with the entry, `at-install`, given by an administrator, or not at all. */
export const pinned = z.enum(['verified', 'at-install', 'given', 'not-pinned']);

/** One way to reach a server together with one way to sign in: what `try` and `install` fill in. */
export const catalogForm = z.object({
  transport: z.string(),
  type: transportType,
  runtime: runtime.nullable(),
  auth: authKind,
  /** The URL, or the command line; fields in braces. */
  reaches: z.string(),
  version: z.string().nullable(),
  /** Null for a URL. */
  pinned: pinned.nullable(),
  note: z.string().nullable(),
  fields: z.array(catalogField),
  /** At least one of these fields has to be filled in. */
  oneOf: z.array(z.string()),
  warnings: z.array(z.string()),
});

const item = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  category: z.string(),
  homepage: z.string().nullable(),
  maintainer: z.string(),
  tier: z.string(),
  confidence: z.string(),
  deprecated: z.string().nullable(),
  /** From the config file of this installation. */
  isPrivate: z.boolean(),
  transports: z.array(transportType),
  runtimes: z.array(runtime),
  /** The usual kind first. */
  auth: z.array(authKind),
  /** Servers that were installed from it. */
  installedAs: z.array(serverId),
});

export const catalogDetails = item.extend({
  /** The id that a server gets when no other is given. */
  serverId,
  /** How to get access, one sentence each. */
  howTo: z.array(z.string()),
  warnings: z.array(z.string()),
  audit: z.object({
    dcr: z.union([z.boolean(), z.literal('unknown')]).nullable(),
    gated: z.boolean(),
    cimd: z.boolean(),
    openHandshake: z.boolean(),
    notes: z.string(),
    authBasis: z.string(),
    sourceRefs: z.array(z.string()),
  }),
  forms: z.array(catalogForm),
  installed: z.array(serverView),
});

const some = (what: z.ZodType<string>) => what.optional();
export const catalogQuery = pageQuery.extend({
  category: some(slug),
  auth: some(authKind),
  transport: some(transportType),
  runtime: some(runtime),
  tier: some(entryShape.tier.unwrap()),
  maintainer: some(entryShape.maintainer.unwrap()),
  installed: z.stringbool().optional(),
});
export type CatalogQuery = z.infer<typeof catalogQuery>;

const counts = z.array(z.object({ value: z.string(), count: z.number().int() }));

const filledIn = {
  transport: slug.describe('Id of a way, as in `forms`.'),
  auth: authKind.optional().describe('Default: the first that this way has.'),
  values: z
    .record(z.string().max(64), z.string().min(1).max(20_000))
    .refine((values) => Object.keys(values).length <= 60, 'must have at most 60 entries')
    .default({})
    .describe('By the name of the field.'),
  version: version.optional().describe('Instead of the one that the catalog or the registry names.'),
};

const sharedOrTenant = z.union([z.literal('shared'), z.strictObject({ tenant: tenantId })]);

export const tryInput = z.strictObject(filledIn);

export const installInput = z.strictObject({
  ...filledIn,
  as: serverId.optional().describe('Id of the server. Default: that of the entry.'),
  for: sharedOrTenant.default('shared').describe('Whose values these are.'),
  groups: z.array(groupName).max(100).default([]).describe('They may use it, every tool of it.'),
  enabled: z.boolean().default(true),
  displayName: z.string().min(1).max(100).optional(),
  replace: z
    .boolean()
    .default(false)
    .describe('A server of that id that came from this entry is made anew, with its grants and keys kept.'),
});
export type InstallInput = z.infer<typeof installInput>;

/** What was found out, in the order of the way there. `ok` null: not looked at. */
const tryStep = z.object({
  step: z.enum(['version', 'address', 'connection', 'sign-in', 'protocol', 'tools']),
  ok: z.boolean().nullable(),
  message: z.string(),
});
export type TryStep = z.infer<typeof tryStep>;

export const tryResult = z.object({
  ok: z.boolean(),
  /** One sentence: what works, or what does not. */
  message: z.string(),
  steps: z.array(tryStep),
  era: z.enum(['modern', 'legacy']).nullable(),
  protocolVersion: z.string().nullable(),
  /** What the server calls itself. */
  name: z.string().nullable(),
  tools: z.number().int().nullable(),
  milliseconds: z.number(),
});

export const installResult = z.object({
  server: serverView,
  /** False: it was there, and only got further values and grants. */
  created: z.boolean(),
  /** Names of what was stored; values are never shown. */
  credentials: z.array(z.string()),
  variables: z.array(z.string()),
  groups: z.array(z.string()),
  /** What is left to do, one sentence each. */
  next: z.array(z.string()),
});

const byEntry = z.object({ id: slug });

// ---- Definitions of tools ---------------------------------------------------------------------------

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
  listCatalog: endpoint({
    method: 'GET',
    path: '/catalog',
    tag: 'Catalog',
    summary: 'Servers that can be installed: what fits a search best first, else by name',
    query: catalogQuery,
    output: page(item),
  }),
  countCatalog: endpoint({
    method: 'GET',
    path: '/catalog/categories',
    tag: 'Catalog',
    summary: 'What the catalog can be filtered by, with counts',
    output: z.object({
      categories: counts,
      auth: counts,
      transports: counts,
      runtimes: counts,
      tiers: counts,
      maintainers: counts,
      total: z.number().int(),
    }),
  }),
  getCatalogEntry: endpoint({
    method: 'GET',
    path: '/catalog/{id}',
    tag: 'Catalog',
    summary: 'One entry: what it asks for, what is known of it, what was installed from it',
    params: byEntry,
    output: catalogDetails,
  }),
  tryCatalogEntry: endpoint({
    method: 'POST',
    path: '/catalog/{id}/try',
    tag: 'Catalog',
    summary: 'Connect with these values and say how it went; nothing is kept',
    params: byEntry,
    body: tryInput,
    output: tryResult,
  }),
  installCatalogEntry: endpoint({
    method: 'POST',
    path: '/catalog/{id}/install',
    tag: 'Catalog',
    summary: 'Make a server of an entry, or give one that is there the values of another tenant',
    params: byEntry,
    body: installInput,
    output: installResult,
    status: 201,
  }),
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
