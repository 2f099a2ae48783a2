import type { Call, Gate } from '../call.ts';
import { listKinds } from '../lists/kinds.ts';
import { notificationText } from '../rpc/message.ts';
import type { OpenStreams } from './open-streams.ts';
import { comeBack, eventText, type Reply } from './reply.ts';
import type { Session } from './sessions.ts';
import { subscribe } from './subscribe.ts';

/** The standalone stream of a legacy session (2025-11-25 basic/transports.mdx): news that answer no request. */
export function openStandalone(
  call: Call,
  gate: Gate,
  o: { reply: Reply; session: Session; streams: OpenStreams; leave?: () => void },
): void {
  const { reply, session, streams } = o;
  const end = () => reply.end();
  // A session has one; a client that opens another has lost the first.
  session.endStream?.();
  session.endStream = end;
  reply.stream();
  reply.write(': open\n\n');
  const leave = subscribe(call, gate, {
    session: session.name,
    kinds: new Set(listKinds),
    uris: session.uris,
    logLevel: () => session.logLevel,
    notify: (method, rawParams) => reply.write(eventText(notificationText(method, rawParams))),
    end,
    leave:
      o.leave ??
      (() => {
        reply.write(comeBack());
        end();
      }),
  });
  const stop = streams.keepAlive(reply);
  reply.onOver(() => {
    leave();
    stop();
    if (session.endStream === end) session.endStream = undefined;
  });
}
