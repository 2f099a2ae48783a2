import type { Answered } from '../platform/http/answered.ts';
import type { CallRecord, Outcome } from './contract.ts';
import { timeId } from './time-id.ts';

/**
 * The record of a request that no call is made of: a page, the admin API, an address where nothing is, and what was
 * refused at the door.
 */
export function requestRecord(answered: Answered): CallRecord {
  const { at, status, principal = null, authSource = null, reason, refusal } = answered;
  const outcome = answered.isCutOff ? 'cancelled' : outcomeOf(status);
  return {
    ...{ id: timeId(at), at, requestId: answered.requestId, principal, authSource, tenant: null },
    ...{ face: 'http', httpMethod: answered.method, endpoint: answered.template, rpcMethod: null },
    ...{ server: null, tool: null, outcome, status, milliseconds: answered.milliseconds },
    ...{ reason: reason ?? reasonOf(outcome, status), refusal },
    ...{ bytesIn: answered.bytesIn, bytesOut: answered.bytesOut, userAgent: answered.userAgent ?? null },
    ...{ clientIp: answered.clientIp, credentialId: null, arguments: null },
  };
}

function reasonOf(outcome: Outcome, status: number): string | null {
  if (outcome === 'ok') return null;
  return outcome === 'cancelled' ? 'client_gone' : `http_${status}`;
}

function outcomeOf(status: number): Outcome {
  if (status < 400) return 'ok';
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'denied';
  if (status === 429) return 'rate_limited';
  return status < 500 ? 'bad_request' : 'error';
}
