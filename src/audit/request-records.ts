import type { Clock } from '../platform/clock.ts';
import type { Answered } from '../platform/http/answered.ts';
import type { Outcome } from './contract.ts';
import type { Recorder } from './recorder.ts';
import { timeId } from './time-id.ts';

/** Records of requests that nobody proved anything of, in a second. A flood of them must not push others' records out. */
const mostUnproved = 50;

/**
 * Records requests that no call is made of: pages, the admin API, addresses where nothing is, and what was refused at
 * the door. Those beyond `mostUnproved` a second are counted, and told of by one record.
 */
export function createRequestRecords(o: {
  readonly recorder: Pick<Recorder, 'record' | 'accepting'>;
  readonly clock: Clock;
}): (answered: Answered) => void {
  let second = 0;
  let recorded = 0;
  let left = 0;
  return (answered) => {
    if (!o.recorder.accepting()) return;
    if (answered.principal !== undefined) return o.recorder.record(recordOf(answered));
    const now = Math.floor(o.clock() / 1_000);
    if (now !== second) {
      if (left > 0) o.recorder.record(restOf(answered, left));
      [second, recorded, left] = [now, 0, 0];
    }
    if (recorded >= mostUnproved) {
      left += 1;
      return;
    }
    recorded += 1;
    o.recorder.record(recordOf(answered));
  };
}

function recordOf(answered: Answered) {
  const { at, status, principal = null, authSource = null, reason } = answered;
  const outcome = answered.isCutOff ? 'cancelled' : outcomeOf(status);
  return {
    ...{ id: timeId(at), at, requestId: answered.requestId, principal, authSource, tenant: null },
    ...{ face: 'http', httpMethod: answered.method, endpoint: answered.template, rpcMethod: null },
    ...{ server: null, tool: null, outcome, status, milliseconds: answered.milliseconds },
    reason: reason ?? reasonOf(outcome, status),
    ...{ bytesIn: answered.bytesIn, bytesOut: answered.bytesOut, userAgent: answered.userAgent ?? null },
    ...{ clientIp: answered.clientIp, credentialId: null, arguments: null },
  };
}

/** How many there were besides: nothing else of them is known. */
function restOf(answered: Answered, requests: number) {
  const base = recordOf(answered);
  return {
    ...base,
    ...{
      id: timeId(answered.at),
      requestId: '-',
      httpMethod: '-',
      endpoint: '*',
      outcome: 'rate_limited' as const,
    },
    ...{
      reason: 'records_bounded',
      milliseconds: 0,
      bytesIn: 0,
      bytesOut: 0,
      userAgent: null,
      clientIp: null,
    },
    arguments: JSON.stringify({ requests }),
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
