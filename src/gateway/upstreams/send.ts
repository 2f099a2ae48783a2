import type { Log } from '../../platform/log.ts';
import type { Connector } from '../connectors/contract.ts';
import {
  notificationText,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  requestText,
} from '../rpc/message.ts';
import type { Era } from '../rpc/protocol.ts';
import { answerServer } from './answer-server.ts';
import type { Deadline } from './deadline.ts';
import { modernHeaders } from './handshake.ts';
import { isListNews, type Outgoing, underToken, withOwnToken } from './outgoing.ts';

/** What a request goes out on. */
export interface Link {
  readonly name: string;
  readonly era: Era;
  readonly connector: Connector;
  readonly log: Log;
  /** Of this request, unique on the connection. */
  readonly rawId: string;
  readonly deadline: Deadline;
  /** News that concern everybody, whatever call they came along with. */
  onNews(message: RpcNotification): void;
}

const noticeTimeout = 5_000;

/** Sends one request over a connection that is ready, under an id and a progress token of the gate's own. */
export function sendOver(link: Link, outgoing: Outgoing): Promise<RpcResponse> {
  const { connector, rawId, era } = link;
  const { params, token } = withOwnToken(outgoing.rawParams, rawId);
  const modern = era === 'modern';
  const { controller, method } = outgoing;
  const answer = connector.request({
    rawId,
    text: requestText(rawId, method, params),
    headers: modern ? { ...modernHeaders(method, outgoing.name), ...outgoing.headers } : outgoing.headers,
    signal: controller.signal,
    onMessage: (message) => during(link, outgoing, message, token),
    onPrimed: outgoing.onPrimed,
    onPaused: outgoing.onPaused,
    ...(outgoing.isOwn && { isStanding: true }),
  });
  if (modern && connector.cancelsByClosing) return answer;
  return answer.catch((error: unknown) => {
    if (controller.signal.aborted) tellCancelled(link);
    throw error;
  });
}

function during(
  { connector, name, log, deadline, onNews }: Link,
  outgoing: Outgoing,
  message: RpcNotification | RpcRequest,
  token: string | undefined,
): void {
  if (message.kind === 'request') {
    const { onServerRequest } = outgoing;
    const ask = onServerRequest && ((asked: RpcRequest) => deadline.pausedFor(onServerRequest(asked)));
    return answerServer(connector, message, { name, log, ask });
  }
  // Nobody asked for progress, so nobody knows this token.
  if (message.method === 'notifications/progress' && token === undefined) return;
  if (isListNews(message.method)) return onNews(message);
  deadline.progressed();
  outgoing.onNotification?.(underToken(message, token));
}

/** Where a closed stream does not say it already (basic/patterns/cancellation.mdx). */
function tellCancelled({ connector, rawId, log, name }: Link): void {
  const params = `{"requestId":${rawId},"reason":"The caller is no longer waiting"}`;
  connector
    .send(notificationText('notifications/cancelled', params), AbortSignal.timeout(noticeTimeout))
    .catch((error: unknown) => log.debug({ server: name, err: error }, 'cancellation was not delivered'));
}
