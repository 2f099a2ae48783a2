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

export const api = {
  listAudit: endpoint({
    method: 'GET',
    path: '/audit',
    tag: 'Records',
    summary: 'Admin and security events, newest first',
    query: pageQuery.extend({
      actor: z.string().optional(),
      action: z.string().optional(),
      target: z.string().optional(),
      ...span,
    }),
    output: page(auditView),
  }),
  listAnalytics: endpoint({
    method: 'GET',
    path: '/analytics',
    tag: 'Records',
    summary: 'Requests through the gate, newest first',
    query: pageQuery.extend({
      user: z.string().optional(),
      tenant: z.string().optional(),
      server: z.string().optional(),
      tool: z.string().optional(),
      outcome: outcome.optional(),
      requestId: z.string().optional(),
      ...span,
    }),
    output: page(callView),
  }),
};
