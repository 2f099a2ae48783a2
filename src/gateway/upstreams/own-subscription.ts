import type { Log } from '../../platform/log.ts';
import type { Connector, Exchange } from '../connectors/contract.ts';
import { isObject, requestText } from '../rpc/message.ts';
import type { Era } from '../rpc/protocol.ts';
import { editObject } from '../rpc/raw.ts';
import { type Hello, modernHeaders, ownMeta } from './handshake.ts';

const resubscribeAfter = 5_000;

/**
 * A modern server announces changes on a subscription of the gate's own, for as long as the connection lives
 * (basic/patterns/subscriptions.mdx). Whatever changed while there was none is seen at the next regular look.
 * Returns how to stop.
 */
export function followChanges(
  connector: Connector,
  hello: Hello,
  o: { readonly name: string; readonly log: Log; readonly onMessage: Exchange['onMessage'] },
): () => void {
  const filter = changeFilter(hello.capabilities);
  if (filter === undefined) return () => undefined;
  const rawId = '"changes"';
  const text = requestText(
    rawId,
    'subscriptions/listen',
    ownParams('modern', '{}', { notifications: filter }),
  );
  const headers = modernHeaders('subscriptions/listen');
  const stopped = new AbortController();
  let again: NodeJS.Timeout | undefined;
  const listen = async (): Promise<void> => {
    try {
      await connector.request({ rawId, text, headers, signal: stopped.signal, onMessage: o.onMessage });
    } catch (error) {
      o.log.debug({ server: o.name, err: error }, 'subscription ended');
    }
    if (!stopped.signal.aborted) again = setTimeout(() => void listen(), resubscribeAfter).unref();
  };
  void listen();
  return () => {
    stopped.abort(new Error('the connection is closed'));
    clearTimeout(again);
  };
}

/** Params of a request that the gate makes itself. */
export function ownParams(
  era: Era,
  capabilities: string,
  members: Readonly<Record<string, string>>,
): string | undefined {
  const all = era === 'modern' ? { ...members, _meta: ownMeta(capabilities) } : members;
  return Object.keys(all).length === 0 ? undefined : editObject('{}', all);
}

/** Every list whose changes the server announces. */
function changeFilter(capabilities: Readonly<Record<string, unknown>>): string | undefined {
  const kinds = ['tools', 'prompts', 'resources'].filter((kind) => {
    const value = capabilities[kind];
    return isObject(value) && value['listChanged'] === true;
  });
  if (kinds.length === 0) return undefined;
  return JSON.stringify(Object.fromEntries(kinds.map((kind) => [`${kind}ListChanged`, true])));
}
