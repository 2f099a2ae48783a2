// Each schema of what is recorded: requests, changes, the chain, what is sent elsewhere, and the endpoints.
import { z } from 'zod';
import { endpoint, page, pageQuery } from '../platform/contract.ts';

/** How a request through the gate ended. */
export const outcome = z.enum([
  'ok',
  'tool_error',
  'denied',
  'unauthenticated',
  'rate_limited',
  'no_credential',
  'upstream_error',
  'timeout',
  'cancelled',
  'bad_request',
  'error',
]);
export type Outcome = z.infer<typeof outcome>;

/** One request through the gate, as the data plane hands it over. */
export interface CallRecord {
  /** UUID; a record written twice is stored once. */
  readonly id: string;
  readonly at: number;
  readonly requestId: string;
  readonly principal: string | null;
  readonly authSource: string | null;
  readonly tenant: string | null;
  readonly face: string;
  readonly httpMethod: string;
  /** Path template, never the raw path: `/mcp/{server}`. */
  readonly endpoint: string;
  readonly rpcMethod: string | null;
  readonly server: string | null;
  readonly tool: string | null;
  readonly outcome: Outcome;
  /** Why it was refused or failed: a stable code. */
  readonly reason: string | null;
  /** Why a credential was refused, in the words of the log; not kept in the record. */
  readonly refusal?: string | undefined;
  readonly status: number;
  readonly milliseconds: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly userAgent: string | null;
  readonly clientIp: string | null;
  /** Id of the stored credential that was used; never its value. */
  readonly credentialId: string | null;
  /** Call arguments as JSON text, only where the server records them. */
  readonly arguments: string | null;
}

/** One admin or security event. */
export interface AuditEntry {
  readonly actor: string;
  /** Noun and verb: `group.create`, `token.revoke`. */
  readonly action: string;
  readonly targetKind: string;
  readonly targetId: string;
  readonly tenant?: string | null;
  /** Never holds secret values. */
  readonly before?: unknown;
  readonly after?: unknown;
  readonly requestId?: string | null;
  readonly clientIp?: string | null;
}

export const auditView = z.object({
  id: z.string(),
  timestamp: z.iso.datetime(),
  actor: z.string(),
  action: z.string(),
  targetKind: z.string(),
  targetId: z.string(),
  tenant: z.string().nullable(),
  before: z.unknown(),
  after: z.unknown(),
  requestId: z.string().nullable(),
  clientIp: z.string().nullable(),
});

export const callView = z.object({
  id: z.string(),
  timestamp: z.iso.datetime(),
  requestId: z.string(),
  user: z.string().nullable(),
  authSource: z.string().nullable(),
  tenant: z.string().nullable(),
  face: z.string(),
  method: z.string(),
  endpoint: z.string(),
  rpcMethod: z.string().nullable(),
  server: z.string().nullable(),
  tool: z.string().nullable(),
  outcome,
  reason: z.string().nullable(),
  statusCode: z.number(),
  responseTimeMs: z.number(),
  bytesIn: z.number(),
  bytesOut: z.number(),
  userAgent: z.string().nullable(),
  clientIp: z.string().nullable(),
  credentialId: z.string().nullable(),
  arguments: z.unknown(),
});

const span = {
  from: z.iso.datetime({ offset: true }).optional(),
  to: z.iso.datetime({ offset: true }).optional(),
};

/** The head of the chain at some time, as it was kept elsewhere. What is missing is told of as a wrong signature. */
export const anchorPoint = z.object({
  kind: z.string().max(40).default(''),
  time: z.string().max(40).default(''),
  seq: z.number().int().min(1),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** Which key it is signed with: the first 16 digits of the SHA-256 of its SPKI form. */
  key: z.string().max(40).default(''),
  /** Ed25519 in base64, over the line without this member. */
  signature: z.string().max(200).default(''),
});
export type AnchorPoint = z.infer<typeof anchorPoint>;

/** A file of anchors, one a line, with the numbers of the lines that are none. */
export const anchorsText = z.string().transform((text) => {
  const lines = text.split('\n').map((line, at) => ({ number: at + 1, line: line.trim() }));
  const read = lines
    .filter(({ line }) => line !== '')
    .map(({ number, line }) => ({ number, ...anchorIn(line) }));
  return {
    anchors: read.flatMap(({ data }) => (data === undefined ? [] : [data])),
    unreadable: read.flatMap(({ number, data }) => (data === undefined ? [number] : [])),
  };
});

function anchorIn(line: string): { data?: AnchorPoint | undefined } {
  try {
    return anchorPoint.safeParse(JSON.parse(line));
  } catch {
    return {};
  }
}

/** As many anchors as fit into one request. */
export const mostAnchors = 2_000;

export const verification = z.object({
  ok: z.boolean(),
  /** Records that were found in order. */
  records: z.number(),
  /** Of those, records that an erasure took something out of. */
  erased: z.number(),
  /** Of those, records of which an erasure wrote nothing down, so that only a later record says what it left. */
  unproved: z.number(),
  /** The last place that is in order; null when there is none. */
  head: z.object({ seq: z.number(), hash: z.string() }).nullable(),
  /** The first thing that is wrong. */
  problem: z
    .object({
      kind: z.enum([
        'changed',
        'missing',
        'reordered',
        'unchained',
        'erasures_unknown',
        'anchor',
        'anchor_file',
        'anchor_key',
        'anchor_signature',
      ]),
      seq: z.number().nullable(),
      /** Id of the record. */
      record: z.string().nullable(),
      message: z.string(),
    })
    .nullable(),
  /** How many anchors it was compared with. */
  anchors: z.number(),
});
export type Verification = z.infer<typeof verification>;

/** What is said of it to whoever asked for it at a terminal. */
export const verificationText = verification
  .extend({ unreadable: z.array(z.number()) })
  .transform(({ ok, records, erased, unproved, head, problem, anchors, unreadable }) => {
    const gone = erased === 0 ? '' : `, of ${erased} of them something was erased`;
    const torn = `What is in these lines of the file of anchors is no anchor: ${unreadable.slice(0, 20).join(', ')}.`;
    const said = [
      `${records} records are in order${gone}.`,
      ...(unproved > 0 ? [unprovedText(unproved)] : []),
      ...(head ? [`Place ${head.seq} has the hash ${head.hash}.`] : []),
      ...(ok && anchors > 0 ? [`${anchors} anchors agree.`] : []),
    ];
    const complaints = [...(problem ? [problem.message] : []), ...(unreadable.length > 0 ? [torn] : [])];
    return { said: said.map((line) => `${line}\n`).join(''), complaints };
  });

function unprovedText(records: number): string {
  return `Of ${records} of these, a version before erased it, which did not write down what it left: changes of that between the erasure and the upgrade cannot be shown, later ones are.`;
}

const chainHead = z.object({
  head: z.object({ seq: z.number(), hash: z.string() }).nullable(),
  /** Ed25519 key that anchors are signed with, SPKI in base64. */
  key: z.string(),
});

const auditFilter = {
  search: z.string().max(200).optional(),
  actor: z.string().optional(),
  action: z.string().optional(),
  target: z.string().optional(),
  ...span,
};
const callFilter = {
  search: z.string().max(200).optional(),
  user: z.string().optional(),
  tenant: z.string().optional(),
  server: z.string().optional(),
  tool: z.string().optional(),
  outcome: outcome.optional(),
  requestId: z.string().optional(),
  ...span,
};
const format = z.enum(['jsonl', 'csv']).default('jsonl');

const summaryLine = z.object({
  /** The hour or day, or the name that it was asked by; empty where there is none, `*` for names beyond the most used. */
  key: z.string(),
  requests: z.number(),
  /** By no fault of the caller: upstream_error, timeout, error. */
  failed: z.number(),
  /** Of those that Toolgate itself did not let through. */
  refused: z.number(),
  averageMs: z.number(),
  /** 95 of 100 took at most this; null for longer than is counted. */
  p95Ms: z.number().nullable(),
  bytesIn: z.number(),
  bytesOut: z.number(),
});

const personParams = z.object({ email: z.string().trim().toLowerCase().min(3).max(320) });

/** `analytics` of the config file. */
export const analyticsFile = z.strictObject({
  retainDays: z
    .number()
    .int()
    .min(1)
    .max(3_650)
    .default(90)
    .describe('Days that records of requests are kept; the counts for charts stay for two years.'),
});

const pushedCalls = z
  .enum(['none', 'refused', 'all'])
  .default('none')
  .describe('Which records of requests are sent besides those of changes.');
const pushName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,23}$/, 'must be lower-case letters, digits and dashes')
  .describe('How far it has come is kept under this name.');

/** `audit` of the config file. */
export const auditFile = z.strictObject({
  anchor: z
    .strictObject({
      everyMinutes: z
        .number()
        .int()
        .min(1)
        .max(10_080)
        .default(15)
        .describe('How often, when something was recorded.'),
      file: z
        .string()
        .min(1)
        .optional()
        .describe('A file that lines are added to; best on storage that cannot be rewritten.'),
      url: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('Where each line is posted to.'),
      secret: z
        .string()
        .min(16)
        .optional()
        .describe(
          'Key of the HMAC-SHA256 in the header `X-Toolgate-Signature` of each post; write `${env:NAME}`.',
        ),
    })
    .refine((it) => it.file !== undefined || it.url !== undefined, 'needs `file` or `url`')
    .optional()
    .describe('Where the head of the chain is kept, out of reach of whoever may write the database.'),
  push: z
    .array(
      z.discriminatedUnion('kind', [
        z.strictObject({
          kind: z.literal('http'),
          name: pushName,
          url: z.url({ protocol: /^https?$/ }).describe('Gets POSTs of JSON lines.'),
          bearer: z
            .string()
            .min(1)
            .optional()
            .describe('Sent as `Authorization: Bearer`; write `${env:NAME}`.'),
          calls: pushedCalls,
        }),
        z.strictObject({
          kind: z.literal('syslog'),
          name: pushName,
          address: z
            .string()
            .regex(
              /^(tls|tcp|udp):\/\/[^/\s:[\]]+(:\d{1,5})?$|^(tls|tcp|udp):\/\/\[[0-9a-f:]+\](:\d{1,5})?$/i,
              'must look like tls://host:6514',
            )
            .describe(
              '`tls://`, `tcp://` or `udp://`, host and port. UDP may lose messages, and nobody is told.',
            ),
          caFile: z
            .string()
            .optional()
            .describe('Certificates that a `tls://` receiver is trusted by, instead of the usual ones.'),
          calls: pushedCalls,
        }),
      ]),
    )
    .max(10)
    .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, 'names must differ')
    .default([])
    .describe('Systems that records are sent to, each at least once and in order.'),
});
export type AuditFile = z.infer<typeof auditFile>;
export type PushTarget = AuditFile['push'][number];

export const api = {
  listAudit: endpoint({
    method: 'GET',
    path: '/audit',
    tag: 'Records',
    summary: 'Admin and security events, newest first',
    query: pageQuery.extend(auditFilter),
    output: page(auditView),
  }),
  listAnalytics: endpoint({
    method: 'GET',
    path: '/analytics',
    tag: 'Records',
    summary: 'Requests through the gate, newest first',
    query: pageQuery.extend(callFilter),
    output: page(callView),
  }),
  exportAudit: endpoint({
    method: 'GET',
    path: '/audit/export',
    tag: 'Records',
    summary: 'Admin and security events with their places in the chain, oldest first, as JSON lines or CSV',
    query: z.object({ format, ...auditFilter }),
    output: z.unknown(),
  }),
  exportAnalytics: endpoint({
    method: 'GET',
    path: '/analytics/export',
    tag: 'Records',
    summary: 'Requests through the gate, oldest first, as JSON lines or CSV',
    query: z.object({ format, ...callFilter }),
    output: z.unknown(),
  }),
  summary: endpoint({
    method: 'GET',
    path: '/analytics/summary',
    tag: 'Records',
    summary: 'Requests counted by time or by name, from the counts of hours and days',
    query: z.object({
      from: z.iso.datetime({ offset: true }),
      to: z.iso.datetime({ offset: true }),
      by: z.enum(['hour', 'day', 'tenant', 'server', 'tool', 'face', 'outcome', 'user']).default('day'),
      tenant: z.string().optional(),
      server: z.string().optional(),
      limit: z.coerce.number().int().min(1).max(1_000).default(100),
    }),
    output: z.object({ items: z.array(summaryLine) }),
  }),
  auditHead: endpoint({
    method: 'GET',
    path: '/audit/head',
    tag: 'Records',
    summary: 'The last place of the chain of changes, and the key that anchors are signed with',
    output: chainHead,
  }),
  verifyAudit: endpoint({
    method: 'POST',
    path: '/audit/verify',
    tag: 'Records',
    summary:
      'Compute the chain of changes again and tell the first record that was changed, removed or reordered',
    body: z
      .strictObject({
        anchors: z.array(anchorPoint).max(mostAnchors).default([]),
        /** Keys of anchors besides the one in force: SPKI in base64. */
        keys: z.array(z.base64().max(200)).max(20).default([]),
        /** The chain itself was verified before, and these are further anchors. */
        anchorsOnly: z.boolean().default(false),
      })
      .prefault({}),
    output: verification,
  }),
  personalData: endpoint({
    method: 'GET',
    path: '/users/{email}/personal-data',
    tag: 'Records',
    summary: 'Everything that is stored of a person, secrets excepted, as JSON',
    params: personParams,
    output: z.unknown(),
  }),
  erasePerson: endpoint({
    method: 'POST',
    path: '/users/{email}/erase',
    tag: 'Records',
    summary: 'Delete the account and keys of a person and put a pseudonym into the records; can be run again',
    params: personParams,
    output: z.object({
      /** Null where nothing was found, so that nothing was done. */
      pseudonym: z.string().nullable(),
      /** Rows that were deleted or changed, by table. */
      tables: z.record(z.string(), z.number()),
      /** Where the person is still named, for somebody to take it out. */
      remains: z.array(z.string()),
    }),
  }),
};
