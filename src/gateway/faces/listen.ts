import { type Call, type Gate, requestOf } from '../call.ts';
import type { ListKind } from '../lists/kinds.ts';
import { invalidParams } from '../refusals.ts';
import { isObject, notificationText, type RawId, resultText } from '../rpc/message.ts';
import { meta } from '../rpc/protocol.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';
import type { OpenStreams } from './open-streams.ts';
import { eventText, type Reply } from './reply.ts';
import { subscribe } from './subscribe.ts';

/** Filter names of `subscriptions/listen` and the lists they stand for. */
const wanted: readonly (readonly [string, readonly ListKind[]])[] = [
  ['toolsListChanged', ['tools']],
  ['promptsListChanged', ['prompts']],
  ['resourcesListChanged', ['resources', 'templates']],
];

/**
 * `subscriptions/listen` (2026-07-28 basic/patterns/subscriptions.mdx): the first message says what is honoured,
 * every message names the subscription, and the end is a result.
 */
export function openListen(
  call: Call,
  gate: Gate,
  o: { reply: Reply; rawId: RawId; streams: OpenStreams },
): void {
  const { reply, rawId } = o;
  const filter = requestOf(call).params?.['notifications'];
  if (!isObject(filter)) throw invalidParams('"params.notifications" must be an object.');
  const honoured = wanted.filter(([name]) => filter[name] === true);
  // Single resources are not followed for this era, so a filter for them is not honoured, and the answer says so.
  const accepted = Object.fromEntries(honoured.map(([name]) => [name, true]));
  const tagged = (rawParams: string | undefined) => withSubscription(rawParams ?? '{}', rawId);
  const notify = (method: string, rawParams: string | undefined) =>
    reply.write(eventText(notificationText(method, tagged(rawParams))));
  reply.stream();
  notify('notifications/subscriptions/acknowledged', JSON.stringify({ notifications: accepted }));
  const leave = subscribe(call, gate, {
    session: null,
    kinds: new Set(honoured.flatMap(([, kinds]) => kinds)),
    uris: new Set(),
    notify,
    end: () => {
      reply.write(
        eventText(resultText(rawId, `{"resultType":"complete","_meta":{"${meta.subscriptionId}":${rawId}}}`)),
      );
      reply.end();
    },
  });
  const stop = o.streams.keepAlive(reply);
  reply.onOver(() => {
    leave();
    stop();
  });
}

function withSubscription(rawParams: string, rawId: RawId): string {
  const span = findMember(membersOf(rawParams), '_meta');
  const rawMeta = span ? rawParams.slice(span.start, span.end) : '{}';
  return editObject(rawParams, { _meta: editObject(rawMeta, { [meta.subscriptionId]: rawId }) });
}
