import { Refusal } from '../refusal.ts';
import { gateCode } from '../rpc/protocol.ts';

/** Seconds after which a client may try again. */
export const retryAfterSeconds = 10;

/** What kept an answer of Open WebUI from coming. */
export type Trouble = 'away' | 'slow' | 'broken' | 'busy';

const unavailable = { rpcCode: gateCode.unavailable, data: { retryAfter: retryAfterSeconds } } as const;

const troubles: Readonly<Record<Trouble, (cause: unknown) => Refusal>> = {
  away: (cause) =>
    new Refusal('open_webui_away', 'Open WebUI cannot be reached at the moment; try again in a minute.', {
      ...{ ...unavailable, outcome: 'upstream_error', status: 503, cause },
    }),
  slow: (cause) =>
    new Refusal('open_webui_slow', 'Open WebUI did not answer in time; try again in a minute.', {
      ...{ ...unavailable, outcome: 'timeout', status: 504, cause },
    }),
  broken: (cause) =>
    new Refusal('open_webui_broken', 'Open WebUI broke off before it answered; try again.', {
      ...{ ...unavailable, outcome: 'upstream_error', status: 502, cause },
    }),
  busy: (cause) =>
    new Refusal('open_webui_busy', 'Too many requests wait for Open WebUI at the moment; try again soon.', {
      ...{ ...unavailable, outcome: 'upstream_error', status: 503, cause },
    }),
};

export function openWebUiTrouble(trouble: Trouble, cause?: unknown): Refusal {
  return troubles[trouble](cause);
}

/** The rest of a request did not come. */
export function uploadStalled(): Refusal {
  return new Refusal('upload_stalled', 'The rest of this request did not come; send it again.', {
    ...{ outcome: 'bad_request', status: 408, rpcCode: gateCode.refused },
  });
}

/** Nobody is at the other end of a socket that opens without a session, so nobody could be shut out of it later. */
export function socketNeedsSession(): Refusal {
  return new Refusal(
    'open_webui_session_needed',
    'Sign in to Open WebUI first: this socket needs a session.',
    {
      ...{ outcome: 'unauthenticated', status: 401, rpcCode: gateCode.refused },
    },
  );
}

export function tooManySockets(): Refusal {
  return new Refusal('too_many_sockets', 'Too many open windows: close some and try again.', {
    ...{ outcome: 'rate_limited', status: 429, rpcCode: gateCode.limited },
    data: { retryAfter: retryAfterSeconds },
  });
}

/** Bytes behind a handshake are taken for what is said on the socket, so there must be no other reading of them. */
export function socketWithBody(): Refusal {
  return new Refusal(
    'socket_with_body',
    'This request asks for a socket and has a body, so it is not passed on.',
    {
      ...{ outcome: 'bad_request', status: 400, rpcCode: gateCode.refused },
    },
  );
}

/** It has come by here before: OPEN_WEBUI_URL leads back to this program. */
export function goesInCircles(): Refusal {
  return new Refusal(
    'open_webui_loop',
    'OPEN_WEBUI_URL leads back to this gate; set it to the address of Open WebUI itself.',
    { outcome: 'error', status: 508, rpcCode: gateCode.unavailable },
  );
}
