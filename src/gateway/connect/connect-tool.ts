import type { SnapshotServer } from '../../access/index.ts';
import { type Call, type Gate, principalOf } from '../call.ts';
import { listedTool } from '../pins.ts';
import { targetOf } from '../steps/attach-credentials.ts';
import { isConnectable, linkFor, nameOf, offerFor } from './account-of.ts';
import { canOpen, connectFirst } from './connect-first.ts';
import { connectToolName } from './connect-item.ts';
import { texts } from './texts.ts';

/** Of these servers, those that the caller reaches once an account is connected. */
export function connectable(
  call: Call,
  gate: Gate,
  servers: readonly SnapshotServer[],
): readonly SnapshotServer[] {
  return servers.filter(
    (server) =>
      isConnectable(server) &&
      targetOf(call, gate, server) === undefined &&
      offerFor(call, gate, server) !== undefined,
  );
}

/**
 * Is this a call of the gate's own tool of that name? A server's own one comes first, and it can be there only once the
 * account is connected; after that a client that has not listed anew is told so.
 */
export function isConnectCall(call: Call, gate: Gate): boolean | Promise<boolean> {
  const [server] = call.servers;
  if (call.tool !== connectToolName || !server || !isConnectable(server)) return false;
  if (principalOf(call).kind !== 'user') return false;
  const target = targetOf(call, gate, server);
  if (!target) return offerFor(call, gate, server) !== undefined;
  const known = gate.lists.peek(target, call.era, call.capabilities);
  const isOurs = () => known.lists.has('tools') && listedTool(known, connectToolName) === undefined;
  // Just connected: what the server has is being asked for.
  if (known.lists.has('tools') || known.failure) return isOurs();
  return gate.lists.settle([known], gate.settings.listDeadlineMs).then(isOurs);
}

/** Answers with the link, or has the client open it and says when the account is there. */
export async function serveConnectTool(call: Call, gate: Gate): Promise<void> {
  const [server] = call.servers;
  if (!server) throw new Error('a call of the connect tool is about one server');
  const name = nameOf(server);
  const offer = offerFor(call, gate, server);
  if (offer && !canOpen(call))
    return answer(call, texts.tool.link(name, linkFor(call, gate, server), offer.problem));
  if (offer && (await connectFirst(call, gate, offer)) === 'asked') return undefined;
  return answer(call, texts.tool.connected(name));
}

function answer(call: Call, text: string): void {
  const type = call.era === 'modern' ? ',"resultType":"complete"' : '';
  const content = `[{"type":"text","text":${JSON.stringify(text)}}]`;
  call.response = { kind: 'local', rawResult: `{"content":${content},"isError":false${type}}` };
}
