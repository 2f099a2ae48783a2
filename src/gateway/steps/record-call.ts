import type { Outcome } from '../../audit/contract.ts';
import { timeId } from '../../audit/index.ts';
import { AppError, messageOf, refusalOf } from '../../platform/errors.ts';
import type { FoundCredential } from '../../secrets/index.ts';
import type { Call, Gate } from '../call.ts';
import { sizeOf } from '../faces/answer-body.ts';
import { endSpan } from '../observe/call-span.ts';
import { Refusal } from '../refusal.ts';
import { findMember, membersOf } from '../rpc/raw.ts';
import { WireError } from '../rpc/wire-error.ts';

/** One record for each call, whatever became of it. Runs last, cannot fail, waits for nothing. */
export function recordCall(call: Call, gate: Gate, error: unknown): void {
  if (error !== undefined) explain(call, gate, error);
  endSpan(call, gate);
  tell(call, gate, error);
  const milliseconds = Math.max(0, gate.clock() - call.startedAt);
  gate.observed.metrics?.called(call, milliseconds / 1_000);
  const credentials = call.targets.length === 1 ? call.targets[0]?.credentials : undefined;
  if (credentials && wentOut(call)) for (const one of credentials.values()) gate.vault.used(one);
  const request =
    call.message?.kind === 'request' || call.message?.kind === 'notification' ? call.message : undefined;
  const only = call.servers.length === 1 ? call.servers[0] : undefined;
  gate.recorder.record({
    id: timeId(call.startedAt),
    at: call.startedAt,
    requestId: call.requestId,
    principal: call.principal?.id ?? null,
    authSource: call.principal?.authSource ?? null,
    tenant: call.tenant?.id ?? null,
    face: call.face,
    httpMethod: call.httpMethod,
    // The only trace of a call through call_tool: everything else is the real tool's.
    endpoint: call.mode === 'meta' ? `${call.path.template}?mode=meta` : call.path.template,
    rpcMethod: request?.method ?? null,
    server: only?.id ?? call.path.server,
    tool: call.tool,
    outcome: call.outcome,
    reason: call.reason,
    refusal: refusalOf(error),
    status: call.status,
    milliseconds,
    bytesIn: call.bytesIn,
    bytesOut: call.passing ? call.bytesOut : bytesOut(call.response),
    userAgent: call.header('user-agent') ?? null,
    clientIp: call.clientIp,
    credentialId: idsOf(credentials),
    arguments: only?.definition.recordArguments ? argumentsOf(call) : null,
  });
}

/** Lists are answered from memory, and what else has no tool was answered by its server if it has such an answer. */
function wentOut({ tool, response }: Call): boolean {
  return tool !== null || (response !== undefined && response.kind !== 'local');
}

/** The keys that the call went out with, in the order of their names; those of lists are too many. */
function idsOf(credentials: ReadonlyMap<string, FoundCredential> | undefined): string | null {
  if (credentials === undefined || credentials.size === 0) return null;
  const ids = [...credentials.values()].map(({ id }) => id);
  return ids.length === 1 ? (ids[0] ?? null) : [...new Set(ids)].join(',');
}

/** One log line under the request id of the record: what went wrong at info, what went well only when debugging. */
function tell(call: Call, gate: Gate, error: unknown): void {
  const isWell = call.outcome === 'ok' || call.outcome === 'tool_error';
  if (isWell && !gate.log.isLevelEnabled('debug')) return;
  const { requestId, outcome, reason, tool, tenant, path } = call;
  const line = {
    requestId,
    outcome,
    reason,
    tool,
    endpoint: path.template,
    principal: call.principal?.id ?? null,
    tenant: tenant?.id ?? null,
    server: call.servers.length === 1 ? call.servers[0]?.id : path.server,
    milliseconds: gate.clock() - call.startedAt,
    ...(call.span && { traceId: call.span.traceId }),
    ...(error instanceof AppError && error.detail !== undefined && { detail: error.detail }),
    ...(error instanceof Error && error.cause instanceof Error && { cause: error.cause.message }),
  };
  if (isWell) gate.log.debug(line, 'call');
  else gate.log.info(line, 'call');
}

function explain(call: Call, gate: Gate, error: unknown): void {
  if (error instanceof Refusal) {
    call.outcome = error.outcome;
    call.reason = error.code;
    call.status = error.status;
    return;
  }
  if (error instanceof WireError) {
    call.outcome = 'bad_request';
    call.reason = `rpc_${error.code}`;
    call.status = error.status;
    return;
  }
  if (error instanceof AppError) {
    call.outcome = outcomeOf(error.status);
    call.reason = error.code;
    call.status = error.status;
    return;
  }
  call.outcome = call.controller.signal.aborted ? 'cancelled' : 'error';
  call.reason = call.outcome === 'cancelled' ? 'client_gone' : 'internal_error';
  call.status = call.outcome === 'cancelled' ? 499 : 500;
  if (call.outcome === 'error')
    gate.log.error({ requestId: call.requestId, err: error, message: messageOf(error) }, 'call failed');
}

function outcomeOf(status: number): Outcome {
  if (status === 401) return 'unauthenticated';
  return status < 500 ? 'bad_request' : 'error';
}

/** Bytes of the result or error; what the gate adds around it does not count. */
function bytesOut(response: Call['response']): number {
  if (response === undefined) return 0;
  if (response.kind === 'local' && response.parts) return sizeOf(response.parts);
  const text = response.kind === 'local' ? response.rawResult : (response.rawResult ?? response.rawError);
  return Buffer.byteLength(text ?? '');
}

function argumentsOf(call: Call): string | null {
  const raw = call.message?.kind === 'request' ? call.message.rawParams : undefined;
  const span = raw === undefined ? undefined : findMember(membersOf(raw), 'arguments');
  return raw !== undefined && span ? raw.slice(span.start, span.end) : null;
}
